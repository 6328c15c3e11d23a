//! What is said while a pull runs and when it has ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use qopen::assembler::WaitingFor;
use qopen::callback::RejectReason;
use qopen::callback::listener::Listener;
use qopen::journal::{Changes, PullId};
use qopen::types::Reading;
use qopen::{Outcome, Progress, Stats, Status, Stranger};
use serde::Serialize;

use crate::exit::Exit;
use crate::say::{self, answer, say};
use crate::terminal;

/// Plain progress lines of one pull are at least this far apart.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The last object of a pull. Its names are a contract.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    r#type: &'static str,
    pub(crate) robot_id: String,
    pub(crate) mark_id: String,
    pub(crate) status: &'static str,
    /// On what completeness rests, where the list is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) basis: Option<String>,
    pub(crate) accounts: u64,
    pub(crate) pages: usize,
    pub(crate) duplicate_pages: u64,
    pub(crate) conflicts: usize,
    pub(crate) unread_fields: u64,
    pub(crate) unidentified: usize,
    pub(crate) quarantined: u64,
    pub(crate) rejected_callbacks: u64,
    /// What had to be read otherwise than plainly, by reading.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) readings: BTreeMap<&'static str, u64>,
    pub(crate) revision: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Changes>,
    pub(crate) elapsed_ms: u64,
    pub(crate) output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why a complete list was not written: the place holds a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) superseded: Option<String>,
    #[serde(skip)]
    pub(crate) why: String,
    #[serde(skip)]
    pub(crate) rejections: Vec<(RejectReason, u64)>,
    #[serde(skip)]
    pub(crate) quarantine_file: Option<String>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

impl Summary {
    pub(crate) fn new(status: &Status, progress: &Progress, came: &Came) -> Self {
        let exit = match status {
            Status::Complete(_) => Exit::Complete,
            Status::Incomplete(_) => Exit::Incomplete,
            Status::NoCallback => Exit::NoCallback,
            Status::Refused(_) => Exit::Refused,
            Status::Reported { .. } => Exit::Reported,
            Status::Cancelled => Exit::Interrupted,
            _ => Exit::Unexpected,
        };
        let mut why = status.to_string();
        let rejections = came.rejections.clone();
        let rejected: u64 = rejections.iter().map(|(_, count)| count).sum();
        if exit == Exit::NoCallback
            && let Some(instead) = came.instead()
        {
            why = format!("no page of this pull came, but {instead}");
        }
        Self {
            r#type: "summary",
            robot_id: progress.pull.robot_id.to_string(),
            mark_id: progress.pull.mark_id.to_string(),
            status: status.as_str(),
            basis: (exit == Exit::Complete).then(|| status.to_string()),
            accounts: progress.accounts as u64,
            pages: progress.pages,
            duplicate_pages: progress.duplicate_pages,
            conflicts: progress.conflicts,
            unread_fields: 0,
            unidentified: progress.unidentified,
            quarantined: progress.unreadable_pages as u64,
            rejected_callbacks: rejected,
            readings: came.readings.iter().map(|(it, count)| (it.as_str(), *count)).collect(),
            revision: progress.revision,
            changes: None,
            elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            output: None,
            error: (exit != Exit::Complete).then(|| why.clone()),
            superseded: None,
            why,
            rejections,
            quarantine_file: None,
            exit,
        }
    }

    pub(crate) fn of(outcome: &Outcome, came: &Came) -> Self {
        Self::new(&outcome.status, &outcome.progress, came)
    }

    /// The place already holds a later list; nothing is written.
    pub(crate) fn superseded(&mut self, why: String) {
        self.superseded = Some(why);
    }

    /// The list is not complete after all, for a reason that the pull does not know.
    pub(crate) fn keep_back(&mut self, why: String) {
        (self.status, self.basis, self.exit) = ("incomplete", None, Exit::Incomplete);
        (self.error, self.why) = (Some(why.clone()), why);
    }

    /// Counts what had to be read otherwise in the list itself.
    pub(crate) fn count_reading(&mut self, reading: Reading) {
        *self.readings.entry(reading.as_str()).or_default() += 1;
    }

