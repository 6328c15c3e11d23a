//! Results of the checks.

use qopen::types::Upgrade;

use crate::exit::{Exit, Failure};
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
    pub(super) fn check(&mut self, what: &str, result: Result<String, Failure>) {
        match result {
            Ok(fine) => answer!("ok    {what}: {fine}"),
            Err(failure) if failure.setting().is_some_and(|it| self.faulty.contains(&it)) => {}
            Err(failure) => self.fail(&format!("{what}: "), &failure),
        }
    }

    /// Prints what the first use by this version does to a format.
    pub(super) fn change(&mut self, what: &str, upgrade: &Upgrade) {
        let is_fine = upgrade.is_nothing() || upgrade.found.is_none();
        let word = if is_fine { "ok   " } else { "WARN " };
        answer!("{word} {what}: {upgrade}");
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
