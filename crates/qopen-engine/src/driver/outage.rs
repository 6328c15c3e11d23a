//! A journal that does not answer: nothing ends by silence until it does.

use std::sync::Arc;
use std::time::Duration;

use qopen_journal::JournalError;
use tokio::time::Instant;

use super::state::Driver;
use crate::held_claim::HUNG;

/// How long after it did not answer the journal is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl Driver {
    /// Asks the journal, and notes whether it answers.
    pub(super) async fn ask<T>(
        &mut self,
        question: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let asked = Instant::now();
        let answer = question.await;
        let retryable = answer.as_ref().is_err_and(JournalError::is_retryable);
        if retryable || asked.elapsed() > HUNG {
            self.outage_began(self.heard.max(asked - HUNG.min(asked - self.epoch)));
        }
        if !retryable {
            self.outage_ended();
        }
        answer
    }

    pub(super) fn outage_began(&mut self, since: Instant) {
        if !std::mem::replace(&mut self.is_deaf, true) {
            tracing::warn!("the journal does not answer: nothing ends by silence until it does");
        }
        self.away = Some(Instant::now() + AGAIN);
        let (now, since) = (self.now(), self.time_of(since));
        self.assembler.handle_outage_began(now, since);
    }

    pub(super) fn outage_ended(&mut self) {
        self.heard = Instant::now();
        self.away = None;
        if !self.is_worker_deaf && std::mem::take(&mut self.is_deaf) {
            tracing::info!("the journal answers again");
            let now = self.now();
            self.assembler.handle_outage_ended(now);
        }
    }

    /// The journal did not answer a while ago: whether it does now.
    pub(super) async fn ask_again(&mut self) {
        self.away = Some(Instant::now() + AGAIN);
        let journal = Arc::clone(&self.journal);
        let any = self.pulls.values().next().map(|it| it.pull.clone());
        let Some(pull) = any else { return self.outage_ended() };
        if self.ask(async move { journal.knows(&pull).await }).await.is_ok() {
            for (key, status) in std::mem::take(&mut self.unnoted) {
                self.end(&key, status).await;
            }
        }
    }
}
