//! Results of the checks.

use crate::exit::{Exit, Failure};
use crate::lang::Phrase;
use crate::say::answer;

/// The failures so far.
#[derive(Default)]
pub(super) struct Report {
    exits: Vec<Exit>,
    /// Settings that a line has named already.
    faulty: Vec<&'static str>,
}

impl Report {
    /// Prints a setting that cannot be used.
    pub(super) fn fault(&mut self, failure: &Failure) {
        self.faulty.extend(failure.setting());
        self.fail("", failure);
    }

    /// Prints the result of a check. A failure of a setting that a line has named already adds no line.
    pub(super) fn check<T: Into<Phrase>>(
        &mut self,
        what: impl Into<Phrase>,
        result: Result<T, Failure>,
    ) {
        match result {
            Ok(fine) => answer!("ok    {}", Phrase::about(what, fine).shown()),
            Err(failure) if failure.setting().is_some_and(|it| self.faulty.contains(&it)) => {}
            Err(failure) => {
                self.fail(Phrase::about(what, Phrase::default()).shown(), &failure);
            }
        }
    }

    pub(super) fn fail(&mut self, what: &str, failure: &Failure) {
        self.exits.push(failure.exit);
        let (message, topic) = (failure.message().shown(), failure.topic().name);
        let (first, rest) = message.split_at(message.find('\n').unwrap_or(message.len()));
        answer!("FAIL  {what}{first} [{topic}]{}", rest.replace('\n', "\n    "));
    }

    pub(super) fn exit(&self) -> Exit {
        match self.exits.contains(&Exit::Usage) {
            true => Exit::Usage,
            false => Exit::worst(self.exits.iter().copied()),
        }
    }
}
