//! The loop: commands, facts, refusals and time, one after another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use qopen_assembler::{Assembler, Config};
use qopen_journal::{Journal, PullId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::{BEFORE, Driver};
use crate::counts::EngineStats;
use crate::handle::Inbox;
use crate::known::KnownPulls;
use crate::messages::PullWatch;
use crate::refusals::{RefusalSource, Refused};

impl Driver {
    /// Runs until the last engine is gone: no commands and no facts can come any more.
    pub(crate) async fn run(
        config: Config,
        journal: Arc<dyn Journal>,
        known: Arc<KnownPulls>,
        adopted: mpsc::Sender<(PullId, PullWatch)>,
        inbox: Inbox,
        refusals: Arc<dyn RefusalSource>,
        stats: EngineStats,
    ) {
        let Inbox { mut commands, facts } = inbox;
        let refusing = Arc::clone(&refusals);
        let (released, mut releases) = mpsc::unbounded_channel();
        let assembler = Assembler::new(config);
        let epoch = Instant::now();
        let (pulls, held) = (BTreeMap::new(), BTreeMap::new());
        let forgotten = BTreeSet::new();
        let mut driver = Self {
            assembler,
            epoch,
            pulls,
            adopted,
            held,
            journal,
            known,
            stats,
            released,
            facts,
            forgotten,
            refusals,
            refused: 0,
            heard: epoch,
            away: None,
            is_deaf: false,
            is_worker_deaf: false,
            unnoted: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        loop {
            let due = driver.assembler.poll_timeout();
            // A time too far away to be named never comes.
            let due = due
                .and_then(|due| driver.epoch.checked_add(due.to_duration().saturating_sub(BEFORE)));
            // Arrived facts come before due times: a page that waited in the queue is not late.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => {
                        // Facts that arrived before the command happened before it.
                        while let Ok((arrived, fact)) = driver.facts.try_recv() {
                            driver.take_at(arrived, fact).await;
                        }
                        let now = driver.now();
                        driver.pass(now).await;
                        driver.obey(now, command);
                    }
                    None => break,
                },
                Some((arrived, fact)) = driver.facts.recv() => driver.take_at(arrived, fact).await,
                Some(pull) = releases.recv() => driver.forget(pull).await,
                () = refusing.more_than(driver.refused) => driver.count_refusals(),
                () = sleep_until(driver.away), if driver.away.is_some() => driver.ask_again().await,
                () = sleep_until(due), if due.is_some() => {
                    let now = driver.now();
                    driver.pass(now).await;
                }
            }
            driver.settle().await;
        }
    }

    /// Tells the assembler of new refusals.
    pub(super) fn count_refusals(&mut self) {
        let Refused { count, last, .. } = self.refusals.refused();
        if count > self.refused {
            let at = last.map_or_else(Instant::now, Instant::from_std);
            let at = self.time_of(at);
            // Several may have been counted since then, and the basis names their number.
            self.assembler.handle_refusals(at, count - self.refused);
            self.refused = count;
        }
    }
}

/// Pending where nothing is due; the branch is disabled then.
async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due).await;
    }
}
