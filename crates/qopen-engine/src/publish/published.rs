//! What was published, or why nothing was.

use qopen_journal::{Changes, JournalError, PullId};
use qopen_sink::{Quarantine, SinkError};
use qopen_types::{MarkId, Readings, RobotId};

/// Why a list was not published. What was there before is there still.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The sink could not write it.
    #[error("the list could not be written")]
    Sink(#[source] SinkError),
    /// Its pages could not be read back.
    #[error("the pages could not be read from the journal")]
    Journal(#[source] JournalError),
    /// Pages that were folded are no longer in the journal: the list would lack their accounts.
    #[error("the journal holds only {found} of the {expected} accounts that were folded")]
    PagesMissing {
        /// Accounts that were folded.
        expected: usize,
        /// Accounts whose pages are still there.
        found: usize,
    },
    /// A list was followed under a claim that no longer counts, and another worker publishes it.
    #[error("another worker publishes the pull's list")]
    Fenced,
    /// The place already holds the list of a later pull. The journal notes it; the pull is done.
    #[error("the list of {pull} was not published: {} was published there before", later(by.as_ref()))]
    Superseded {
        /// The pull whose list is not published.
        pull: PullId,
        /// The later one, where it is known.
        by: Option<MarkId>,
    },
    /// The complete list is empty, and would replace one that is not.
    #[error(
        "the list of robot {robot} is empty, and the one that it would replace is not; --allow-empty publishes it"
    )]
    Empty {
        /// The robot.
        robot: RobotId,
    },
    /// The runtime shut down before it was done.
    #[error("the runtime shut down before the list was written")]
    Shutdown,
}

impl PublishError {
    /// Whether publishing the same list again must fail again, because of the list itself or of a later
    /// one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Superseded { .. } | Self::Empty { .. })
    }
}

fn later(by: Option<&MarkId>) -> String {
    by.map_or_else(|| "a later pull".to_owned(), |mark| format!("the later pull {mark}"))
}

/// What was published.
#[derive(Debug)]
#[non_exhaustive]
pub struct Published {
    /// Where, as the sink names it.
    pub location: String,
    /// Each list's figures, in the order they were given.
    pub lists: Vec<PublishedList>,
    /// Where what could not be read is, for messages, where the sink has put it in its place; `None`
    /// where there is nothing, or it is in [`quarantine`](Self::quarantine).
    pub set_aside: Option<String>,
    /// Where the sink has no place for them, the accounts and pages that could not be read: one JSON
    /// object a line, `robot_id`, `mark_id`, `reason`, and the account or page as it came, `raw`.
    pub quarantine: Quarantine,
}

/// What was published of one pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedList {
    /// The pull.
    pub id: PullId,
    /// Which revision.
    pub revision: u32,
    /// Accounts written.
    pub accounts: u64,
    /// Different pages that they were on.
    pub pages: u64,
    /// Accounts and pages that could not be read.
    pub quarantined: u64,
    /// Fields of accounts that could not be read, and are in the list as they came.
    pub unread_fields: u64,
    /// What had to be read otherwise than plainly in its accounts.
    pub readings: Readings,
    /// What is different from the revision that was published before, where there was one.
    pub changes: Option<Changes>,
}
