//! Figures and events of pulls, as Python's classes.

use std::fmt::Debug;

use pyo3::prelude::*;
use qopen_assembler::{Anomaly, Basis, Event, Failure, PullKey, PullProgress, Time};

use crate::event::hex;
use crate::seconds::seconds;

/// A pull's state and figures at a moment.
#[pyclass(frozen, get_all, eq, module = "qopen")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    state: String,
    waiting_for: String,
    pages: usize,
    accounts: usize,
    duplicate_pages: u64,
    conflicts: usize,
    unreadable_pages: usize,
    owed_pages: usize,
    unidentified: usize,
    refusals: u64,
    last_page_seen: bool,
    revision: u32,
    revising: bool,
    started: f64,
    last_activity: f64,
    due: Option<f64>,
}

impl From<PullProgress> for Progress {
    fn from(it: PullProgress) -> Self {
        let figures = it.figures;
        Self {
            state: name_of(&it.state),
            waiting_for: name_of(&it.waiting_for),
            pages: figures.pages,
            accounts: figures.accounts,
            duplicate_pages: figures.duplicate_pages,
            conflicts: figures.conflicts,
            unreadable_pages: figures.unreadable_pages,
            owed_pages: figures.owed_pages,
            unidentified: figures.unidentified,
            refusals: figures.refusals,
            last_page_seen: figures.last_page_seen,
            revision: figures.revision,
            revising: figures.revising,
            started: time(it.started),
            last_activity: time(it.last_activity),
            due: it.due.map(time),
        }
    }
}

#[pymethods]
impl Progress {
    fn __repr__(&self) -> String {
        let Self { state, waiting_for, pages, accounts, .. } = self;
        format!(
            "<qopen.Progress {state}, waiting for {waiting_for}, {pages} pages, {accounts} accounts>"
        )
    }
}

/// Why a list counts as complete.
#[pyclass(frozen, get_all, eq, module = "qopen")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evidence {
    quiet: Option<f64>,
    expected: Option<u64>,
    declared: bool,
    implied_end: bool,
    refusals: u64,
    outage: f64,
    unidentified: usize,
    earlier: bool,
    interrupted: bool,
}

impl From<Basis> for Evidence {
    fn from(it: Basis) -> Self {
        Self {
            quiet: it.quiet.map(seconds),
            expected: it.expected,
            declared: it.declared,
            implied_end: it.implied_end,
            refusals: it.refusals,
            outage: seconds(it.outage),
            unidentified: it.unidentified,
            earlier: it.earlier,
            interrupted: it.interrupted,
        }
    }
}

#[pymethods]
impl Evidence {
    /// One line for people.
    fn __str__(&self) -> String {
        let last = if self.implied_end { "an implied last page" } else { "last page" };
        let parts = [
            self.quiet.map(|quiet| format!("quiet {quiet} s")),
            self.declared.then(|| "declared end".to_owned()),
            self.expected.map(|expected| format!("expected count {expected}")),
            (self.refusals > 0).then(|| format!("in spite of {} refusals", self.refusals)),
            (self.outage > 0.0).then(|| format!("in spite of an outage of {} s", self.outage)),
            (self.unidentified > 0).then(|| format!("without {} unidentified", self.unidentified)),
            self.earlier.then(|| "complete in an earlier run".to_owned()),
            self.interrupted.then(|| "in spite of an interruption".to_owned()),
        ];
        let parts = parts.into_iter().flatten();
        parts.fold(last.to_owned(), |line, part| format!("{line} + {part}"))
    }

    fn __repr__(&self) -> String {
        format!("<qopen.Evidence: {}>", self.__str__())
    }
}

/// Makes a class of an event, with the pull's name and further fields.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[pyclass(frozen, get_all, module = "qopen")]
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            robot: String,
            mark: String,
            $($field: $type,)*
        }

        #[pymethods]
        impl $name {
            fn __repr__(&self) -> String {
                let (robot, mark) = (&self.robot, &self.mark);
                format!(concat!("<qopen.", stringify!($name), " of robot {} mark {}>"), robot, mark)
            }
        }
    };
}

