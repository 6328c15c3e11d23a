//! Facts: when the assembler takes each, and what it opens.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Fold, PullKey, PullOptions, Time, Verdict};
use qopen_journal::PullId;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Span;

use super::state::{Driver, TrackedPull};
use crate::fact::{Fact, report_of};
use crate::held_claim::Generation;
use crate::messages::{PagePin, PullView, PullWatch};
use crate::spans::{self, Origin, PullSpans};

impl Driver {
    pub(super) async fn take_at(&mut self, arrived: Instant, fact: Fact) {
        let at = self.time_of(arrived);
        self.pass(at).await;
        self.take(at, fact);
    }

    /// Handles every event, and hands in the facts that waited for room.
    pub(super) async fn settle(&mut self) {
        self.speak().await;
        while let Some((at, fact)) = self.waiting.pop_front() {
            self.hand_in(at, fact);
            self.speak().await;
        }
    }

    pub(super) fn take(&mut self, now: Time, fact: Fact) {
        match self.assembler.is_backlogged() || !self.waiting.is_empty() {
            true => self.waiting.push_back((now, fact)),
            false => self.hand_in(now, fact),
        }
    }

    fn hand_in(&mut self, now: Time, fact: Fact) {
        let fact = match fact {
            Fact::Adopted { pull, options, facts, reply } => {
                let is_followed = self.adopt(now, &pull, options);
                // The caller may have gone.
                let _ = reply.send(is_followed);
                return facts.into_iter().filter(|_| is_followed).for_each(|it| self.take(now, it));
            }
            fact => fact,
        };
        if let Some(held) = self.held.get_mut(&PullKey::from(fact.pull())) {
            held.facts.push((now, fact));
            return;
        }
        match fact {
            Fact::Page(pull, digest, page) => {
                let verdict = self.assembler.handle_page(now, page.into_page(digest));
                tracing::debug!(%pull, ?verdict, "page");
                match verdict {
                    // Kept without an owner: the pull was forgotten meanwhile.
                    Verdict::Unknown => drop(self.released.send(pull)),
                    // Callers that wait until the list is settled learn that it is not.
                    Verdict::Late => self.update(&PullKey::from(&pull), None),
                    _ => {}
                }
            }
            Fact::Unreadable(pull, digest) => {
                self.assembler.handle_unreadable_page(now, &PullKey::from(&pull), digest);
            }
            Fact::Owed(pull, digest) => {
                self.assembler.handle_owed_page(now, &PullKey::from(&pull), digest);
            }
            Fact::Released(pull, digest) => {
                self.assembler.handle_released(now, &PullKey::from(&pull), digest);
            }
            Fact::Error { pull, code, message } => {
                self.assembler.handle_error(now, report_of(&pull, code, message));
            }
            Fact::Adopted { .. } => {}
        }
    }

    /// Opens a pull that another system requested. False if there is no room for it.
    fn adopt(&mut self, now: Time, pull: &PullId, options: PullOptions) -> bool {
        let key = PullKey::from(pull);
        if self.pulls.contains_key(&key) || self.held.contains_key(&key) {
            return true;
        }
        let is_open = self.assembler.start(now, key, options).is_ok();
        if is_open {
            let span = spans::pull(pull, Origin::External);
            let watched = self.enter(pull.clone(), 0, span);
            // If no caller asks for adopted pulls, they go on unseen.
            let _ = self.adopted.try_send((pull.clone(), watched));
        }
        is_open
    }

    pub(super) fn enter(&mut self, pull: PullId, generation: Generation, span: Span) -> PullWatch {
        let key = PullKey::from(&pull);
        let pin = Arc::new(PagePin { pull: pull.clone(), released: self.released.clone() });
        let progress = self.progress(&key, &pull);
        let (view, watching) = watch::channel(PullView { progress, ended: None, gone: false });
        self.known.insert(&pull);
        self.forgotten.remove(&pull);
        let tracked = TrackedPull {
            pull,
            generation,
            view,
            _pin: Arc::clone(&pin),
            not_sent: None,
            elapsed: Duration::ZERO,
            held_claim: None,
            evidence: None,
            changes: None,
            spans: PullSpans::begin(span.clone()),
        };
        self.pulls.insert(key, tracked);
        PullWatch { view: watching, pin, span }
    }
}

/// Whether any page is known to have come.
pub(super) fn has_anything(fold: &Fold) -> bool {
    fold.pages() + fold.unreadable() + fold.owed() > 0
}
