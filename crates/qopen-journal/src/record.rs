//! What a journal holds.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use qopen_types::{Digest, MarkId, PayloadText, RobotId};
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

/// A payload, byte for byte, shared rather than copied. `Debug` prints only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<Vec<u8>>);

impl Payload {
    /// Takes the bytes without copying them.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, in the tolerant order of reading.
    #[must_use]
    pub fn text(&self) -> PayloadText<'_> {
        PayloadText::of(&self.0)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        Self { pull, digest: Digest::of(payload.as_bytes()), payload }
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
        /// The digest of the report, and when it was signed, in seconds since the Unix epoch by the
        /// platform's clock: the same report counts once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// See `digest`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed_at: Option<u64>,
    },
    /// Something in quarantine may be a page of it: it is not complete while that stands.
    Doubted {
        /// The digest of the item.
        item: Digest,
    },
    /// An item no longer stands against it.
    Released {
        /// The digest of the item.
        item: Digest,
        /// Whether it was read after all; otherwise a person has waived it.
        read: bool,
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
    /// Its sequence number in the order of lists at a location, taken before its request was sent.
    Ordered {
        /// Where its list goes, as the sink names it.
        location: String,
        /// The number that the location gave: later pulls have greater ones.
        order: u64,
    },
    /// A publication of its complete list was requested, published before or not.
    PublicationRequested,
    /// Its complete list was not published, because the place holds the list of a later pull.
    Superseded {
        /// That pull's mark, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<MarkId>,
        /// The revision that is not published.
        revision: u32,
    },
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
    /// Accounts without a readable id that the list may lack.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allow_unidentified: u64,
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
        Self {
            need_tag_info: false,
            settle,
            idle_timeout,
            deadline,
            expect_accounts: None,
            allow_unidentified: 0,
            label: None,
            unsent: false,
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
    /// Its position in the journal's order of starts. Later pulls have greater numbers. A pull that was
    /// not started here has the position of its first record.
    pub order: u64,
    /// Pages that were kept, or partly kept, and cannot be read any more: the list lacks what was
    /// on them. A page of one of these digests that comes again makes good for it.
    pub damaged: Vec<Digest>,
}

impl PullState {
    /// A pull of which nothing is known.
    #[must_use]
    pub fn new(pull: PullId) -> Self {
        let (notes, damaged) = (Vec::new(), Vec::new());
        Self { pull, notes, pages: 0, bytes: 0, last_page: None, quarantined: 0, order: 0, damaged }
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

    /// When it was last resumed after it had ended.
    #[must_use]
    pub fn begun_anew(&self) -> Option<SystemTime> {
        let anew = self.notes.iter().rposition(|it| it.note == Note::Resumed)?;
        let ended = self.notes[..anew].iter().any(|it| matches!(it.note, Note::Ended { .. }));
        ended.then(|| self.notes[anew].at)
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
            Note::Reported { code, message, .. } => Some((*code, message)),
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

    /// Whether a publication was requested and has not happened since.
    #[must_use]
    pub fn is_publication_requested(&self) -> bool {
        let last = |it: &&Noted| {
            matches!(
                it.note,
                Note::PublicationRequested | Note::Superseded { .. } | Note::Published { .. }
            )
        };
        let last = self.notes.iter().rev().find(last);
        last.is_some_and(|it| it.note == Note::PublicationRequested)
    }

    /// Whether its list was superseded by the list of a later pull.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        let last = |it: &&Noted| {
            matches!(it.note, Note::Superseded { .. } | Note::Published { .. } | Note::Resumed)
        };
        let last = self.notes.iter().rev().find(last);
        last.is_some_and(|it| matches!(it.note, Note::Superseded { .. }))
    }

    /// Whether it has pages that are not in the list that was published last.
    #[must_use]
    pub fn has_newer_pages(&self) -> bool {
        match self.published().map(|noted| &noted.note) {
            Some(Note::Published { pages, .. }) => self.pages > *pages,
            _ => false,
        }
    }

    /// Items of nobody's quarantine that may be pages of it, and were not released.
    #[must_use]
    pub fn doubts(&self) -> BTreeSet<Digest> {
        let mut doubts = BTreeSet::new();
        for noted in &self.notes {
            match &noted.note {
                Note::Doubted { item } => drop(doubts.insert(*item)),
                Note::Released { item, .. } => drop(doubts.remove(item)),
                _ => {}
            }
        }
        doubts
    }

    /// Items that were released: waived, or read after all.
    #[must_use]
    pub fn released(&self) -> BTreeSet<Digest> {
        let released = self.notes.iter().filter_map(|noted| match &noted.note {
            Note::Released { item, .. } => Some(*item),
            _ => None,
        });
        released.collect()
    }

    /// Whether a report was noted already: the same bytes, signed at the same time.
    #[must_use]
    pub fn has_report(&self, report: Digest, signed: Option<u64>) -> bool {
        self.notes.iter().any(|noted| match &noted.note {
            Note::Reported { digest, signed_at, .. } => {
                *digest == Some(report) && *signed_at == signed
            }
            _ => false,
        })
    }

    /// Whether something came since it ended that may complete it: pages, or a release.
    #[must_use]
    pub fn is_changed_since_end(&self) -> bool {
        let of_end = |it: &Noted| match it.note {
            Note::Ended { pages, .. } => Some(pages),
            _ => None,
        };
        let Some(at) = self.notes.iter().rposition(|it| of_end(it).is_some()) else { return false };
        let pages = of_end(&self.notes[at]).unwrap_or(0);
        let released = |it: &Noted| matches!(it.note, Note::Released { .. });
        self.pages > pages || self.notes[at..].iter().any(released)
    }

    /// When anything was heard of it last.
    #[must_use]
    pub fn last_activity(&self) -> Option<SystemTime> {
        self.notes.iter().map(|it| it.at).chain(self.last_page).max()
    }
}

/// The layer at which something that verified could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// The content is not base64 of whole blocks, or no key opens it. What is kept is the content.
    Content,
    /// The plaintext is not text.
    Text,
    /// The text is not JSON.
    Json,
    /// The JSON does not make a page.
    Shape,
    /// It is a page of a pull that nobody here asked for.
    Pull,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 5] = [Self::Content, Self::Text, Self::Json, Self::Shape, Self::Pull];

    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Text => "text",
            Self::Json => "json",
            Self::Shape => "shape",
            Self::Pull => "pull",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that verified and could not be understood, kept whole, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The pull it belongs to, where that could be read.
    pub pull: Option<PullId>,
    /// Where reading it ended.
    pub layer: Layer,
    /// What is wrong with it; never quotes it.
    pub reason: String,
    /// The thing itself.
    pub payload: Payload,
}

