//! The results of a skim.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::event::EventType;
use crate::ids::{AccountId, MarkId, RobotId};

/// Why a payload could not be skimmed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkimError {
    /// The text is not JSON: the wrong key, or a broken sender.
    #[error("the payload is not JSON")]
    NotJson(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// The JSON does not have the shape of this event. Its pull may still be known.
    #[error("the payload is not of the shape of this event: {reason}")]
    Shape {
        /// The field, the expected kind, and the kind found.
        reason: String,
        /// The robot, if the payload names it.
        robot_id: Option<RobotId>,
        /// The mark, if the payload names it.
        mark_id: Option<MarkId>,
    },
}

impl SkimError {
    /// The robot and the mark that a text names, whatever is left of its form. Of several, the first;
    /// none with a hole or an escape.
    #[must_use]
    pub fn names(text: &str) -> (Option<RobotId>, Option<MarkId>) {
        let whole = |it: &&str| !it.contains(['\\', char::REPLACEMENT_CHARACTER]);
        let mut robots = crate::scan::values_of(text, "robot_id").filter(whole);
        let mut marks = crate::scan::values_of(text, "mark_id").filter(whole);
        (robots.find_map(|it| it.parse().ok()), marks.find_map(|it| it.parse().ok()))
    }
}

/// A payload of event 42016, read only as far as an answer to it needs.
///
/// Reading it borrows from the payload: one pass, no copy of any profile.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackSkim<'a> {
    /// The declared event type.
    pub event_type: EventType,
    /// 0, or the code of the error that the platform reports.
    pub err_code: i64,
    /// The platform's message.
    pub err_msg: Cow<'a, str>,
    /// The robot, if given.
    pub robot_id: Option<RobotId>,
    /// The page, if there is one.
    pub page: Option<PageSkim<'a>>,
}

/// A page of [`CallbackSkim`].
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageSkim<'a> {
    /// Whether the platform says that more pages follow; `None` if it does not say.
    pub has_more: Option<bool>,
    /// The mark of the request, if given.
    pub mark_id: Option<MarkId>,
    /// The page's customers, in order.
    pub accounts: Vec<AccountSkim<'a>>,
}

/// A customer of [`PageSkim`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountSkim<'a> {
    /// The customer's id, or why it has none that can be read.
    pub id: Result<Cow<'a, str>, String>,
    /// The customer's JSON as it came.
    pub raw: &'a str,
}

impl AccountSkim<'_> {
    /// The digest of the customer's JSON. Equal contents have equal digests.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.raw.as_bytes())
    }

    /// The customer's id, if it is readable.
    #[must_use]
    pub fn account_id(&self) -> Option<AccountId> {
        self.id.as_ref().ok().and_then(|id| AccountId::new(id).ok())
    }
}

impl core::fmt::Debug for CallbackSkim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CallbackSkim")
            .field("event_type", &self.event_type)
            .field("err_code", &self.err_code)
            .field("robot_id", &self.robot_id)
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for PageSkim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PageSkim")
            .field("has_more", &self.has_more)
            .field("mark_id", &self.mark_id)
            .field("accounts", &self.accounts.len())
            .finish()
    }
}

impl core::fmt::Debug for AccountSkim<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let id = self.id.as_ref().map(|id| Digest::of(id.as_bytes()));
        f.debug_struct("AccountSkim").field("id", &id).field("bytes", &self.raw.len()).finish()
    }
}
