//! What a journal notes about a list.

use qopen_types::{MarkId, RobotId, StorageId};

/// A note that a journal makes of a pull under a claim, such as that the pull's list was published.
///
/// A sink that is kept in the journal's storage commits the note with the list, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimedNote {
    /// The storage that keeps the journal.
    pub storage: StorageId,
    /// The pull's robot.
    pub robot_id: RobotId,
    /// The pull's mark.
    pub mark_id: MarkId,
    /// The epoch of the claim. A greater one of another worker fences the note.
    pub epoch: i64,
    /// The note, as JSON.
    pub note: String,
}

impl ClaimedNote {
    /// A note of a journal in that storage.
    #[must_use]
    pub fn new(
        storage: StorageId,
        robot_id: &RobotId,
        mark_id: &MarkId,
        epoch: i64,
        note: String,
    ) -> Self {
        Self { storage, robot_id: robot_id.clone(), mark_id: mark_id.clone(), epoch, note }
    }
}

/// What the completeness of a published list rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListBasis {
    /// The evidence as a JSON object, if it is known.
    pub evidence: Option<String>,
    /// The same in one sentence.
    pub sentence: String,
}

impl ListBasis {
    /// A basis in one sentence, and its evidence as a JSON object.
    #[must_use]
    pub fn new(sentence: impl Into<String>, evidence: Option<String>) -> Self {
        Self { evidence, sentence: sentence.into() }
    }
}
