//! Further pulls of one list.

use qopen_types::MarkId;
use serde::{Deserialize, Serialize};

/// The position of a pull among those that were requested for one list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Repeat {
    /// The earlier pull whose complete list this one is to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirms: Option<MarkId>,
    /// The number of pulls before it that were to confirm the list.
    #[serde(skip_serializing_if = "is_none")]
    pub confirmations: u32,
    /// The number of pulls before it that lacked pages.
    #[serde(skip_serializing_if = "is_none")]
    pub retries: u32,
}

impl Repeat {
    /// The first pull of a list.
    #[must_use]
    pub fn first() -> Self {
        Self::default()
    }

    /// Whether it is the first pull of a list.
    #[must_use]
    pub fn is_first(&self) -> bool {
        *self == Self::default()
    }

    /// The pull after this one that is to confirm the list of `mark`.
    #[must_use]
    pub fn to_confirm(&self, mark: MarkId) -> Self {
        let confirmations = self.confirmations.saturating_add(1);
        Self { confirms: Some(mark), confirmations, retries: self.retries }
    }

    /// The pull after this one, which lacks pages.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { confirms: None, confirmations: 0, retries: self.retries.saturating_add(1) }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}
