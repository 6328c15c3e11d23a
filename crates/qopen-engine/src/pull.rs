//! A pull as its caller sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use qopen_assembler::Timing;
use qopen_journal::{PullId, Started};
use qopen_types::{MarkId, RobotId};

use crate::cancel::CancelOnDrop;
use crate::error::PullError;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// What to pull.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullRequest {
    /// The robot whose customers are wanted.
    pub robot_id: RobotId,
    /// The mark of the request; `None` makes a new one.
    pub mark_id: Option<MarkId>,
    /// Whether each customer's tags are wanted too. Default false.
    pub need_tag_info: bool,
    /// When the pull ends; `None` takes the client's.
    pub timing: Option<Timing>,
    /// At least this many customers must come before the list counts as complete.
    pub expect_accounts: Option<u64>,
    /// Accounts without a readable id that the list may lack. Default 0.
    pub allow_unidentified: u64,
    /// Kept with the pull in the journal, for whoever takes it up again: where the list goes, say.
    pub label: Option<String>,
}

impl PullRequest {
    /// Everything of that robot but tags.
    #[must_use]
    pub fn new(robot_id: RobotId) -> Self {
        Self {
            robot_id,
            mark_id: None,
            need_tag_info: false,
            timing: None,
            expect_accounts: None,
            allow_unidentified: 0,
            label: None,
        }
    }

    /// Under that mark. It must not have been used before.
    #[must_use]
    pub fn mark_id(mut self, mark_id: MarkId) -> Self {
        self.mark_id = Some(mark_id);
        self
    }

    /// With or without tags.
    #[must_use]
    pub fn need_tag_info(mut self, need: bool) -> Self {
        self.need_tag_info = need;
        self
    }

    /// With times of its own.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = Some(timing);
        self
    }

    /// With a number of customers that must come.
    #[must_use]
    pub fn expect_accounts(mut self, accounts: u64) -> Self {
        self.expect_accounts = Some(accounts);
        self
    }

    /// With that many accounts without a readable id at most.
    #[must_use]
    pub fn allow_unidentified(mut self, accounts: u64) -> Self {
        self.allow_unidentified = accounts;
        self
    }

    /// With a label for whoever takes it up again.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What the journal is told before the request is sent.
    pub(crate) fn started(&self, timing: Timing) -> Started {
        let Timing { settle, idle_timeout, deadline, .. } = self.timing.unwrap_or(timing);
        let mut started = Started::new(settle, idle_timeout, deadline);
        started.need_tag_info = self.need_tag_info;
        started.expect_accounts = self.expect_accounts;
        started.allow_unidentified = self.allow_unidentified;
        started.label.clone_from(&self.label);
        started
    }
}

/// A pull under way: a stream of its progress, and a future of its outcome.
///
/// The stream yields the figures when they change, skipping what nobody waited for, and ends with
/// the pull. The future is ready when the pull has ended; await it by `&mut pull` to go on using the
/// handle. **Dropping the handle before that cancels the pull.**
#[must_use = "dropping a pull cancels it"]
pub struct Pull {
    pub(crate) id: PullId,
    pub(crate) progress: BoxStream<'static, Progress>,
    pub(crate) outcome: BoxFuture<'static, Result<Outcome, PullError>>,
    pub(crate) cancel: CancelOnDrop,
}

impl Pull {
    /// The pull's robot and mark.
    #[must_use]
    pub fn id(&self) -> &PullId {
        &self.id
    }

    /// Lets go of the pull without ending it. While the client lives it goes on unseen; after that
    /// it is open in the journal, to be taken up with [`Client::resume`](crate::Client::resume).
    pub fn leave(mut self) {
        self.cancel.disarm();
    }

    /// Ends the pull with what is there; the outcome follows.
    pub fn cancel(&self) {
        self.cancel.call();
    }
}

impl Stream for Pull {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.progress.poll_next_unpin(cx)
    }
}

impl Future for Pull {
    type Output = Result<Outcome, PullError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.outcome.poll_unpin(cx);
        if outcome.is_ready() {
            // It has ended. A page that comes later may open it again, and nobody has cancelled it.
            self.cancel.disarm();
        }
        outcome
    }
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull").field("id", &self.id).finish_non_exhaustive()
    }
}
