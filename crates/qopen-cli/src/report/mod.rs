//! Progress and summary output.

mod came;
mod facts;
mod news;
mod next;
mod progress;
mod refusal;
mod rejections;
pub(crate) mod states;
mod status;
mod summary;
mod words;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use qopen::assembler::WaitingFor;
use qopen::journal::PullId;
use qopen::{Progress, Status};
use serde::Serialize;
use tracing::Level;

pub(crate) use came::Came;
pub(crate) use facts::{compared_in_words, in_words, kinds_in_words};
pub(crate) use news::News;
pub(crate) use next::{Commands, Step};
pub(crate) use progress::waiting_for;
pub(crate) use refusal::refusal;
pub(crate) use states::end_state;
pub(crate) use status::{basis, ended, noted_end};
pub(crate) use summary::Summary;
pub(crate) use words::{BYTES, CUSTOMERS, CUSTOMERS_ARE, Noun, PAGES, ROBOTS, named};

use crate::exit::Exit;
use crate::lang::{Phrase, phrase};
use crate::say::{self, answer, say};
use crate::terminal;
use crate::topics::Topic;
use progress::{ProgressLine, line};

/// Plain progress lines of one pull are at least this far apart.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Columns that the spinner and a margin take.
const MARGIN: usize = 3;

/// Reports pulls: a live line each, plain lines, or JSON.
pub(crate) struct Reporter {
    form: Form,
    /// Whether JSON goes to standard error, because the list goes to standard output.
    json_to_stderr: bool,
    state: Mutex<State>,
    /// Reads the counts of the listener.
    came: Box<dyn Fn() -> Came + Send + Sync>,
    /// The commands that may follow.
    commands: Option<Commands>,
}

enum Form {
    Live(MultiProgress),
    Plain,
    Json,
}

#[derive(Default)]
struct State {
    pulls: BTreeMap<PullId, Shown>,
    news: News,
}

struct Shown {
    progress: Progress,
    at: Instant,
    printed: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Reporter {
    pub(crate) fn new(json: bool, list_to_stdout: bool) -> Self {
        let form = match (json, terminal::is_live()) {
            (true, _) => Form::Json,
            (false, true) => {
                let lines = MultiProgress::new();
                say::above(lines.clone());
                Form::Live(lines)
            }
            (false, false) => Form::Plain,
        };
        let came = Box::new(Came::default);
        let (state, commands) = (Mutex::default(), None);
        Self { form, json_to_stderr: list_to_stdout, state, came, commands }
    }

    /// Also names the command to type next, if a list is not complete or not published.
    pub(crate) fn advising(self, commands: Commands) -> Self {
        Self { commands: Some(commands), ..self }
    }

    /// Also reports troubles with callbacks while they happen.
    pub(crate) fn watching(self, came: impl Fn() -> Came + Send + Sync + 'static) -> Self {
        Self { came: Box::new(came), ..self }
    }

    pub(crate) fn progress(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let shown = state.pulls.entry(progress.pull.clone()).or_insert_with(|| Shown {
            progress: progress.clone(),
            at: now,
            printed: None,
            bar: self.bar(),
        });
        let news = progress.figures.last_page_seen != shown.progress.figures.last_page_seen
            || shown.printed.is_none();
        (shown.progress, shown.at) = (progress, now);
        if shown.progress.waiting_for == WaitingFor::Nothing && !matches!(self.form, Form::Json) {
            // The summary follows.
            return;
        }
        match &self.form {
            Form::Live(_) => draw(shown, &(self.came)().in_short()),
            Form::Plain if news || shown.printed.is_none_or(|at| now - at >= LINE_EVERY) => {
                shown.printed = Some(now);
                let troubles = (self.came)().in_short();
                say!("{}", line(&shown.progress, Duration::ZERO, &troubles, usize::MAX));
            }
            Form::Plain => {}
            Form::Json => {
                shown.printed = Some(now);
                self.json(&ProgressLine::of(&shown.progress, (self.came)().rejected()));
            }
        }
    }

    /// Updates the time in live lines, and reports troubles with callbacks.
    pub(crate) fn tick(&self) {
        let came = (self.came)();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = state.news.of(&came, Instant::now());
        if let Form::Live(_) = self.form {
            let troubles = came.in_short();
            state.pulls.values().for_each(|shown| draw(shown, &troubles));
        }
        drop(state);
        news.iter().for_each(|it| self.print(&it.sentence(), Some(it.topic)));
    }

    /// Prints a sentence beside the progress.
    pub(crate) fn note(&self, message: &Phrase) {
        self.print(message, None);
    }

    fn print(&self, message: &Phrase, explain: Option<&'static Topic>) {
        #[derive(Serialize)]
        struct Notice<'a> {
            r#type: &'static str,
            message: &'a Phrase,
            #[serde(skip_serializing_if = "Option::is_none")]
            explain: Option<&'static Topic>,
        }
        match (&self.form, explain) {
            (Form::Json, _) if self.json_to_stderr => {
                self.json(&Notice { r#type: "notice", message, explain });
            }
            (_, Some(topic)) => say::remark(Level::INFO, topic, message),
            (_, None) => say!("qopen: {}", message.shown()),
        }
    }

    pub(crate) fn summary(&self, mut summary: Summary, pull: &PullId) {
        self.forget(pull);
        if let Some(commands) = &self.commands {
            summary.advise(commands, pull);
        }
        match &self.form {
            Form::Json => self.json(&summary),
            Form::Live(_) | Form::Plain => say::to_person(format_args!("{}", summary.to_text())),
        }
    }

    /// Removes the live line of a pull.
    pub(crate) fn forget(&self, pull: &PullId) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.pulls.remove(pull).and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
    }

    /// Reports a pull that a signal interrupted.
    pub(crate) fn interrupted(&self, pull: &PullId, progress: Option<&Progress>, came: &Came) {
        let why = phrase!(
            "interrupted; run the same command again to resume",
            "被中断；重新运行同一命令即可继续",
        );
        let Some(progress) = progress else {
            return self.note(&Phrase::about(pull, why));
        };
        let mut summary = Summary::new(&Status::Cancelled, progress, came);
        summary.topic = Some(Exit::Interrupted.topic());
        (summary.why, summary.error) = (why.clone(), Some(why));
        self.summary(summary, pull);
    }

    fn bar(&self) -> Option<ProgressBar> {
        let Form::Live(lines) = &self.form else {
            return None;
        };
        let bar = lines.add(ProgressBar::new_spinner());
        // The template is a valid constant.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Some(bar)
    }

    fn json(&self, object: &impl Serialize) {
        // Plain data always encodes. A pull continues without its reader.
        let text = serde_json::to_string(object).unwrap_or_default();
        match self.json_to_stderr {
            true => say::object_to_person(&text),
            false => answer!("{text}"),
        }
    }
}

fn draw(shown: &Shown, troubles: &Phrase) {
    if let Some(bar) = &shown.bar {
        let width = words::columns().saturating_sub(MARGIN);
        bar.set_message(line(&shown.progress, shown.at.elapsed(), troubles, width));
        bar.tick();
    }
}
