#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account_list;
mod accounts_by_ids;
mod build_error;
mod builder;
mod call;
mod client;
mod content_error;
mod error;
mod forward;
mod headers;
mod no_proxy;
mod proxy;
mod retry;
mod robot_status;
mod robots;
mod tls;
mod token;
mod transport;
mod url;
#[cfg(feature = "webhook")]
mod webhook;

use std::fmt;
use std::sync::{Arc, PoisonError};

pub use account_list::Accepted;
pub use accounts_by_ids::{AccountsByIds, AccountsByIdsVersion, AnswerGap};
pub use build_error::BuildError;
pub use builder::SenderBuilder;
pub use content_error::ContentError;
pub use error::{RetryAfter, SendError, TokenError};
pub use forward::{ForwardError, Forwarder, ForwarderBuilder};
pub use proxy::{ProxyOrigin, ProxyUsed};
pub use retry::RetryPolicy;
pub use robot_status::{RobotState, RobotStates};
pub use robots::{Robot, RobotKind, Robots};
pub use token::{FixedToken, TokenSource};
#[cfg(feature = "webhook")]
pub use webhook::{ParseWebhookSecretError, Webhook, WebhookError, WebhookSecret};

use transport::Transport;

/// Sends requests to the gateway. Cloning is cheap; clones share the connection pool, the token and
/// the rate limit.
///
/// Dropping a method's future cancels it; the gateway may have received the request.
#[derive(Clone)]
pub struct Sender {
    transport: Arc<Transport>,
    tokens: Arc<dyn TokenSource>,
}

impl Sender {
    /// Starts with the gateway's base URL, scheme included, such as `https://gateway.example`.
    pub fn builder(base_url: impl Into<String>) -> SenderBuilder {
        SenderBuilder::new(base_url.into())
    }

    /// The proxy that requests go through, if there is one.
    #[must_use]
    pub fn proxy(&self) -> Option<&ProxyUsed> {
        self.transport.proxy.as_ref()
    }

    /// Gets an access token from the sender's source, which requests one if it has none.
    ///
    /// A [`FixedToken`] is returned without a request, so that this checks nothing. A token that
    /// the gateway issues may invalidate the token of another process (protocol section 2).
    ///
    /// # Errors
    /// [`SendError::Token`], if there is no token.
    ///
    /// # Cancellation
    /// After the future was dropped, the gateway may have issued a token.
    pub async fn check_token(&self) -> Result<(), SendError> {
        self.tokens.token().await.map(drop).map_err(SendError::Token)
    }

    /// The `Date` header of the last response, as the gateway wrote it.
    #[must_use]
    pub fn last_date(&self) -> Option<String> {
        self.transport.date.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("base_url", &self.transport.base_url())
            .finish_non_exhaustive()
    }
}
