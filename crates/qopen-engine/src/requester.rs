//! The interface by which an engine requests lists.

use std::error::Error;

use async_trait::async_trait;
use qopen_journal::PullId;

/// Asks the platform for customer lists.
///
/// The request brings no page: pages come later, through [`Engine::accept`](crate::Engine::accept).
#[async_trait]
pub trait Requester: Send + Sync + 'static {
    /// Requests the list of the pull's robot, under the pull's mark. Returns the platform's serial
    /// number of the request, if the platform gives one.
    ///
    /// The engine drops the future when the pull is cancelled. A panic counts as a request that may
    /// have arrived.
    ///
    /// # Errors
    /// [`RequestError`], when the platform did not accept the request, or its answer is not known.
    async fn request(
        &self,
        pull: &PullId,
        need_tag_info: bool,
    ) -> Result<Option<String>, RequestError>;
}

type Cause = Box<dyn Error + Send + Sync>;

/// A request that the platform did not accept, as far as the requester knows.
#[derive(Debug, thiserror::Error)]
#[error("the request for the list failed")]
pub struct RequestError {
    refused: bool,
    may_have_arrived: bool,
    #[source]
    cause: Cause,
}

impl RequestError {
    /// A request that did not reach the platform, with its cause.
    #[must_use]
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self { refused: false, may_have_arrived: false, cause: cause.into() }
    }

    /// Sets whether the platform refused the request or the credentials. Default false.
    #[must_use]
    pub fn refused(mut self, refused: bool) -> Self {
        self.refused = refused;
        self
    }

    /// Sets whether the platform may have accepted the request, as after a timeout. Default false.
    /// The pull then waits for pages instead of failing at once.
    #[must_use]
    pub fn arrived_perhaps(mut self, perhaps: bool) -> Self {
        self.may_have_arrived = perhaps;
        self
    }

    /// Whether the platform refused the request or the credentials.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.refused
    }

    /// Whether the platform may have accepted the request.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }

    /// The requester's own error, to be downcast.
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}
