//! The client: an engine, the sender that requests lists, and the receiver of callbacks.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::Timing;
use qopen_callback::{Keyring, SharedKeyring, receiver};
use qopen_engine::{
    AccountLookup, Engine, EngineBuilder, EngineError, Pull, PullError, PullRequest, PulledList,
};
use qopen_http::{AccountsByIds, AccountsByIdsVersion, RobotStates, Robots, SendError, Sender};
use qopen_journal::{Journal, PullId};
use qopen_sink::Sink;
use qopen_types::{AccountId, RobotId};

use crate::lookup::ById;
use crate::other_events::{EventContent, Observer, OtherEventHandler};
use crate::receive::{Handler, Refusals};
use crate::send::ByHttp;
use crate::stats::Stats;

/// Settings of a [`Client`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    sender: Sender,
    ring: Keyring,
    engine: EngineBuilder,
    receiver: receiver::ReceiverConfig,
    other_events: Option<Arc<dyn OtherEventHandler>>,
    observer: Option<Observer>,
}

impl ClientBuilder {
    /// Keeps pages in this journal. Default: in memory, which is not durable.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.engine = self.engine.journal(journal);
        self
    }

    /// Sets when pulls end that have no timing of their own. Default [`Timing::default`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.engine = self.engine.timing(timing);
        self
    }

    /// Sets how long ended pulls are remembered, so that late pages find them. Default 10 min.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.engine = self.engine.retention(retention);
        self
    }

    /// Sets the receiver's path and limits.
    pub fn receiver(mut self, config: receiver::ReceiverConfig) -> Self {
        self.receiver = config;
        self
    }

    /// Handles other events than customer lists. Default: answered `success` and dropped.
    pub fn other_event_handler(mut self, handler: Arc<dyn OtherEventHandler>) -> Self {
        self.other_events = Some(handler);
        self
    }

    /// Calls this function with each other event that is answered `success`, whether or not a handler is
    /// set. It must not block. An event that the platform repeats is observed again.
    pub fn other_event_observer(
        mut self,
        observer: impl Fn(&EventContent) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Collects external pulls, which another system requested. One that the journal knows from an earlier
    /// process is collected when it is [resumed](Client::resume). Default: their pages go to the handler of
    /// other events, or into quarantine without one.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.engine = self.engine.adopt(adopt);
        self
    }

    /// Keeps the pages of external pulls, which another system requested, for the
    /// [`Worker`](crate::Worker) that shares the journal. Default: as with [`adopt`](Self::adopt).
    pub fn keep_external_pages(mut self, keep: bool) -> Self {
        self.engine = self.engine.keep_external_pages(keep);
        self
    }

    /// Makes the client and starts its driver.
    ///
    /// # Errors
    /// [`EngineError::NoRuntime`], outside a tokio runtime.
    pub fn build(self) -> Result<Client, EngineError> {
        let received = receiver::ReceiverStats::default();
        let refusals = Arc::new(Refusals(received.refusals().clone()));
        let engine =
            self.engine.return_external_pages(self.other_events.is_some()).refusals(refusals);
        let engine = engine.build()?;
        let ring = SharedKeyring::new(self.ring);
        let handler =
            Arc::new(Handler::new(engine.intake().clone(), self.other_events, self.observer));
        let router = receiver::router(ring.clone(), handler, self.receiver, received.clone());
        let stats = Stats::new(received, engine.stats().clone());
        Ok(Client { engine, sender: self.sender, ring, router, stats })
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Pulls customer lists. Cloning is cheap; the driver stops when the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    engine: Engine,
    sender: Sender,
    ring: SharedKeyring,
    router: axum::Router,
    stats: Stats,
}

impl Client {
    /// Starts with the sender of requests and the keys of callbacks.
    pub fn builder(sender: Sender, ring: Keyring) -> ClientBuilder {
        let engine = Engine::builder(Arc::new(ByHttp(sender.clone())));
        let receiver = receiver::ReceiverConfig::default();
        ClientBuilder { sender, ring, engine, receiver, other_events: None, observer: None }
    }

