//! The task that claims, renews, and passes on what other processes keep.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use qopen_journal::{Claim, ClaimQueue, Fencing, JournalError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::claimed::ClaimedPull;
use super::options::WorkerOptions;
use crate::engine::Engine;
use crate::fact::Unseen;
use crate::handle::DriverHandle;
use crate::held_claim::{HUNG, HeldClaim};

/// The longest time between two looks: hints may be lost.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two looks, however many hints arrive.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Keeper {
    engine: Engine,
    journal: Arc<dyn ClaimQueue>,
    options: WorkerOptions,
    held: Vec<Weak<HeldClaim>>,
    /// When the journal answered last.
    heard: Instant,
    /// Refusals of other processes that the driver was told of.
    refusals: Option<u64>,
}

/// An outage of the journal, as the driver knows it. Dropping it ends the outage.
struct Outage {
    driver: DriverHandle,
    is_on: bool,
}

impl Outage {
    fn new(driver: DriverHandle) -> Self {
        Self { driver, is_on: false }
    }

    /// Tells the driver that the journal has not answered since then.
    fn begin(&mut self, since: Instant) {
        self.is_on = true;
        self.driver.outage_began(since);
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_on) {
            self.driver.outage_ended();
        }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.end();
    }
}

impl Keeper {
    pub(super) fn new(
        engine: Engine,
        journal: Arc<dyn ClaimQueue>,
        options: WorkerOptions,
    ) -> Self {
        Self { engine, journal, options, held: Vec::new(), heard: Instant::now(), refusals: None }
    }

    pub(super) async fn run(mut self, claimed: mpsc::Sender<ClaimedPull>) {
        let mut troubled = false;
        let mut outage = Outage::new(self.engine.driver().clone());
        loop {
            let done = self.look(&claimed, &mut outage).await;
            match done {
                Ok(()) => {
                    self.heard = Instant::now();
                    troubled = false;
                    outage.end();
                }
                Err(error) => {
                    outage.begin(self.heard);
                    let error = &error as &dyn std::error::Error;
                    match std::mem::replace(&mut troubled, true) {
                        false => tracing::error!(error, "claims cannot be made or renewed"),
                        true => tracing::debug!(error, "claims cannot be made or renewed"),
                    }
                }
            }
            sleep(PAUSE).await;
            self.journal.wait(POLL.min(self.options.lease / 3)).await;
        }
    }

    /// Renews and claims. Tells the driver when the journal takes long to answer: until it does, the
    /// driver would count the time as quiet.
    async fn look(
        &mut self,
        claimed: &mpsc::Sender<ClaimedPull>,
        outage: &mut Outage,
    ) -> Result<(), JournalError> {
        let (heard, asked) = (self.heard, Instant::now());
        let done = {
            let mut work = pin!(async {
                self.keep().await?;
                self.claim(claimed).await
            });
            tokio::select! {
                done = &mut work => done,
                () = sleep(HUNG) => {
                    outage.begin(heard);
                    work.await
                }
            }
        };
        // A process that was suspended meanwhile says so too.
        if asked.elapsed() > HUNG {
            outage.begin(heard);
        }
        done
    }

    /// Renews the claims, and passes on what other processes have kept of their pulls.
    async fn keep(&mut self) -> Result<(), JournalError> {
        let held: Vec<Arc<HeldClaim>> = self.held.iter().filter_map(Weak::upgrade).collect();
        let (stalled, held): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|it| it.is_stalled(self.options.stalled));
        for held_claim in &stalled {
            tracing::error!(pull = %held_claim.pull(), "its publication has stopped; it is given up");
            held_claim.give_up();
            self.engine.driver().drop_pull(held_claim);
        }
        let is_stalled = |it: &Weak<HeldClaim>| {
            stalled.iter().any(|of| std::ptr::eq(it.as_ptr(), Arc::as_ptr(of)))
        };
        self.held.retain(|it| it.strong_count() > 0 && !is_stalled(it));
        let claims: Vec<Claim> = held.iter().map(|it| it.claim().clone()).collect();
        let asked = Instant::now();
        let renewed = self.journal.renew(&claims, self.options.lease).await?;
        // The journal tells news once: record all of it before anything is awaited.
        for (held_claim, renewed) in held.iter().zip(renewed) {
            if held_claim.renewed(renewed) == Fencing::Fenced {
                // A finished claim is expected here.
                match held_claim.is_finished() {
                    true => tracing::debug!(pull = %held_claim.pull(), "a claim has ended"),
                    false => {
                        tracing::warn!(pull = %held_claim.pull(), "another worker has taken the pull over");
                    }
                }
                self.engine.driver().drop_pull(held_claim);
                self.held.retain(|it| !std::ptr::eq(it.as_ptr(), Arc::as_ptr(held_claim)));
            }
        }
        let refusals = self.journal.noted_refusals().await?;
        let before = self.refusals.replace(refusals).unwrap_or(refusals);
        if refusals > before {
            self.engine.driver().refused(refusals - before);
        }
        for held_claim in held.iter().filter(|it| it.is_unseen() && !it.is_lost()) {
            // Telling must not delay the next renewal.
            if asked.elapsed() > self.options.lease / 3 {
                break;
            }
            // Cleared before the telling: what comes meanwhile is told again.
            held_claim.set_unseen(false);
            match self.tell(held_claim).await {
                Ok(true) => {}
                Err(error) if !error.is_retryable() => {
                    // One damaged pull must not stop the others. The driver meets the damage again when
                    // the pull ends.
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(pull = %held_claim.pull(), error, "its pages cannot be read");
                }
                not_told => {
                    held_claim.set_unseen(true);
                    if held_claim.is_finished() {
                        // The caller that finished the pull may not have seen this.
                        self.journal.enqueue(held_claim.pull()).await?;
                    }
                    not_told?;
                }
            }
        }
        Ok(())
    }

    async fn claim(&mut self, claimed: &mpsc::Sender<ClaimedPull>) -> Result<(), JournalError> {
        let room = self.options.most.saturating_sub(self.held.len());
        if room == 0 || claimed.is_closed() {
            return Ok(());
        }
        let WorkerOptions { id, lease, .. } = &self.options;
        for claim in self.journal.claim(id, *lease, room).await? {
            let held_claim = Arc::new(HeldClaim::new(Arc::clone(&self.journal), claim, *lease));
            self.held.push(Arc::downgrade(&held_claim));
            // The channel has room for all claims. Without a receiver they end with their leases.
            let _ = claimed.try_send(ClaimedPull::new(held_claim, self.engine.clone()));
        }
        Ok(())
    }

    /// Tells the driver what it does not know of a pull. Returns false if the driver does not follow the
    /// pull: not yet, or not any more.
    async fn tell(&self, held_claim: &HeldClaim) -> Result<bool, JournalError> {
        let pull = held_claim.pull();
        let (driver, told) = (self.engine.driver(), held_claim.told().clone());
        let (kept, cursor) = self.journal.digests_since(pull, told.as_ref()).await?;
        let Some(missing) = driver.missing(pull, kept).await else { return Ok(false) };
        let mut unseen = Unseen::of(&*self.journal, pull, &missing).await?;
        while let Some(fact) = unseen.next().await? {
            driver.tell(fact).await;
        }
        *held_claim.told() = cursor;
        if unseen.is_cancel_requested() {
            driver.cancel(pull.clone(), held_claim.generation());
        }
        Ok(true)
    }
}