event! {
    /// A pull's progress changed.
    Progressed {}
}
event! {
    /// A list is complete, as far as any evidence tells.
    Completed { evidence: Evidence, progress: Progress }
}
event! {
    /// A pull ended without a complete list.
    Failed { reason: String, code: Option<i64>, message: Option<String>, progress: Progress }
}
event! {
    /// A page came after the pull had failed.
    Reopened {}
}
event! {
    /// Late pages made a new revision of a complete list.
    Revised { revision: u32 }
}
event! {
    /// An ended pull was forgotten.
    Forgotten {}
}

/// A fact that fits no pull, or no open one.
#[pyclass(frozen, get_all, module = "qopen")]
#[derive(Clone, Debug)]
pub(crate) struct Stray {
    reason: String,
    robot: Option<String>,
    mark: Option<String>,
    digest: Option<String>,
    code: Option<i64>,
    message: Option<String>,
}

#[pymethods]
impl Stray {
    fn __repr__(&self) -> String {
        format!("<qopen.Stray: {}>", self.reason)
    }
}

/// What became of pulls.
#[derive(Debug, IntoPyObject)]
pub(crate) enum Outcome {
    Progressed(Progressed),
    Completed(Completed),
    Failed(Failed),
    Reopened(Reopened),
    Revised(Revised),
    Forgotten(Forgotten),
    Stray(Stray),
}

impl Outcome {
    /// `None` for an event that the package does not show.
    pub(crate) fn of<T>(event: Event<T>) -> Option<Self> {
        let names = |key: PullKey| (key.robot().to_owned(), key.mark().to_owned());
        Some(match event {
            Event::Progressed { key } => {
                let (robot, mark) = names(key);
                Self::Progressed(Progressed { robot, mark })
            }
            Event::Completed { key, basis, progress } => {
                let (robot, mark) = names(key);
                let (evidence, progress) = (basis.into(), progress.into());
                Self::Completed(Completed { robot, mark, evidence, progress })
            }
            Event::Failed { key, failure, progress } => {
                let (robot, mark) = names(key);
                let (reason, progress) = (name_of(&failure), progress.into());
                let (code, message) = match failure {
                    Failure::Reported { code, message } => (Some(code), Some(message)),
                    _ => (None, None),
                };
                Self::Failed(Failed { robot, mark, reason, code, message, progress })
            }
            Event::Reopened { key } => {
                let (robot, mark) = names(key);
                Self::Reopened(Reopened { robot, mark })
            }
            Event::Revised { key, revision, .. } => {
                let (robot, mark) = names(key);
                Self::Revised(Revised { robot, mark, revision })
            }
            Event::Forgotten { key } => {
                let (robot, mark) = names(key);
                Self::Forgotten(Forgotten { robot, mark })
            }
            Event::Anomaly(anomaly) => Self::Stray(anomaly.into()),
            _ => return None,
        })
    }
}

impl From<Anomaly> for Stray {
    fn from(anomaly: Anomaly) -> Self {
        let reason = name_of(&anomaly);
        let of_report = |robot, mark, code, message| Self {
            reason: reason.clone(),
            robot: Some(robot).filter(|robot: &String| !robot.is_empty()),
            mark,
            digest: None,
            code: Some(code),
            message: Some(message),
        };
        let (key, page) = match anomaly {
            Anomaly::AmbiguousError { robot, code, message } => {
                return of_report(robot, None, code, message);
            }
            Anomaly::UnmatchedError { robot, mark, code, message } => {
                return of_report(robot, mark, code, message);
            }
            Anomaly::UnknownMark { key } | Anomaly::Conflict { key, .. } => (Some(key), None),
            Anomaly::PageAfterFailure { key, page }
            | Anomaly::UnfoldedAfterEnd { key, page }
            | Anomaly::LatePageOverLimit { key, page } => (Some(key), Some(page)),
            _ => (None, None),
        };
        let robot = key.as_ref().map(|key| key.robot().to_owned());
        let mark = key.as_ref().map(|key| key.mark().to_owned());
        Self { reason, robot, mark, digest: page.map(hex), code: None, message: None }
    }
}

fn time(time: Time) -> f64 {
    seconds(time.to_duration())
}

/// The name of a value's variant, as Python spells names: `last_page_missing`.
pub(crate) fn name_of(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let mut name = String::new();
    for letter in text[..end].chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
