//! The log lines of an outage: one at its start, one for each minute, and one at its end.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qopen_journal::JournalError;
use tokio::time::Instant;

/// Time between two lines, unless the second is the first outage's end.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Counts the callbacks that the journal does not keep. Clones share the count.
#[derive(Clone, Default)]
pub(super) struct OutageLog(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    ongoing: Option<Ongoing>,
    /// When the log said that the last outage had ended.
    ended: Option<Instant>,
}

/// An outage.
struct Ongoing {
    began: Instant,
    refused: u64,
    last_line: Instant,
    /// Whether it began within a minute of the last one, so that the log has no line about its start.
    is_again: bool,
}

impl OutageLog {
    /// Counts a callback that was not kept.
    pub(super) fn refused(&self, error: &JournalError) {
        let (now, error) = (Instant::now(), error as &dyn Error);
        let mut state = self.state();
        let Some(it) = &mut state.ongoing else {
            let last = state.ended.filter(|ended| now.duration_since(*ended) < LINE_EVERY);
            let (last_line, is_again) = (last.unwrap_or(now), last.is_some());
            state.ongoing = Some(Ongoing { began: now, refused: 1, last_line, is_again });
            let what = "a callback could not be kept; the platform will send it again";
            return match is_again {
                true => tracing::debug!(error, "{what}"),
                false => tracing::error!(error, "{what}"),
            };
        };
        it.refused += 1;
        if now.duration_since(it.last_line) < LINE_EVERY {
            return;
        }
        it.last_line = now;
        let (refused, seconds) = (it.refused, now.duration_since(it.began).as_secs());
        tracing::error!(refused, seconds, error, "callbacks still cannot be kept");
    }

    /// Ends an outage: the journal kept something.
    pub(super) fn kept(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let may_say =
            |it: &mut Ongoing| !it.is_again || now.duration_since(it.last_line) >= LINE_EVERY;
        if let Some(Ongoing { began, refused, .. }) = state.ongoing.take_if(may_say) {
            state.ended = Some(now);
            let seconds = now.duration_since(began).as_secs();
            // At this level the line is shown wherever the first one is.
            tracing::error!(refused, seconds, "callbacks are kept again");
        }
    }

    /// Held to count and to write a line, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
