//! A pull's request and its handle.

use std::fmt;
use std::sync::Arc;

use qopen_assembler::Timing;
use qopen_journal::{Journal, PullId, Repeat, Started};
use qopen_types::{MarkId, RobotId};
use tokio::sync::watch;

use crate::cancel::CancelOnDrop;
use crate::error::PullError;
use crate::held_claim::HeldClaim;
use crate::messages::{PullView, PullWatch};
use crate::outcome::{Outcome, PulledList};
use crate::progress::Progress;

/// A request for a list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullRequest {
    /// The robot whose customers to pull.
    pub robot_id: RobotId,
    /// The mark of the request; `None` makes a new one.
    pub mark_id: Option<MarkId>,
    /// Whether to request each customer's tags. Default false.
    pub need_tag_info: bool,
    /// When the pull ends; `None` uses the engine's timing.
    pub timing: Option<Timing>,
    /// At least this many customers must come before the list counts as complete.
    pub expect_accounts: Option<u64>,
    /// Accounts without a readable id that the list may lack. Default 0.
    pub allow_unidentified: u64,
    /// Text that the journal keeps for the process that resumes the pull, such as the list's place.
    pub label: Option<String>,
    /// Its position among the pulls of one list. Default: the first one.
    pub repeat: Repeat,
}

impl PullRequest {
    /// Requests every customer of a robot, without tags.
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
            repeat: Repeat::first(),
        }
    }

    /// Sets the mark. It must not have been used before.
    #[must_use]
    pub fn mark_id(mut self, mark_id: MarkId) -> Self {
        self.mark_id = Some(mark_id);
        self
    }

    /// Sets whether to request each customer's tags. Default false.
    #[must_use]
    pub fn need_tag_info(mut self, need: bool) -> Self {
        self.need_tag_info = need;
        self
    }

    /// Sets when the pull ends. Default: the engine's timing.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = Some(timing);
        self
    }

    /// Sets the least number of customers of a complete list.
    #[must_use]
    pub fn expect_accounts(mut self, accounts: u64) -> Self {
        self.expect_accounts = Some(accounts);
        self
    }

    /// Sets how many accounts without a readable id the list may lack. Default 0.
    #[must_use]
    pub fn allow_unidentified(mut self, accounts: u64) -> Self {
        self.allow_unidentified = accounts;
        self
    }

    /// Sets the text for the process that resumes the pull.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The journal's note of the start, kept before the request is sent.
    pub(crate) fn started(&self, timing: Timing) -> Started {
        let Timing { settle, idle_timeout, deadline, .. } = self.timing.unwrap_or(timing);
        let mut started = Started::new(settle, idle_timeout, deadline);
        started.need_tag_info = self.need_tag_info;
        started.expect_accounts = self.expect_accounts;
        started.allow_unidentified = self.allow_unidentified;
        started.label.clone_from(&self.label);
        started.repeat.clone_from(&self.repeat);
        started
    }
}

/// The handle of an open pull. **Dropping it before the outcome is there cancels the pull.**
#[must_use = "dropping a pull cancels it"]
pub struct Pull {
    view: watch::Receiver<PullView>,
    list: PulledList,
    cancel: CancelOnDrop,
}

impl Pull {
    pub(crate) fn new(
        id: PullId,
        watched: PullWatch,
        journal: Arc<dyn Journal>,
        held_claim: Option<Arc<HeldClaim>>,
        cancel: CancelOnDrop,
    ) -> Self {
        let PullWatch { view, pin, span } = watched;
        let list = PulledList::new(id, journal, held_claim, view.clone(), pin, span);
        Self { view, list, cancel }
    }

    /// The pull's robot and mark.
    #[must_use]
    pub fn id(&self) -> &PullId {
        self.list.id()
    }

    /// The figures when they change; `None` when the pull has ended. Figures that change several times
    /// between two calls are returned once.
    ///
    /// Dropping the future loses nothing.
    pub async fn progress(&mut self) -> Option<Progress> {
        if self.view.borrow().ended.is_some() {
            return None;
        }
        self.view.changed().await.ok()?;
        let view = self.view.borrow_and_update();
        (!view.gone).then(|| view.progress.clone())
    }

    /// The outcome, when the pull has ended. From then on, dropping the handle cancels nothing.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`PullError::Fenced`], when another worker has the pull; [`PullError::Closed`], when the engine
    /// has shut down.
    pub async fn outcome(&self) -> Result<Outcome, PullError> {
        let outcome = self.ended().await;
        // A page that comes later may open the pull again, and the caller has not cancelled it.
        self.cancel.disarm();
        outcome
    }

    async fn ended(&self) -> Result<Outcome, PullError> {
        let mut view = self.view.clone();
        let over = |view: &PullView| view.ended.is_some() || view.gone;
        let view = view.wait_for(over).await.map_err(|_| PullError::Closed)?;
        let ended = view.ended.as_ref().ok_or(PullError::Fenced)?;
        let (status, progress) = (ended.status.clone(), view.progress.clone());
        Ok(Outcome { status, progress, list: self.list.clone() })
    }

    /// Drops the handle without ending the pull. While the engine lives the pull goes on unseen;
    /// after that it is open in the journal, for [`Engine::resume`](crate::Engine::resume).
    pub fn leave(self) {
        self.cancel.disarm();
    }

    /// Ends the pull with what has arrived; the outcome follows.
    pub fn cancel(&self) {
        self.cancel.call();
    }
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull").field("id", self.id()).finish_non_exhaustive()
    }
}
