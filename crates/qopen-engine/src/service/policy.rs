//! The conditions under which a service publishes a list.

use crate::publish::PublishOptions;

/// How a [`PullService`](crate::PullService) publishes the list of a pull, and when it pulls the list again.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PullPolicy {
    /// The conditions of the publication.
    pub publish: PublishOptions,
    /// Whether a list is published only when two consecutive pulls brought the same customers. The service
    /// pulls at most three times. Default false.
    pub confirm: bool,
    /// Maximum number of further pulls of a list that lacks pages. Default 0.
    pub retries: u32,
}

impl PullPolicy {
    /// Publishes under these conditions, without further pulls.
    #[must_use]
    pub fn new(publish: PublishOptions) -> Self {
        Self { publish, confirm: false, retries: 0 }
    }

    /// Sets whether two consecutive pulls must bring the same customers. Default false.
    #[must_use]
    pub fn confirm(mut self, confirm: bool) -> Self {
        self.confirm = confirm;
        self
    }

    /// Sets the maximum number of further pulls of a list that lacks pages. Default 0.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }
}