    /// The engine, for what has no method here, such as a [`Worker`](crate::Worker).
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The route that the platform's callbacks must reach, to serve or to merge into a router of
    /// yours. Serve it before the first pull.
    pub fn callback_router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Opens callbacks with this ring from now on, including those in flight. To rotate keys
    /// without a gap, set a ring with both pairs, change the platform's console, and set a ring
    /// with the new pair only.
    pub fn replace_keyring(&self, ring: Keyring) {
        self.ring.replace(ring);
    }

    /// The ring that opens callbacks now.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.ring.get()
    }

    /// What the client has counted so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Starts a pull and sends its request in the background: [`Engine::pull`].
    ///
    /// # Errors
    /// As [`Engine::pull`].
    pub async fn pull(&self, request: PullRequest) -> Result<Pull, PullError> {
        self.engine.pull(request).await
    }

    /// Starts a pull whose list `sink` will publish: [`Engine::pull_in_order`].
    ///
    /// # Errors
    /// As [`Engine::pull_in_order`].
    pub async fn pull_in_order(
        &self,
        request: PullRequest,
        sink: Arc<dyn Sink>,
    ) -> Result<Pull, PullError> {
        self.engine.pull_in_order(request, sink).await
    }

    /// Journals a pull for a [`Worker`](crate::Worker): [`Engine::enqueue`].
    ///
    /// # Errors
    /// As [`Engine::enqueue`].
    pub async fn enqueue(&self, request: PullRequest) -> Result<PullId, PullError> {
        self.engine.enqueue(request).await
    }

    /// The list of a pull that has ended, to read: [`Engine::list`].
    ///
    /// # Errors
    /// As [`Engine::list`].
    pub async fn list(&self, id: &PullId) -> Result<Option<PulledList>, PullError> {
        self.engine.list(id).await
    }

    /// Lists all robots of the app: [`Sender::robots`].
    ///
    /// # Errors
    /// As [`Sender::robots`].
    pub async fn robots(&self) -> Result<Robots, SendError> {
        self.sender.robots().await
    }

    /// Asks whether robots are online and enabled: [`Sender::robot_status`].
    ///
    /// # Errors
    /// As [`Sender::robot_status`].
    pub async fn robot_status(&self, robots: &[RobotId]) -> Result<RobotStates, SendError> {
        self.sender.robot_status(robots).await
    }

    /// Asks for up to 100 customers by their ids: [`Sender::accounts_by_ids`].
    ///
    /// # Errors
    /// As [`Sender::accounts_by_ids`].
    pub async fn accounts_by_ids(
        &self,
        robot: &RobotId,
        ids: &[AccountId],
        version: AccountsByIdsVersion,
    ) -> Result<AccountsByIds, SendError> {
        self.sender.accounts_by_ids(robot, ids, version).await
    }

    /// The next adopted pull: [`Engine::adopted`].
    pub async fn adopted(&self) -> Option<Pull> {
        self.engine.adopted().await
    }

    /// Resumes a pull that the journal knows: [`Engine::resume`].
    ///
    /// # Errors
    /// As [`Engine::resume`].
    pub async fn resume(&self, id: &PullId) -> Result<Pull, PullError> {
        self.engine.resume(id).await
    }

    /// Looks up customers by their ids, for [`PublishOptions::verify_gone`](crate::PublishOptions::verify_gone).
    #[must_use]
    pub fn account_lookup(&self, version: AccountsByIdsVersion) -> Arc<dyn AccountLookup> {
        Arc::new(ById(self.sender.clone(), version))
    }

    /// Forgets a pull that has ended, here and in the journal: [`Engine::forget`].
    ///
    /// # Errors
    /// As [`Engine::forget`].
    pub async fn forget(&self, id: &PullId) -> Result<(), PullError> {
        self.engine.forget(id).await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("sender", &self.sender).finish_non_exhaustive()
    }
}
