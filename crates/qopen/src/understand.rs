//! What a payload means for us: the one reading that live callbacks and captured ones share.

use qopen_assembler::{ContentDigest, Entry, PullKey, Seed};
use qopen_journal::PullId;
use qopen_types::{CallbackSkim, EventType, MarkId, RobotId, SkimError};

/// What an opened payload is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Understood {
    /// A page of a pull.
    Page {
        /// The pull it names.
        pull: PullId,
        /// Whether more pages are said to follow.
        has_more: bool,
        /// Its accounts that have an id, each as 32 bytes.
        accounts: Vec<Entry>,
    },
    /// The platform reports an error.
    Error {
        /// The robot it is about.
        robot_id: Option<RobotId>,
        /// The mark, where the report names one.
        mark_id: Option<MarkId>,
        /// The platform's code; not 0.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// JSON of this event that does not make a page: to be kept for a person to look at.
    Unreadable {
        /// The robot, where it could be read.
        robot_id: Option<RobotId>,
        /// The mark, where it could be read.
        mark_id: Option<MarkId>,
        /// What is wrong; never quotes the payload.
        reason: String,
    },
    /// An event of another kind.
    Other(EventType),
    /// Not JSON.
    NotJson(SkimError),
}

/// Reads a payload as far as folding it needs.
#[must_use]
pub fn understand(payload: &str) -> Understood {
    let event_type = EventType::of_payload(payload);
    if event_type != EventType::ROBOT_ACCOUNT_LIST {
        return Understood::Other(event_type);
    }
    let skim = match CallbackSkim::read(payload) {
        Ok(skim) => skim,
        Err(SkimError::Shape { reason, robot_id, mark_id }) => {
            return Understood::Unreadable { robot_id, mark_id, reason };
        }
        Err(error) => return Understood::NotJson(error),
    };
    let CallbackSkim { err_code, err_msg, robot_id, page, .. } = skim;
    if err_code != 0 {
        let mark_id = page.and_then(|page| page.mark_id);
        return Understood::Error {
            robot_id,
            mark_id,
            code: err_code,
            message: err_msg.into_owned(),
        };
    }
    let unreadable = |robot_id, mark_id, what: &str| Understood::Unreadable {
        robot_id,
        mark_id,
        reason: format!("{what}: missing"),
    };
    let Some(page) = page else { return unreadable(robot_id, None, "data") };
    let (robot_id, mark_id) = match (robot_id, page.mark_id) {
        (Some(robot_id), Some(mark_id)) => (robot_id, mark_id),
        (None, mark_id) => return unreadable(None, mark_id, "robot_id"),
        (robot_id, None) => return unreadable(robot_id, None, "mark_id"),
    };
    let pull = PullId { robot_id, mark_id };
    let seed = Seed::of(&key_of(&pull));
    let entry = |account: &qopen_types::AccountSkim<'_>| {
        let fingerprint = seed.fingerprint(account.id.as_ref().ok()?);
        Some(Entry { fingerprint, content: content_of(account) })
    };
    let accounts = page.accounts.iter().filter_map(entry).collect();
    Understood::Page { pull, has_more: page.has_more, accounts }
}

/// The assembler's name for a pull.
pub(crate) fn key_of(pull: &PullId) -> PullKey {
    PullKey::new(pull.robot_id.as_str(), pull.mark_id.as_str())
}

/// The digest by which an account's contents are told apart.
pub(crate) fn content_of(account: &qopen_types::AccountSkim<'_>) -> ContentDigest {
    ContentDigest::from_u128(account.digest().to_u128())
}
