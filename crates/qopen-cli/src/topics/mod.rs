//! What each exit code, reason and warning means, and what to do: one table, from which `qopen explain NAME` and
//! the pages `docs/ERRORS.md` and `docs/ERRORS.zh.md` come.

use qopen::callback::RejectReason;
use qopen::journal::{EndReason, Layer};
use serde::{Serialize, Serializer};

use crate::lang::{Lang, Text};

/// Declares topics: `NAME "anchor" { title, title in Chinese; meaning …; advice …; }`, then the topics to see also and
/// the messages of the log that it explains.
macro_rules! topics {
    ($($name:ident $anchor:literal {
        $title:literal, $title_zh:literal;
        $meaning:literal, $meaning_zh:literal;
        $advice:literal, $advice_zh:literal;
    } $(see [$($see:literal),*])? $(log [$($log:literal),* $(,)?])?;)*) => {
        $(pub(crate) static $name: $crate::topics::Topic = $crate::topics::Topic {
            name: $anchor,
            title: $crate::lang::Text::new($title, $title_zh),
            meaning: $crate::lang::Text::new($meaning, $meaning_zh),
            advice: $crate::lang::Text::new($advice, $advice_zh),
            see: &[$($($see),*)?],
            log: &[$($($log),*)?],
        };)*

        /// Every topic of the file, in the order of the pages.
        pub(super) static ALL: &[&$crate::topics::Topic] = &[$(&$name),*];
    };
}

pub(crate) mod callbacks;
pub(crate) mod exits;
pub(crate) mod lists;
pub(crate) mod log;
#[cfg(test)]
mod page;
pub(crate) mod quarantine;
pub(crate) mod warnings;

/// An exit code, a reason or a warning.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The anchor in the pages. Names are a contract.
    pub(crate) name: &'static str,
    pub(crate) title: Text,
    meaning: Text,
    advice: Text,
    /// Names of topics to read also.
    see: &'static [&'static str],
    /// Messages of the log that it explains, word for word.
    #[cfg_attr(not(test), expect(dead_code, reason = "the pages have them"))]
    log: &'static [&'static str],
}

/// A part of the pages.
struct Section {
    #[cfg_attr(not(test), expect(dead_code, reason = "the pages have it"))]
    title: Text,
    topics: &'static [&'static Topic],
}

static SECTIONS: [Section; 6] = [
    Section { title: Text::new("Exit codes", "退出码"), topics: exits::ALL },
    Section { title: Text::new("Lists", "列表"), topics: lists::ALL },
    Section { title: Text::new("Callbacks", "回调"), topics: callbacks::ALL },
    Section { title: Text::new("Quarantine", "隔离区"), topics: quarantine::ALL },
    Section { title: Text::new("Settings and warnings", "设置与警告"), topics: warnings::ALL },
    Section { title: Text::new("Log", "日志"), topics: log::ALL },
];

/// Every topic, in the order of the pages.
pub(crate) fn all() -> impl Iterator<Item = &'static Topic> {
    SECTIONS.iter().flat_map(|it| it.topics).copied()
}

/// Returns the topic of a name, in whatever case and with `_` for `-`.
pub(crate) fn named(name: &str) -> Option<&'static Topic> {
    let name = name.to_lowercase().replace('_', "-");
    all().find(|it| it.name == name)
}

/// Returns the topic whose name a mistyped one resembles.
pub(crate) fn nearest(name: &str) -> Option<&'static Topic> {
    let name = name.to_lowercase().replace('_', "-");
    let distance = |it: &&Topic| strsim::osa_distance(it.name, &name);
    all().min_by_key(distance).filter(|it| distance(it) <= 3 && distance(it) * 3 <= name.len())
}

impl Topic {
    /// The topic for a terminal of this width.
    pub(crate) fn to_text(&self, lang: Lang, width: usize) -> String {
        let Self { name, title, meaning, advice, see, .. } = self;
        let [todo, also] = [TODO, ALSO].map(|it| it.of(lang));
        let (title, meaning, advice) = (title.of(lang), meaning.of(lang), advice.of(lang));
        let mut text = format!("{name}: {title}\n\n{meaning}\n\n{todo}{advice}\n");
        if !see.is_empty() {
            let names: Vec<_> = see.iter().map(|it| format!("qopen explain {it}")).collect();
            text.push_str(&format!("\n{also}{}\n", names.join(", ")));
        }
        wrapped(&text, width)
    }
}

/// Breaks lines that are too wide, at a space or behind a Chinese punctuation mark.
fn wrapped(text: &str, width: usize) -> String {
    let columns = console::measure_text_width;
    let mut out = String::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_inclusive([' ', '。', '；', '，', '、', '：']) {
            if columns(&line) + columns(word.trim_end()) > width {
                out.push_str(line.trim_end());
                out.push('\n');
                line.clear();
            }
            line.push_str(word);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Programs read its name.
impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

const TODO: Text = Text::new("What to do: ", "处理办法：");
const ALSO: Text = Text::new("See also: ", "另见：");

/// The topic of a rejection.
pub(crate) fn of_rejection(reason: RejectReason) -> &'static Topic {
    match reason {
        RejectReason::Malformed => &callbacks::MALFORMED,
        RejectReason::AppKey => &callbacks::APP_KEY,
        RejectReason::Signature => &callbacks::SIGNATURE,
        RejectReason::Stale => &callbacks::STALE,
        RejectReason::Undecryptable => &callbacks::UNDECRYPTABLE,
        RejectReason::Body => &callbacks::BODY,
        RejectReason::Compressed => &callbacks::COMPRESSED,
        RejectReason::NoRoom => &callbacks::NO_ROOM,
        RejectReason::Payload => &callbacks::PAYLOAD,
        RejectReason::Unavailable => &callbacks::UNAVAILABLE,
        // A test names each reason that is missing.
        _ => &callbacks::REJECTED,
    }
}

/// The topic of the layer at which an item of the quarantine could not be read.
pub(crate) fn of_layer(layer: Layer) -> &'static Topic {
    match layer {
        Layer::Content => &quarantine::CONTENT,
        Layer::Text => &quarantine::TEXT,
        Layer::Json => &quarantine::JSON,
        Layer::Shape => &quarantine::SHAPE,
        Layer::Pull => &quarantine::PULL,
        Layer::Lost => &quarantine::LOST,
        // A test names each layer that is missing.
        _ => &callbacks::UNREADABLE,
    }
}

/// The topic of the end of a pull.
pub(crate) fn of_end(reason: &EndReason) -> &'static Topic {
    match reason {
        EndReason::NoCallback => &exits::NO_CALLBACK,
        EndReason::LastPageMissing => &lists::LAST_PAGE_MISSING,
        EndReason::FewerThanExpected { .. } => &lists::FEWER_THAN_EXPECTED,
        EndReason::UnreadablePages => &lists::UNREADABLE_PAGES,
        EndReason::UnidentifiedAccounts { .. } => &lists::UNIDENTIFIED_ACCOUNTS,
        EndReason::OwedPages => &lists::OWED_PAGES,
        EndReason::Deadline => &lists::DEADLINE,
        EndReason::LimitReached => &lists::LIMIT_REACHED,
        EndReason::Reported { .. } => &exits::REPORTED,
        EndReason::Refused => &exits::REFUSED,
        EndReason::NotSent => &lists::NOT_SENT,
        EndReason::Cancelled => &lists::CANCELLED,
        _ => &exits::INCOMPLETE,
    }
}
