//! Passing time: a pull ends by silence only when no earlier fact is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use qopen_assembler::{PullKey, Time, WaitingFor};
use qopen_journal::{JournalError, PullId};

use super::state::Driver;
use crate::fact::{digest_of, fact_of, notes_of};

impl Driver {
    /// Lets time pass up to `now`. Another process may have kept pages of a pull under a claim, so
    /// the pull ends by silence only when the journal has nothing new.
    pub(super) async fn pass(&mut self, now: Time) {
        // Earlier refusals are not quiet.
        self.count_refusals();
        let mut looked_at = BTreeSet::new();
        while let Some(due) = self.assembler.poll_timeout().filter(|due| *due <= now) {
            let ripe = self.ripe(due, &looked_at);
            if ripe.is_empty() {
                self.assembler.handle_timeout(due);
                continue;
            }
            // Pages found here, and waiting facts, came the moment before.
            let before =
                Time::since_epoch(due.to_duration().saturating_sub(Duration::from_nanos(1)));
            self.assembler.handle_timeout(before);
            for (key, pull) in ripe {
                match self.look_at(before, &key, &pull).await {
                    Ok(()) => drop(looked_at.insert(key)),
                    // Nothing ends by silence until it answers.
                    Err(error) if error.is_retryable() => {
                        let error = &error as &dyn std::error::Error;
                        tracing::debug!(%pull, error, "the journal cannot be read");
                        return;
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(%pull, error, "the journal cannot be read; left for now");
                        self.let_go_of(&pull);
                    }
                }
            }
            while let Ok((_, fact)) = self.facts.try_recv() {
                self.take(before, fact);
            }
            if !self.waiting.is_empty() {
                // Earlier facts come before a due time.
                self.settle().await;
            }
        }
    }

    /// The pulls under a claim that end at that time, but for those that were looked at.
    fn ripe(&self, due: Time, looked_at: &BTreeSet<PullKey>) -> Vec<(PullKey, PullId)> {
        let open = self.assembler.open_pulls().filter(|key| !looked_at.contains(key));
        let ripe = open.filter_map(|key| {
            let entered = self.pulls.get(key).filter(|it| it.tenure.is_some())?;
            let progress = self.assembler.progress(key)?;
            let waits = progress.waiting_for == WaitingFor::Acceptance;
            let ripe = !waits && progress.due.is_some_and(|it| it <= due);
            ripe.then(|| (key.clone(), entered.pull.clone()))
        });
        ripe.collect()
    }

    /// Takes the pages that the journal has and the driver does not.
    async fn look_at(
        &mut self,
        at: Time,
        key: &PullKey,
        pull: &PullId,
    ) -> Result<(), JournalError> {
        let journal = Arc::clone(&self.journal);
        let mut missing = self.ask(journal.digests(pull)).await?;
        missing.retain(|it| !self.assembler.has_page(key, digest_of(*it)));
        if !missing.is_empty() {
            let mut pages = self.ask(journal.pages_of(pull, &missing)).await?;
            while let Some(page) = self.ask(async { pages.next().await.transpose() }).await? {
                self.take(at, fact_of(page));
            }
        }
        if let Some(state) = self.ask(journal.pull(pull)).await? {
            for fact in self.ask(notes_of(&*journal, &state)).await? {
                self.take(at, fact);
            }
        }
        Ok(())
    }
}
