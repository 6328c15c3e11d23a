//! The engine: the state that its clones share, and its input.

use std::sync::Arc;

use qopen_assembler::Timing;
use qopen_journal::{Journal, PullId};
use tokio::sync::mpsc;
use tracing::Span;

use crate::accepted::{Accepted, Incoming, NotKept};
use crate::adoption::Adoption;
use crate::counts::EngineStats;
use crate::handle::DriverHandle;
use crate::held_claim::HeldClaim;
use crate::in_flight::InFlight;
use crate::intake::Intake;
use crate::messages::PullWatch;
use crate::requester::Requester;
use crate::spans;

/// Pulls customer lists: a journal, an assembler and the clock that drives it. Cloning is cheap;
/// the driver stops when the last clone is dropped.
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) driver: DriverHandle,
    pub(super) intake: Intake,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) requester: Arc<dyn Requester>,
    pub(super) stats: EngineStats,
    pub(super) timing: Timing,
    pub(super) adoption: Adoption,
    pub(super) adoptions: tokio::sync::Mutex<mpsc::Receiver<(PullId, PullWatch)>>,
}

impl Engine {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Keeps a verified payload in the journal and tells its pull: [`Intake::accept`].
    ///
    /// ```rust
    /// use std::sync::Arc;
    ///
    /// use async_trait::async_trait;
    /// use qopen_engine::{Engine, Incoming, PullRequest, RequestError, Requester};
    /// use qopen_journal::{Payload, PullId};
    /// use qopen_sink::{FileSink, Format};
    ///
    /// /// Another system requests the list.
    /// struct Nothing;
    ///
    /// #[async_trait]
    /// impl Requester for Nothing {
    ///     async fn request(&self, _: &PullId, _: bool) -> Result<Option<String>, RequestError> {
    ///         Ok(None)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::builder(Arc::new(Nothing)).build()?;
    /// let pull = engine.pull(PullRequest::new("robot".parse()?).mark_id("mark".parse()?)).await?;
    ///
    /// // Acknowledge the payload to its sender when this returns.
    /// let page = r#"{"event_type":42016,"robot_id":"robot","data":{"mark_id":"mark","has_more":false,
    ///     "account_list":[{"account_id":"a"}]}}"#;
    /// engine.accept(Incoming::new(Payload::new(page))).await?;
    ///
    /// let outcome = pull.outcome().await?;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("customers.jsonl");
    /// let sink = Arc::new(FileSink::new(path, Format::Jsonl));
    /// let published = outcome.publish(sink).await?;
    /// assert_eq!(published.lists[0].accounts, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NotKept`]: the payload must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn accept(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        self.inner.intake.accept(incoming).await
    }

    /// The input for payloads. It does not keep the driver alive.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.inner.intake
    }

    /// What the engine has counted so far.
    #[must_use]
    pub fn stats(&self) -> &EngineStats {
        &self.inner.stats
    }

    pub(crate) fn driver(&self) -> &DriverHandle {
        &self.inner.driver
    }

    /// From here on, dropping the caller's future cancels the pull.
    pub(super) fn in_flight(&self, id: PullId) -> InFlight {
        let driver = &self.inner.driver;
        InFlight::new(driver.clone(), id, driver.next_generation())
    }
}

impl Inner {
    pub(super) fn send(
        &self,
        pull: &InFlight,
        held_claim: Option<Arc<HeldClaim>>,
        need_tag_info: bool,
        span: &Span,
    ) {
        let (requester, journal) = (Arc::clone(&self.requester), Arc::clone(&self.journal));
        pull.send(requester, journal, held_claim, need_tag_info, spans::request(span));
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("stats", &self.inner.stats).finish_non_exhaustive()
    }
}
