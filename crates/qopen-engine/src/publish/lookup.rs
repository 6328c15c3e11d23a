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

/// An answer about some of the customers.
#[derive(Debug)]
pub(super) struct PartialAnswer {
    pub(super) present: Vec<AccountId>,
    pub(super) unanswered: Vec<AccountId>,
}

fn said(is_partial: bool) -> &'static str {
    match is_partial {
        true => "the platform's answer does not cover all of them",
        false => "the platform cannot be asked about customers who are gone",
    }
}

/// The error of a lookup.
#[derive(Debug, thiserror::Error)]
#[error("{}", said(*.is_partial))]
pub struct LookupError {
    pub(super) not_offered: bool,
    pub(super) answered: Option<PartialAnswer>,
    pub(super) is_partial: bool,
    #[source]
    cause: Cause,
}

impl LookupError {
    /// A lookup that failed, with its cause.
    #[must_use]
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self { not_offered: false, answered: None, is_partial: false, cause: cause.into() }
    }

    /// Sets the customers that the platform still has, and the customers that its answer may not cover. It
    /// covers all others of the call. Default: it covers none.
    #[must_use]
    pub fn partly(mut self, present: Vec<AccountId>, unanswered: Vec<AccountId>) -> Self {
        self.answered = Some(PartialAnswer { present, unanswered });
        self.is_partial = true;
        self
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
    /// Customers that the list lacks and no answer covers.
    pub unverified: u64,
    /// Whether the platform does not offer the call, so that nothing is verified.
    pub not_offered: bool,
}

impl GoneCheck {
    /// Whether the platform confirmed that all customers who are gone have left.
    #[must_use]
    pub fn is_verified(self) -> bool {
        !self.not_offered && self.unverified == 0 && self.present == 0
    }
}