    /// The same for a person.
    pub(crate) fn to_text(&self) -> String {
        let Self { robot_id, status, accounts, pages, duplicate_pages, conflicts, why, .. } = self;
        let seconds = Duration::from_millis(self.elapsed_ms).as_secs_f64();
        let mut text = format!(
            "robot {robot_id}: {status}\n  {accounts} customers on {pages} pages in {seconds:.1} s ({duplicate_pages} pages twice, {conflicts} customers with conflicting contents)\n  {why}\n"
        );
        if self.revision > 1 {
            let changes = self.changes.map(|it| format!(": {}", in_words(it))).unwrap_or_default();
            text.push_str(&format!(
                "  revision {}: pages came after the list was complete{changes}\n",
                self.revision
            ));
        }
        if !self.rejections.is_empty() {
            let (count, reasons) = (self.rejected_callbacks, by_reason(&self.rejections));
            text.push_str(&format!("  {count} callbacks were rejected: {reasons}\n"));
        }
        if !self.readings.is_empty() {
            let readings: Vec<_> =
                self.readings.iter().map(|(name, count)| format!("{count} {name}")).collect();
            text.push_str(&format!("  read otherwise than plainly: {}\n", readings.join(", ")));
        }
        if self.unread_fields > 0 {
            let count = self.unread_fields;
            text.push_str(&format!("  {count} fields could not be read, kept under _unread\n"));
        }
        if self.quarantined > 0 {
            let place = self
                .quarantine_file
                .as_deref()
                .map(|it| format!(", kept in {it}"))
                .unwrap_or_default();
            text.push_str(&format!("  {} could not be read{place}\n", self.quarantined));
        }
        match self.output.as_deref() {
            Some("-") => text.push_str("  written to standard output\n"),
            Some(output) => text.push_str(&format!("  written to {output}\n")),
            None => match &self.superseded {
                Some(why) => text.push_str(&format!("  nothing was written: {why}\n")),
                None => text.push_str("  nothing was written\n"),
            },
        }
        text
    }
}

/// What came to the callback listener, of whichever kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Came {
    pub(crate) rejections: Vec<(RejectReason, u64)>,
    pub(crate) readings: Vec<(Reading, u64)>,
    strangers: u64,
    stranger: Option<Stranger>,
    undecrypted: u64,
    unreadable: u64,
    stray_reports: u64,
    other_events: u64,
    other_paths: u64,
    last_path: Option<String>,
    other_methods: u64,
    echo_checks: u64,
    proxy_protocol: u64,
    path: String,
}

impl Came {
    pub(crate) fn of(stats: &Stats, listener: &Listener, path: &str) -> Self {
        let receiver = stats.receiver();
        Self {
            rejections: stats.rejections(),
            readings: stats.readings(),
            strangers: stats.unknown_marks(),
            stranger: stats.last_stranger(),
            undecrypted: stats.undecrypted(),
            unreadable: stats.unreadable_pages(),
            stray_reports: stats.stray_reports(),
            other_events: stats.other_events(),
            other_paths: receiver.other_paths(),
            last_path: receiver.last_other_path(),
            other_methods: receiver.other_methods(),
            echo_checks: receiver.echo_checks(),
            proxy_protocol: listener.proxy_protocol(),
            path: path.to_owned(),
        }
    }

    /// Of a capture: nothing was listened for.
    pub(crate) fn captured(
        rejections: Vec<(RejectReason, u64)>,
        readings: Vec<(Reading, u64)>,
    ) -> Self {
        Self { rejections, readings, ..Self::default() }
    }

