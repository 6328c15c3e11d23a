//! Facts about a pull.

use std::fmt;
use std::time::{Duration, SystemTime};

use qopen_types::{AccountId, ChangeCounts, Digest, MarkId, RobotId};
use serde::{Deserialize, Serialize};

use crate::reason::EndReason;
use crate::repeat::Repeat;

/// A fact about a pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// It is about to be requested.
    Started(Started),
    /// The request of an [unsent](Started::unsent) pull is about to be sent.
    Requested,
    /// Another system requested it, and it is collected here.
    Adopted,
    /// The platform has accepted the request.
    Accepted {
        /// The platform's serial number, if it gave one.
        serial_no: Option<String>,
    },
    /// The platform reported an error for it.
    Reported {
        /// The platform's code.
        code: i64,
        /// The platform's message.
        message: String,
        /// The digest of the report, and when it was signed, in seconds since the Unix epoch by the
        /// platform's clock: the same report counts once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// See `digest`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed_at: Option<u64>,
    },
    /// A quarantined item may be a page of it: it is not complete until the item is read or
    /// released.
    Doubted {
        /// The digest of the item.
        item: Digest,
        /// Whether the item stands for pages that the journal has lost: nothing can read them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lost: bool,
    },
    /// An item no longer counts against it.
    Released {
        /// The digest of the item.
        item: Digest,
        /// Whether it was read after all; otherwise a person has waived it.
        read: bool,
    },
    /// It ended.
    Ended {
        /// The state that it ended in.
        status: EndState,
        /// Why, in a sentence.
        why: String,
        /// How many accounts it had.
        accounts: u64,
        /// How many different pages it had.
        pages: u64,
        /// The evidence for a complete list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
        /// Why the list is not complete, as data. `None` in notes of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<EndReason>,
    },
    /// An ended pull was resumed.
    Resumed,
    /// A caller wants it to end with what is there.
    CancelRequested,
    /// Its sequence number in the order of lists at a location. The location gives one before the request is sent,
    /// and may give a greater one with the publication. The last note counts.
    Ordered {
        /// Where its list goes, as the sink names it.
        location: String,
        /// The number that the location gave: later pulls have greater ones.
        order: u64,
    },
    /// The list of another pull of the robot, which was requested just before it, has the same customers.
    Confirmed {
        /// The mark of the other pull.
        by: MarkId,
    },
    /// A publication of its complete list was requested, published before or not.
    PublicationRequested,
    /// Its complete list was not published, because the place holds the list of a later pull.
    Superseded {
        /// The later pull's mark, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<MarkId>,
        /// The revision that is not published.
        revision: u32,
    },
    /// Its complete list was not published: more customers are gone than the guard allows, the
    /// platform still has some of them, no other pull confirmed it, or it leaves out robots of the last list.
    Held {
        /// The revision that is not published.
        revision: u32,
        /// How many different pages it was made from.
        pages: u64,
        /// Customers of the last complete list that it lacks.
        gone: u64,
        /// Customers of the last complete list.
        before: u64,
        /// Customers among the gone ones that the platform still has.
        #[serde(default)]
        present: u64,
        /// Whether it is held because no other pull confirmed it.
        #[serde(default)]
        unconfirmed: bool,
        /// Robots of the last list that the held one leaves out, at most 1,000.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<RobotId>,
        /// The location of the held list, if the sink keeps one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
    },
    /// The platform was asked about customers whom its list lacks, in the order of their ids.
    GoneAsked {
        /// The digest of all customers whom it lacks: the question goes on only for the same ones.
        gone: Digest,
        /// The last customer that the platform was asked about.
        through: AccountId,
        /// Customers that it was asked about.
        asked: u64,
        /// Customers among them that the platform still has.
        present: u64,
    },
    /// A person wants its held list published.
    HeldAccepted,
    /// Its complete list was published.
    Published {
        /// The revision of the list.
        revision: u32,
        /// How many accounts it has.
        accounts: u64,
        /// How many different pages it was made from.
        pages: u64,
        /// The location, as the sink names it.
        location: String,
        /// Accounts and pages that could not be read, and are not in it.
        #[serde(default)]
        set_aside: u64,
        /// Changes since the earlier published revision, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changes: Option<Changes>,
        /// How it differs from the last complete list of its place, if the place keeps one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compared: Option<Comparison>,
        /// The evidence on which it was published. `None` in notes of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
    },
}

/// The state in which a pull ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// Its list has every customer, on the evidence that the note names.
    Complete,
    /// Its list has some customers.
    Incomplete,
    /// It has no list.
    Failed,
    /// A state that a later version of this crate wrote. It is not complete.
    #[serde(untagged)]
    Unknown(String),
}

