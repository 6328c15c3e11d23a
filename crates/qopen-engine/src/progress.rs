//! An open pull's figures.

use std::time::Duration;

use qopen_assembler::{Figures, Time, WaitingFor};
use qopen_types::PullId;

/// A pull's figures at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The pull.
    pub pull: PullId,
    /// Its figures.
    pub figures: Figures,
    /// What the pull waits for.
    pub waiting_for: WaitingFor,
    /// Time since its start.
    pub elapsed: Duration,
    /// Time since its last callback.
    pub quiet: Duration,
    /// Time until it ends if nothing happens. `None` after its end. A refusal or an outage of the journal may
    /// extend it without a change of the figures.
    pub due_in: Option<Duration>,
}

impl Progress {
    /// Reads the progress of a pull; a pull that the assembler does not know has just begun.
    pub(crate) fn new(
        pull: &PullId,
        found: Option<qopen_assembler::PullProgress>,
        now: Time,
    ) -> Self {
        Self {
            pull: pull.clone(),
            figures: found.map(|it| it.figures).unwrap_or_default(),
            waiting_for: found.map_or(WaitingFor::FirstPage, |it| it.waiting_for),
            elapsed: found.map_or(Duration::ZERO, |it| now.since(it.started)),
            quiet: found.map_or(Duration::ZERO, |it| now.since(it.last_activity)),
            due_in: found.and_then(|it| it.due).map(|due| due.since(now)),
        }
    }
}
