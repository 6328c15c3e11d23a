//! The end of a pull, its retention, and its removal.

use crate::assembler::Assembler;
use crate::event::{Anomaly, Event, Failure, Limit};
use crate::input::Verdict;
use crate::key::{Keyed, PullKey};
use crate::progress::{PullProgress, State, WaitingFor};
use crate::pull::{Ending, Pull};
use crate::time::Time;
use crate::tombstone::{Late, Tombstone};

impl<T: Keyed> Assembler<T> {
    /// Moves time on to `now`, and does what was due on the way, in order of time.
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        let now = self.now.max(now);
        while self.schedule.first().is_some_and(|(due, _)| *due <= now) {
            let Some((due, key)) = self.schedule.pop_first() else {
                break;
            };
            self.now = self.now.max(due);
            let Some(pull) = self.open.get_mut(&key) else {
                self.ended_is_due(key, due);
                continue;
            };
            // A refusal or an outage since then may have given it more time.
            let postponed = pull.due(&self.hearing);
            if postponed > due {
                pull.scheduled = postponed;
                self.schedule.insert((postponed, key));
                continue;
            }
            let ending = pull.ending(&self.hearing);
            self.end(&key, ending);
        }
        self.now = now;
        now
    }

    pub(crate) fn over_limit(&mut self, key: &PullKey, limit: Limit) -> Verdict {
        self.end(key, Ending::Failed(Failure::LimitReached(limit)));
        Verdict::LimitReached
    }

    /// Reschedules the pull and emits its progress.
    pub(crate) fn changed(&mut self, key: &PullKey) {
        let Some(pull) = self.open.get_mut(key) else {
            return;
        };
        let due = pull.due(&self.hearing);
        if due != pull.scheduled {
            self.schedule.remove(&(pull.scheduled, key.clone()));
            pull.scheduled = due;
            self.schedule.insert((due, key.clone()));
        }
        if !core::mem::replace(&mut pull.announced, true) {
            self.events.push_back(Event::Progressed { key: key.clone() });
        }
    }

    /// Ends an open pull and remembers it for the retention.
    pub(crate) fn end(&mut self, key: &PullKey, ending: Ending) {
        let Some(pull) = self.open.remove(key) else {
            return;
        };
        self.schedule.remove(&(pull.scheduled, key.clone()));
        let mut progress = pull.progress(&self.hearing);
        progress.waiting_for = WaitingFor::Nothing;
        progress.due = None;
        let key = key.clone();
        let ended_from_outside = matches!(
            ending,
            Ending::Failed(
                Failure::Reported { .. } | Failure::Cancelled | Failure::LimitReached(_)
            )
        );
        self.events.push_back(match ending {
            Ending::Complete(basis) => {
                progress.state = State::Completed;
                progress.figures.revision = 1;
                Event::Completed { key: key.clone(), basis, progress }
            }
            Ending::Failed(failure) => {
                progress.state = State::Failed;
                Event::Failed { key: key.clone(), failure, progress }
            }
        });
        self.remember(key, pull, progress, !ended_from_outside, None);
    }

    pub(crate) fn remember(
        &mut self,
        key: PullKey,
        pull: Pull,
        progress: PullProgress,
        revivable: bool,
        late: Option<Late>,
    ) {
        // The pull that ends now is always remembered.
        if self.ended.len() >= self.config.limits.tombstones.max(1) {
            let oldest = self.schedule.iter().find(|(_, key)| self.ended.contains_key(key));
            if let Some((due, oldest)) = oldest.cloned() {
                self.schedule.remove(&(due, oldest.clone()));
                self.forget_ended(oldest);
            }
        }
        let expires = self.now + self.config.retention;
        let revivable = revivable && progress.state != State::Completed;
        let tombstone = Tombstone { pull, taken: false, revivable, progress, expires, late };
        self.schedule.insert((tombstone.due(), key.clone()));
        self.ended.insert(key, tombstone);
    }

    /// Revises an ended pull with late pages, or forgets one whose retention has passed.
    fn ended_is_due(&mut self, key: PullKey, due: Time) {
        let Some(tombstone) = self.ended.get_mut(&key) else { return };
        if tombstone.expires <= due {
            return self.forget_ended(key);
        }
        self.revise(&key);
        if let Some(tombstone) = self.ended.get(&key) {
            self.schedule.insert((tombstone.due(), key));
        }
    }

    /// Emits a new revision, if late pages have come.
    fn revise(&mut self, key: &PullKey) {
        let Some(tombstone) = self.ended.get_mut(key) else { return };
        let Some(late) = tombstone.late.take() else { return };
        let revision = tombstone.progress.figures.revision.saturating_add(1);
        tombstone.progress.figures.revision = revision;
        tombstone.progress.figures.revising = false;
        self.events.push_back(Event::Revised { key: key.clone(), page: late.page, revision });
    }

    /// Reopens a pull that had failed.
    pub(crate) fn reopen(&mut self, key: &PullKey) {
        let Some(mut tombstone) = self.ended.remove(key) else { return };
        self.schedule.remove(&(tombstone.due(), key.clone()));
        tombstone.pull.reopen(self.now);
        tombstone.pull.scheduled = tombstone.pull.due(&self.hearing);
        self.schedule.insert((tombstone.pull.scheduled, key.clone()));
        self.open.insert(key.clone(), tombstone.pull);
        self.events.push_back(Event::Reopened { key: key.clone() });
        self.changed(key);
    }

    pub(crate) fn forget_ended(&mut self, key: PullKey) {
        self.revise(&key);
        if let Some(tombstone) = self.ended.remove(&key) {
            self.forgetting.insert(key.clone(), tombstone);
            self.events.push_back(Event::Forgotten { key });
        }
    }

    pub(crate) fn anomaly(&mut self, anomaly: Anomaly) {
        if self.events.len() < self.config.limits.queued_events {
            self.events.push_back(Event::Anomaly(anomaly));
        } else {
            self.counters.unqueued_anomalies = self.counters.unqueued_anomalies.saturating_add(1);
        }
    }
}
