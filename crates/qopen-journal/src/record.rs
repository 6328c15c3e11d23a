//! What a journal holds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use qopen_types::{Digest, MarkId, RobotId};
use serde::{Deserialize, Serialize};

/// Which pull: the robot, and the mark of the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "it is these two names")]
pub struct PullId {
    /// The robot that was asked about.
    pub robot_id: RobotId,
    /// The mark that names the request.
    pub mark_id: MarkId,
}

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "robot {} mark {}", self.robot_id, self.mark_id)
    }
}

/// An opened payload, shared rather than copied. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<String>);

impl Payload {
    /// Takes the text without copying it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload(<{} bytes>)", self.0.len())
    }
}

/// A page as it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRecord {
    /// The pull it belongs to.
    pub pull: PullId,
    /// The digest of its payload, by which copies are told.
    pub digest: Digest,
    /// Its payload.
    pub payload: Payload,
}

impl PageRecord {
    /// A page of a pull; the digest follows from the payload.
    #[must_use]
    pub fn new(pull: PullId, payload: Payload) -> Self {
        Self { pull, digest: Digest::of(payload.as_str().as_bytes()), payload }
    }
}

/// What an append found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// The page was not there.
    New,
    /// The page was there; nothing was written.
    Duplicate,
}

/// A fact about a pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// It is about to be requested.
    Started(Started),
    /// The request is about to be sent, for a pull that was [unsent](Started::unsent).
    Requested,
    /// Somebody else requested it, and it is collected here.
    Adopted,
    /// The platform has accepted the request.
    Accepted {
        /// The platform's number for it, where it gave one.
        serial_no: Option<String>,
    },
    /// The platform reported an error for it.
    Reported {
        /// The platform's code.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// It ended.
    Ended {
        /// `complete`, `incomplete` or `failed`.
        status: String,
        /// Why, in a sentence.
        why: String,
        /// How many accounts it had.
        accounts: u64,
        /// How many different pages it had.
        pages: u64,
    },
    /// An ended pull was taken up again.
    Resumed,
    /// Somebody wants it to end with what is there.
    CancelRequested,
    /// Its complete list was published.
    Published {
        /// The revision of the list.
        revision: u32,
        /// How many accounts it has.
        accounts: u64,
        /// How many different pages it was made from.
        pages: u64,
        /// Where it is, as the sink names it.
        location: String,
        /// Accounts and pages that could not be read, and are not in it.
        #[serde(default)]
        set_aside: u64,
        /// What is different from the revision that was published before, where there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changes: Option<Changes>,
    },
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

/// How a pull was started: all that is needed to take it up again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Started {
    /// Whether tags were asked for.
    pub need_tag_info: bool,
    /// Quiet after the last page that makes the list complete.
    pub settle: Duration,
    /// Silence after which it is given up.
    pub idle_timeout: Duration,
    /// The longest that it may take.
    pub deadline: Duration,
    /// At least so many accounts must come.
    pub expect_accounts: Option<u64>,
    /// What the starter wants to find again, such as where the list goes.
    pub label: Option<String>,
    /// Whoever takes the pull up first sends the request: the starter does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
}

impl Started {
    /// Without tags, without an expected number, without a label.
    #[must_use]
    pub fn new(settle: Duration, idle_timeout: Duration, deadline: Duration) -> Self {
        let (need_tag_info, expect_accounts, label, unsent) = (false, None, None, false);
        Self { need_tag_info, settle, idle_timeout, deadline, expect_accounts, label, unsent }
    }
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

/// What a journal holds of one pull, without the pages themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullState {
    /// The pull.
    pub pull: PullId,
    /// The facts, oldest first.
    pub notes: Vec<Noted>,
    /// Different pages.
    pub pages: u64,
    /// Bytes of storage that they take.
    pub bytes: u64,
    /// When the last page came.
    pub last_page: Option<SystemTime>,
    /// Items in quarantine.
    pub quarantined: u64,
    /// Pages that were kept, or partly kept, and cannot be read any more: the list lacks what was
    /// on them. A page of one of these digests that comes again makes good for it.
    pub damaged: Vec<Digest>,
}