    /// What came where no page did; `None` where nothing came at all.
    fn instead(&self) -> Option<String> {
        let mut parts = Vec::new();
        let mut add = |count: u64, what: String| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        let near = |it: &Stranger| match &it.near {
            Some(near) if near.mark_id == it.named.mark_id => {
                format!("; {} differs from {near} in the robot", it.named)
            }
            Some(near) => format!("; {} differs from {near} only in case", it.named),
            None => format!("; the last is of {}", it.named),
        };
        let nearest = self.stranger.as_ref().map(near).unwrap_or_default();
        add(self.strangers, format!("verified pages of other pulls{nearest}"));
        add(
            self.undecrypted,
            "verified callbacks that no key opens; is QOPEN_ENCODING_AES_KEY the console's?".into(),
        );
        let unreadable = self.unreadable.saturating_sub(self.undecrypted + self.strangers);
        add(
            unreadable,
            "verified callbacks that cannot be read; see `qopen quarantine list`".into(),
        );
        add(self.stray_reports, "error reports of other pulls".into());
        let odd = self.unreadable.saturating_sub(self.undecrypted);
        let others = self.other_events.saturating_sub(odd);
        add(others, "events of other kinds".into());
        let rejected: u64 = self.rejections.iter().map(|(_, count)| count).sum();
        add(rejected, format!("callbacks that were rejected: {}", by_reason(&self.rejections)));
        let last = self.last_path.as_deref().unwrap_or_default();
        add(
            self.other_paths,
            format!(
                "requests to other paths, the last to {last}; callbacks are taken at {}",
                self.path
            ),
        );
        let other = self.other_methods - self.echo_checks;
        add(other, "requests by another method than POST".into());
        add(
            self.echo_checks,
            "checks of the URL by a console (GET with echostr); this console's callbacks are POSTs and expect `success`, so save the URL without that check".into(),
        );
        add(
            self.proxy_protocol,
            "connections that begin with the PROXY protocol; turn it off towards this listener"
                .into(),
        );
        let milliseconds = self.readings.iter().find(|it| it.0 == Reading::Milliseconds);
        add(milliseconds.map_or(0, |it| it.1), "timestamps in milliseconds".into());
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// What is different from the revision before.
pub(crate) fn in_words(changes: Changes) -> String {
    let Changes { added, changed } = changes;
    format!("{added} customers more, {changed} with other contents")
}

fn by_reason(rejections: &[(RejectReason, u64)]) -> String {
    let parts: Vec<_> =
        rejections.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.join(", ")
}

#[derive(Serialize)]
struct ProgressLine<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    mark_id: &'a str,
    pages: usize,
    accounts: usize,
    duplicate_pages: u64,
    last_page_seen: bool,
    waiting_for: &'static str,
    elapsed_ms: u64,
}

/// Speaks of pulls: a live line each, plain lines, or JSON.
pub(crate) struct Reporter {
    form: Form,
    /// Whether JSON goes to standard error, because the list goes to standard output.
    json_to_stderr: bool,
    state: Mutex<BTreeMap<PullId, Shown>>,
}

enum Form {
    Live(MultiProgress),
    Plain,
    Json,
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
            (false, true) => Form::Live(MultiProgress::new()),
            (false, false) => Form::Plain,
        };
        Self { form, json_to_stderr: list_to_stdout, state: Mutex::default() }
    }

    pub(crate) fn progress(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let shown = state.entry(progress.pull.clone()).or_insert_with(|| Shown {
            progress: progress.clone(),
            at: now,
            printed: None,
            bar: self.bar(),
        });
        let news =
            progress.last_page_seen != shown.progress.last_page_seen || shown.printed.is_none();
        (shown.progress, shown.at) = (progress, now);
        match &self.form {
            Form::Live(_) => self.draw(shown),
            Form::Plain if news || shown.printed.is_none_or(|at| now - at >= LINE_EVERY) => {
                shown.printed = Some(now);
                say!("{}", line(&shown.progress, Duration::ZERO));
            }
            Form::Plain => {}
            Form::Json => {
                shown.printed = Some(now);
                self.json(&json_line(&shown.progress));
            }
        }
    }

    /// Time passes: live lines show how long nothing came.
    pub(crate) fn tick(&self) {
        if let Form::Live(_) = self.form {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.values().for_each(|shown| self.draw(shown));
        }
    }

    pub(crate) fn summary(&self, summary: &Summary, pull: &PullId) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.remove(pull).and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
        match &self.form {
            Form::Json => self.json(summary),
            Form::Live(lines) => {
                lines.suspend(|| say::to_person(format_args!("{}", summary.to_text())))
            }
            Form::Plain => say::to_person(format_args!("{}", summary.to_text())),
        }
    }

    /// Reports a pull that a signal interrupted.
    pub(crate) fn interrupted(&self, pull: &PullId, progress: Option<&Progress>, came: &Came) {
        const WHY: &str = "interrupted; run the same command again to resume";
        let Some(progress) = progress else {
            return say!("qopen: {pull}: {WHY}");
        };
        let mut summary = Summary::new(&Status::Cancelled, progress, came);
        (summary.why, summary.error) = (WHY.into(), Some(WHY.into()));
        self.summary(&summary, pull);
    }

    fn bar(&self) -> Option<ProgressBar> {
        let Form::Live(lines) = &self.form else {
            return None;
        };
        let bar = lines.add(ProgressBar::new_spinner());
        // The template is a constant that holds.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Some(bar)
    }

    fn draw(&self, shown: &Shown) {
        if let Some(bar) = &shown.bar {
            bar.set_message(line(&shown.progress, shown.at.elapsed()));
            bar.tick();
        }
    }

    fn json(&self, object: &impl Serialize) {
        // Plain data always encodes; a reader that has gone away is no reason to stop pulling.
        let text = serde_json::to_string(object).unwrap_or_default();
        match self.json_to_stderr {
            true => say::object_to_person(&text),
            false => answer!("{text}"),
        }
    }
}

fn line(progress: &Progress, since: Duration) -> String {
    let quiet = (progress.quiet + since).as_secs();
    let Progress { pages, accounts, duplicate_pages, .. } = progress;
    let wanted = waiting_for(progress.waiting_for);
    format!(
        "{}: {pages} pages, {accounts} customers, {duplicate_pages} duplicates; {quiet} s since the last; waiting for {wanted}",
        progress.pull.robot_id
    )
}

fn json_line(progress: &Progress) -> ProgressLine<'_> {
    ProgressLine {
        r#type: "progress",
        robot_id: progress.pull.robot_id.as_str(),
        mark_id: progress.pull.mark_id.as_str(),
        pages: progress.pages,
        accounts: progress.accounts,
        duplicate_pages: progress.duplicate_pages,
        last_page_seen: progress.last_page_seen,
        waiting_for: waiting_for(progress.waiting_for),
        elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

pub(crate) fn waiting_for(what: WaitingFor) -> &'static str {
    match what {
        WaitingFor::Acceptance => "the request to be accepted",
        WaitingFor::FirstPage => "the first page",
        WaitingFor::LastPage => "the last page",
        WaitingFor::OwedPages => "a page that could not be kept",
        WaitingFor::UnreadablePages => "a page that can be read",
        WaitingFor::Identification => "accounts with a readable id",
        WaitingFor::MoreAccounts => "more customers",
        WaitingFor::Quiet => "quiet",
        _ => "nothing",
    }
}
