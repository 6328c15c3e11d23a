//! How pulls end, are remembered, and are forgotten.

use std::collections::BTreeSet;

use crate::assembler::{Assembler, Tombstone, Verdict};
use crate::event::{Anomaly, Event, Failure, Limit};
use crate::fold::Fold;
use crate::key::{Keyed, PullKey};
use crate::pull::{Ending, Progress, Pull, State, WaitingFor};
use crate::time::Time;

impl<T: Keyed> Assembler<T> {
    /// Moves time on, and does what was due on the way, in the order of its time.
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        let now = self.now.max(now);
        while self.schedule.first().is_some_and(|(due, _)| *due <= now) {
            let Some((due, key)) = self.schedule.pop_first() else {
                break;
            };
            self.now = self.now.max(due);
            match self.open.get(&key).map(Pull::ending) {
                Some(ending) => self.end(&key, ending),
                None => self.forget_ended(key),
            }
        }
        self.now = now;
        now
    }

    pub(crate) fn over_limit(&mut self, key: &PullKey, limit: Limit) -> Verdict {
        self.end(key, Ending::Failed(Failure::LimitReached(limit)));
        Verdict::LimitReached
    }

    /// Puts the pull at its new place in the schedule and lets it be known.
    pub(crate) fn changed(&mut self, key: &PullKey) {
        let Some(pull) = self.open.get_mut(key) else {
            return;
        };
        let due = pull.due();
        if due != pull.scheduled {
            self.schedule.remove(&(pull.scheduled, key.clone()));
            pull.scheduled = due;
            self.schedule.insert((due, key.clone()));
        }
        if !std::mem::replace(&mut pull.announced, true) {
            self.events.push_back(Event::Progressed { key: key.clone() });
        }
    }

    /// Ends an open pull and remembers it for a while.
    pub(crate) fn end(&mut self, key: &PullKey, ending: Ending) {
        let Some(pull) = self.open.remove(key) else {
            return;
        };
        self.schedule.remove(&(pull.scheduled, key.clone()));
        let mut progress = pull.progress();
        progress.waiting_for = WaitingFor::Nothing;
        progress.due = None;
        let key = key.clone();
        self.events.push_back(match ending {
            Ending::Complete(basis) => {
                progress.state = State::Completed;
                progress.revision = 1;
                Event::Completed { key: key.clone(), basis, progress }
            }
            Ending::Failed(failure) => {
                progress.state = State::Failed;
                Event::Failed { key: key.clone(), failure, progress }
            }
        });
        self.remember(key, pull.fold, progress);
    }

    fn remember(&mut self, key: PullKey, fold: Fold, progress: Progress) {
        // At least one is remembered: the one that ends now.
        if self.ended.len() >= self.config.limits.tombstones.max(1) {
            let oldest = self.schedule.iter().find(|(_, key)| self.ended.contains_key(key));
            if let Some((expires, oldest)) = oldest.cloned() {
                self.schedule.remove(&(expires, oldest.clone()));
                self.forget_ended(oldest);
            }
        }
        let expires = self.now + self.config.retention;
        self.schedule.insert((expires, key.clone()));
        let tombstone = Tombstone { fold: Some(fold), pages: BTreeSet::new(), progress, expires };
        self.ended.insert(key, tombstone);
    }

    pub(crate) fn forget_ended(&mut self, key: PullKey) {
        if let Some(tombstone) = self.ended.remove(&key) {
            self.parting.insert(key.clone(), tombstone);
            self.events.push_back(Event::Forgotten { key });
        }
    }

    pub(crate) fn anomaly(&mut self, anomaly: Anomaly) {
        if self.events.len() < self.config.limits.queued_events {
            self.events.push_back(Event::Anomaly(anomaly));
        } else {
            self.counters.unqueued_anomalies += 1;
        }
    }
}