impl PullState {
    pub(crate) fn new(pull: PullId) -> Self {
        let (notes, damaged) = (Vec::new(), Vec::new());
        Self { pull, notes, pages: 0, bytes: 0, last_page: None, quarantined: 0, damaged }
    }

    /// How it was started, and when; `None` for a pull that someone else requested.
    #[must_use]
    pub fn started(&self) -> Option<(SystemTime, &Started)> {
        self.notes.iter().find_map(|noted| match &noted.note {
            Note::Started(started) => Some((noted.at, started)),
            _ => None,
        })
    }

    /// When it was started, or first heard of.
    #[must_use]
    pub fn began(&self) -> Option<SystemTime> {
        let started = self.started().map(|(at, _)| at);
        started.or_else(|| self.notes.first().map(|it| it.at)).or(self.last_page)
    }

    /// How it ended, and when, unless it is open or was taken up again.
    #[must_use]
    pub fn ended(&self) -> Option<&Noted> {
        let last = |it: &&Noted| matches!(it.note, Note::Ended { .. } | Note::Resumed);
        self.notes.iter().rev().find(last).filter(|it| matches!(it.note, Note::Ended { .. }))
    }

    /// The error that the platform reported, if it did, since the pull was last taken up.
    #[must_use]
    pub fn reported(&self) -> Option<(i64, &str)> {
        let last = |it: &&Noted| matches!(it.note, Note::Reported { .. } | Note::Resumed);
        match &self.notes.iter().rev().find(last)?.note {
            Note::Reported { code, message } => Some((*code, message)),
            _ => None,
        }
    }

    /// Whether somebody wants it to end, since it was last taken up.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        let last = |it: &&Noted| matches!(it.note, Note::CancelRequested | Note::Resumed);
        let last = self.notes.iter().rev().find(last);
        last.is_some_and(|it| it.note == Note::CancelRequested)
    }

    /// Whether nobody has begun to send the request.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        let unsent = self.started().is_some_and(|(_, started)| started.unsent);
        let sent = |it: &Noted| matches!(it.note, Note::Requested | Note::Accepted { .. });
        unsent && !self.notes.iter().any(sent)
    }

    /// Whether it is somebody else's, and nobody has taken it up yet.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        self.started().is_none() && !self.notes.iter().any(|it| it.note == Note::Adopted)
    }

    /// Whether the platform accepted the request.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.notes.iter().any(|it| matches!(it.note, Note::Accepted { .. }))
    }

    /// What was published of it last.
    #[must_use]
    pub fn published(&self) -> Option<&Noted> {
        self.notes.iter().rev().find(|it| matches!(it.note, Note::Published { .. }))
    }

    /// Whether it has pages that are not in the list that was published last.
    #[must_use]
    pub fn has_newer_pages(&self) -> bool {
        match self.published().map(|noted| &noted.note) {
            Some(Note::Published { pages, .. }) => self.pages > *pages,
            _ => false,
        }
    }

    /// When anything was heard of it last.
    #[must_use]
    pub fn last_activity(&self) -> Option<SystemTime> {
        self.notes.iter().map(|it| it.at).chain(self.last_page).max()
    }
}

/// Something that verified and could not be understood, kept whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The pull it belongs to, where that could be read.
    pub pull: Option<PullId>,
    /// What is wrong with it; never quotes it.
    pub reason: String,
    /// The thing itself.
    pub payload: Payload,
}

impl Quarantined {
    /// Something of a pull, or of nobody knows which.
    #[must_use]
    pub fn new(pull: Option<PullId>, reason: impl Into<String>, payload: Payload) -> Self {
        Self { pull, reason: reason.into(), payload }
    }

    /// The digest of its payload, by which it is named.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.payload.as_str().as_bytes())
    }
}

/// What an appended page survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Memory,
    /// The process's end, and the machine's, as far as its disk keeps what `fsync` was told.
    LocalFsync,
    /// What a commit at the database server survives: its machine's end, and more where its commits
    /// wait for replicas.
    ServerCommit,
}
