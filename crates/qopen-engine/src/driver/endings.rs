//! Events of the assembler: progress and ends, noted in the journal and shown to waiting callers.

use std::sync::Arc;

use qopen_assembler::{Anomaly, Event, Failure, Fold, PullKey};
use qopen_journal::{Durability, Fencing, Note, PullId};

use super::state::Driver;
use crate::held_claim;
use crate::messages::PullEnd;
use crate::progress::Progress;
use crate::status::{Status, noted_basis};

impl Driver {
    /// Handles every event of the assembler.
    pub(super) async fn speak(&mut self) {
        while let Some(event) = self.assembler.poll_event() {
            match event {
                Event::Progressed { key } => self.update(&key, None),
                Event::Completed { key, basis, .. } => {
                    let noted = self.pulls.get(&key).and_then(|it| it.evidence.as_ref());
                    let basis = match noted.filter(|_| basis.earlier) {
                        Some(evidence) => noted_basis(basis, evidence),
                        None => basis,
                    };
                    self.end(&key, Status::Complete(basis)).await
                }
                Event::Failed { key, failure, .. } => {
                    let not_sent =
                        self.pulls.get_mut(&key).and_then(|tracked| tracked.not_sent.take());
                    let status = match (not_sent, failure) {
                        (Some(error), Failure::Silent | Failure::Cancelled)
                            if error.is_refusal() =>
                        {
                            Status::Refused(error)
                        }
                        (Some(error), Failure::Silent | Failure::Cancelled) => {
                            Status::NotSent(error)
                        }
                        // The owed page may be the last one.
                        (_, Failure::LastPageMissing) if self.is_owed(&key) => {
                            Status::of(Failure::OwedPages)
                        }
                        (_, failure) => Status::of(failure),
                    };
                    self.end(&key, status).await;
                }
                Event::Revised { key, revision, .. } => {
                    tracing::info!(pull = %key, revision, "pages came after the list was complete");
                    self.update(&key, None);
                }
                Event::Reopened { key } => self.reopened(&key).await,
                Event::Forgotten { key } => {
                    if let Some(tracked) = self.pulls.remove(&key) {
                        self.known.remove(&tracked.pull);
                    }
                }
                // It is kept, or is about to be, and makes a revision.
                Event::Anomaly(anomaly @ Anomaly::UnfoldedAfterEnd { .. }) => {
                    tracing::debug!(?anomaly, "anomaly");
                }
                Event::Anomaly(anomaly) => tracing::warn!(?anomaly, "anomaly"),
                other => tracing::debug!(?other, "an event that this driver does not use"),
            }
        }
    }

    /// Whether a page was signed or kept, and is not there.
    fn is_owed(&self, key: &PullKey) -> bool {
        self.assembler.fold(key).is_some_and(|fold| fold.owed() > 0)
    }

    /// A page came after the pull had failed: it is open again, in the journal too.
    async fn reopened(&mut self, key: &PullKey) {
        let Some(tracked) = self.pulls.get(key) else { return };
        let (pull, held_claim) = (tracked.pull.clone(), tracked.held_claim.clone());
        tracing::info!(%pull, "a page came after the pull had ended; it waits again");
        let journal = Arc::clone(&self.journal);
        let noted =
            self.ask(held_claim::note(&*journal, held_claim.as_ref(), &pull, Note::Resumed)).await;
        if let Err(error) = noted {
            // Its end follows, and is noted again.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%pull, error, "that the pull waits again was not journaled");
        }
        self.update(key, None);
    }

    pub(super) async fn end(&mut self, key: &PullKey, status: Status) {
        self.unnoted.remove(key);
        let Some(tracked) = self.pulls.get(key) else {
            return;
        };
        let pull = tracked.pull.clone();
        tracked.spans.pull().in_scope(|| {
            tracing::info!(%pull, status = %status.end_state(), "pull ended");
        });
        let progress = self.assembler.progress(key);
        let (accounts, pages) =
            progress.map_or((0, 0), |it| (it.figures.accounts as u64, it.figures.pages as u64));
        let why = status.to_string();
        let note = Note::Ended {
            status: status.end_state(),
            why,
            accounts,
            pages,
            evidence: status.evidence(),
            reason: status.reason(),
        };
        let ended_before = matches!(&status, Status::Complete(basis) if basis.earlier);
        if !ended_before {
            let (held_claim, journal) = (tracked.held_claim.clone(), Arc::clone(&self.journal));
            match self.ask(held_claim::note(&*journal, held_claim.as_ref(), &pull, note)).await {
                Ok(Fencing::Fenced) => {
                    tracing::warn!(%pull, "another worker has taken the pull over");
                    return self.drop_pull(&pull);
                }
                Ok(_) => {}
                Err(error) => {
                    // The pages count, and they are kept: the end follows from them again.
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(%pull, error, "the end was not journaled");
                    if held_claim.is_some() {
                        // The pull must not count as ended before that is noted.
                        self.unnoted.insert(key.clone(), status);
                        return;
                    }
                }
            }
        }
        if !ended_before {
            self.stats.count_end(status.kind());
        }
        // A page may reopen a failed pull, so its fold stays where it is.
        let fold = match status {
            Status::Complete(_) => self.assembler.take_fold(key).map(Arc::new),
            _ => self.assembler.share_fold(key),
        };
        let fold = fold.unwrap_or_else(|| Arc::new(Fold::new(key)));
        let changes = self.pulls.get(key).and_then(|it| it.changes);
        self.update(key, Some(PullEnd { status, fold, changes }));
    }

    pub(super) fn update(&mut self, key: &PullKey, ended: Option<PullEnd>) {
        let Some(tracked) = self.pulls.get(key) else {
            return;
        };
        let progress = self.progress(key, &tracked.pull);
        let Some(tracked) = self.pulls.get_mut(key) else { return };
        match &ended {
            Some(end) => tracked.spans.end(end.status.kind(), &progress),
            None => tracked.spans.moved(&progress),
        }
        tracked.view.send_modify(|view| {
            view.progress = progress;
            view.ended = ended.or(view.ended.take());
        });
    }

    pub(super) fn progress(&self, key: &PullKey, pull: &PullId) -> Progress {
        // Asked only of pulls that are open or remembered.
        let mut progress = Progress::new(pull, self.assembler.progress(key), self.now());
        if let Some(tracked) = self.pulls.get(key) {
            progress.elapsed += tracked.elapsed;
        }
        progress
    }

    /// Forgets a pull that neither the assembler nor a caller holds any more.
    pub(super) async fn forget(&mut self, pull: PullId) {
        if self.pulls.contains_key(&PullKey::from(&pull)) {
            // The mark is in use again, and what is kept under it is wanted.
            return;
        }
        if self.journal.durability() != Durability::Memory {
            // A journal on disk keeps the pages for as long as its owner wants. A page that was in
            // flight when the owner forgot the rest is forgotten too.
            if !self.forgotten.contains(&pull) {
                return;
            }
        }
        if let Err(error) = self.journal.forget(&pull).await {
            tracing::warn!(%pull, error = &error as &dyn std::error::Error, "not forgotten");
        }
    }
}