impl EndState {
    /// The state as the journal spells it: `complete`, `incomplete` or `failed`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Unknown(state) => state,
        }
    }
}

impl fmt::Display for EndState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The evidence that a list is complete, and what weakens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Evidence {
    /// Quiet after the last page, in milliseconds; `None` if the caller declared the end.
    pub quiet_ms: Option<u64>,
    /// The number of accounts that was expected, and reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_accounts: Option<u64>,
    /// Whether the last page was implied: a page did not say whether more follow, and none said `false`.
    pub implied_end: bool,
    /// Callbacks that were refused while the pull was open.
    pub refused_callbacks: u64,
    /// Time in which the journal did not answer, in milliseconds.
    pub outage_ms: u64,
    /// Accounts without a readable id that the list lacks, as the caller allowed.
    pub unidentified: u64,
    /// Whether no process received callbacks for a while.
    pub interrupted: bool,
    /// The mark of the pull that brought the same customers just before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<MarkId>,
    /// Whether the platform confirmed by id that the customers of the last list whom it lacks have left.
    /// `None` if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_verified: Option<bool>,
    /// Whether a guard held the list, and a person accepted it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}

/// How a list differs from an earlier revision of it. No account ever goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "a list that only grows changes in these two ways")]
pub struct Changes {
    /// Accounts that were not there.
    pub added: u64,
    /// Accounts of which another content counts.
    pub changed: u64,
}

/// How a published list differs from the robot's last complete list in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Whether there was no list to compare with: later changes count from this one.
    #[serde(default)]
    pub baseline: bool,
    /// The pull of the earlier list, if it is known.
    #[serde(default)]
    pub since: Option<MarkId>,
    /// The changes.
    #[serde(flatten)]
    pub counts: ChangeCounts,
    /// Whether the platform confirmed by id that all customers who are gone have left. `None` if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_verified: Option<bool>,
}

impl Comparison {
    /// The comparison with the list of `since`.
    #[must_use]
    pub fn new(since: Option<MarkId>, counts: ChangeCounts) -> Self {
        Self { baseline: false, since, counts, gone_verified: None }
    }

    /// The comparison of a first list.
    #[must_use]
    pub fn baseline() -> Self {
        Self { baseline: true, ..Self::default() }
    }
}

/// How a pull was started: all that is needed to resume it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Started {
    /// Whether tags were asked for.
    pub need_tag_info: bool,
    /// Quiet after the last page that makes the list complete.
    pub settle: Duration,
    /// Silence after which the pull ends.
    pub idle_timeout: Duration,
    /// Longest duration of the pull.
    pub deadline: Duration,
    /// The list must have at least this many accounts to be complete.
    pub expect_accounts: Option<u64>,
    /// Accounts without a readable id that the list may lack.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allow_unidentified: u64,
    /// Text for the process that resumes the pull, such as the list's place.
    pub label: Option<String>,
    /// The process that resumes the pull first sends the request; the starter does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// Its position among the pulls of one list.
    #[serde(default, skip_serializing_if = "Repeat::is_first")]
    pub repeat: Repeat,
}

impl Started {
    /// Without tags, without an expected number, without a label.
    #[must_use]
    pub fn new(settle: Duration, idle_timeout: Duration, deadline: Duration) -> Self {
        Self {
            need_tag_info: false,
            settle,
            idle_timeout,
            deadline,
            expect_accounts: None,
            allow_unidentified: 0,
            label: None,
            unsent: false,
            repeat: Repeat::first(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A fact, and when it was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it is these two")]
pub struct Noted {
    /// When the journal took it.
    pub at: SystemTime,
    /// The fact.
    pub note: Note,
}

#[cfg(test)]
mod tests {
    use super::EndState;

    /// Journals of earlier versions have these texts, and journals of later ones may have others.
    #[test]
    fn an_end_state_is_the_text_that_it_was() {
        let later = EndState::Unknown("paused".into());
        for state in [EndState::Complete, EndState::Incomplete, EndState::Failed, later] {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(serde_json::from_str::<EndState>(&json).unwrap(), state);
        }
    }

    #[test]
    fn a_note_with_an_unknown_end_state_is_read() {
        use super::Note;
        let json = r#"{"note":"ended","status":"paused","why":"","accounts":1,"pages":1}"#;
        let note: Note = serde_json::from_str(json).unwrap();
        assert!(
            matches!(&note, Note::Ended { status: EndState::Unknown(it), .. } if it == "paused")
        );
        assert_eq!(serde_json::to_string(&note).unwrap(), json);
    }
}
