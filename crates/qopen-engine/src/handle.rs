//! The handle of the driver, for the other parts of the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qopen_journal::PullId;
use qopen_types::Digest;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::PullError;
use crate::fact::Fact;
use crate::held_claim::{Generation, HeldClaim};
use crate::messages::{Command, PullWatch, Start};
use crate::requester::RequestError;

/// Facts that may wait for the driver before their senders wait too.
const QUEUE: usize = 256;

/// The driver's inputs.
pub(crate) struct Inbox {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) facts: mpsc::Receiver<(Instant, Fact)>,
}

/// Tells the driver facts, and does not keep it alive.
#[derive(Clone)]
pub(crate) struct FactSender(mpsc::Sender<(Instant, Fact)>);

impl FactSender {
    /// Tells a fact of that time. Waits while too many are queued. False without a driver.
    pub(crate) async fn tell(&self, at: Instant, fact: Fact) -> bool {
        self.0.send((at, fact)).await.is_ok()
    }
}

/// Asks the driver. The driver stops when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct DriverHandle {
    commands: mpsc::UnboundedSender<Command>,
    facts: FactSender,
    generations: Arc<AtomicU64>,
}

impl DriverHandle {
    pub(crate) fn new() -> (Self, Inbox) {
        let (commands, command_queue) = mpsc::unbounded_channel();
        let (facts, fact_queue) = mpsc::channel(QUEUE);
        let handle = Self { commands, facts: FactSender(facts), generations: Arc::default() };
        (handle, Inbox { commands: command_queue, facts: fact_queue })
    }

    pub(crate) fn facts(&self) -> FactSender {
        self.facts.clone()
    }

    /// A number that no start of this process has.
    pub(crate) fn next_generation(&self) -> Generation {
        1 + self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// Holds the facts of a pull until it is started, or the guard is dropped.
    pub(crate) async fn hold(
        &self,
        pull: &PullId,
        generation: Generation,
    ) -> Result<HoldGuard, PullError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Hold { pull: pull.clone(), generation, reply })?;
        let guard = HoldGuard { driver: self.clone(), pull: pull.clone(), generation };
        answer.await.map_err(|_| PullError::Closed)?.map_err(PullError::Start)?;
        Ok(guard)
    }

    pub(crate) async fn start(
        &self,
        pull: &PullId,
        generation: Generation,
        start: Start,
    ) -> Result<PullWatch, PullError> {
        let (reply, answer) = oneshot::channel();
        let start = Box::new(start);
        self.ask(Command::Start { pull: pull.clone(), generation, start, reply })?;
        answer.await.map_err(|_| PullError::Closed)?.map_err(PullError::Start)
    }

    pub(crate) fn accepted(&self, pull: PullId, generation: Generation) {
        self.say(Command::Accepted(pull, generation));
    }

    pub(crate) fn not_sent(&self, pull: PullId, generation: Generation, error: RequestError) {
        self.say(Command::NotSent(pull, generation, error));
    }

    /// Ends a pull with what is there.
    pub(crate) fn cancel(&self, pull: PullId, generation: Generation) {
        self.say(Command::Cancel(pull, generation));
    }

    /// Forgets a pull that was followed under a claim. Does nothing before the pull is resumed.
    pub(crate) fn drop_pull(&self, held_claim: &HeldClaim) {
        if held_claim.generation() > 0 {
            self.say(Command::Drop(held_claim.pull().clone(), held_claim.generation()));
        }
    }

    /// Other processes refused callbacks that may have been pages.
    pub(crate) fn refused(&self, count: u64) {
        self.say(Command::Refused(count));
    }

    /// The journal has not answered the worker since then.
    pub(crate) fn outage_began(&self, since: Instant) {
        self.say(Command::OutageBegan(since));
    }

    /// The journal answers the worker again.
    pub(crate) fn outage_ended(&self) {
        self.say(Command::OutageEnded);
    }

    /// The pages of a pull that the driver does not know; `None` if it does not follow the pull.
    pub(crate) async fn missing(&self, pull: &PullId, kept: Vec<Digest>) -> Option<Vec<Digest>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Missing(pull.clone(), kept, reply)).ok()?;
        answer.await.ok()?
    }

    /// Passes on a fact that another process has kept.
    pub(crate) async fn tell(&self, fact: Fact) {
        self.facts.tell(Instant::now(), fact).await;
    }

    /// Forgets a pull that has ended.
    pub(crate) async fn forget(&self, pull: &PullId) -> Result<(), PullError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Forget(pull.clone(), reply))?;
        answer.await.map_err(|_| PullError::Closed)?
    }

    fn ask(&self, command: Command) -> Result<(), PullError> {
        self.commands.send(command).map_err(|_| PullError::Closed)
    }

    fn say(&self, command: Command) {
        // Without a driver no pull is followed: there is nothing to change.
        let _ = self.commands.send(command);
    }
}

/// Holds the facts of a pull until the pull is started, or the guard is dropped.
pub(crate) struct HoldGuard {
    driver: DriverHandle,
    pull: PullId,
    generation: Generation,
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        // Once the pull is started, nothing is held, and the command does nothing.
        self.driver.say(Command::Release(self.pull.clone(), self.generation));
    }
}
