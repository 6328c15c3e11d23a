//! The interface by which a publication asks about customers by their ids (evidence E10).

use std::error::Error;

use async_trait::async_trait;
use qopen_types::{AccountId, RobotId};

/// The greatest number of customers in one call of [`AccountLookup::look_up`].
pub const LOOKUP_LIMIT: usize = 100;

/// Asks the platform about customers by their ids (protocol section 6).
#[async_trait]
pub trait AccountLookup: Send + Sync + 'static {
    /// Returns the customers among `ids`, at most [`LOOKUP_LIMIT`], that the platform still has.
    ///
    /// # Errors
    /// [`LookupError`], if the answer does not cover all of them.
    async fn look_up(
        &self,
        robot_id: &RobotId,
        ids: &[AccountId],
    ) -> Result<Vec<AccountId>, LookupError>;
}

type Cause = Box<dyn Error + Send + Sync>;

/// The error of a lookup.
#[derive(Debug, thiserror::Error)]
#[error("the platform cannot be asked about customers who are gone")]
pub struct LookupError {
    pub(super) not_offered: bool,
    #[source]
    cause: Cause,
}

impl LookupError {
    /// A lookup that failed, with its cause.
    #[must_use]
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self { not_offered: false, cause: cause.into() }
    }

    /// Sets whether the platform does not offer the call. Default false.
    #[must_use]
    pub fn not_offered(mut self, not_offered: bool) -> Self {
        self.not_offered = not_offered;
        self
    }
}

/// The platform's answers about the customers whom a list lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoneCheck {
    /// Customers that the platform was asked about, by this process or an earlier one.
    pub asked: u64,
    /// Customers among them that the platform still has. Each proves a lost page.
    pub present: u64,
    /// Whether the platform does not offer the call, so that nothing is verified.
    pub not_offered: bool,
}

impl GoneCheck {
    /// Whether the platform confirmed that all customers who are gone have left.
    #[must_use]
    pub fn is_verified(self) -> bool {
        !self.not_offered && self.present == 0
    }
}