/// Between the layer and the reason, where they are stored as one text.
const BETWEEN: char = '\u{1f}';

impl Quarantined {
    /// Something of a pull, or of an unknown one.
    #[must_use]
    pub fn new(
        pull: Option<PullId>,
        layer: Layer,
        reason: impl Into<String>,
        payload: Payload,
    ) -> Self {
        Self { pull, layer, reason: reason.into(), payload }
    }

    /// The digest of its payload, by which it is named.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.payload.as_bytes())
    }

    /// Layer and reason as they are stored.
    pub(crate) fn stored_reason(&self) -> String {
        format!("{}{BETWEEN}{}", self.layer, self.reason)
    }

    /// What was stored; without a layer, by a version that knew but one.
    pub(crate) fn restored(pull: Option<PullId>, stored: &str, payload: Payload) -> Self {
        let parts = stored.split_once(BETWEEN);
        let layer =
            parts.and_then(|(name, _)| Layer::ALL.into_iter().find(|it| it.as_str() == name));
        match (layer, parts) {
            (Some(layer), Some((_, reason))) => Self::new(pull, layer, reason, payload),
            _ => Self::new(pull, Layer::Shape, stored, payload),
        }
    }

    /// Whether both are the same thing of the same pull.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.pull == other.pull && self.payload == other.payload
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
