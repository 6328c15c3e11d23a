//! Commands of the other parts of the engine to the driver.

use std::sync::Arc;

use qopen_assembler::{PullKey, StartError, Time};
use qopen_journal::PullId;

use super::matching::has_anything;
use super::state::{Driver, Held};
use crate::error::PullError;
use crate::fact::report_of;
use crate::held_claim::Generation;
use crate::messages::{Command, PullWatch, Start};
use crate::requester::RequestError;

/// Forgotten pulls that are remembered as such.
const FORGOTTEN: usize = 1024;

impl Driver {
    pub(super) fn obey(&mut self, now: Time, command: Command) {
        match command {
            Command::Hold { pull, generation, reply } => {
                let key = PullKey::from(&pull);
                let taken = self.pulls.contains_key(&key) || self.held.contains_key(&key);
                if !taken {
                    self.known.insert(&pull);
                    self.held.insert(key, Held { generation, facts: Vec::new() });
                }
                // The caller releases it, or has.
                let _ = reply.send(if taken { Err(StartError::Known) } else { Ok(()) });
            }
            Command::Release(pull, generation) => {
                let key = PullKey::from(&pull);
                // Facts of the meantime are in the journal.
                if self.held.get(&key).is_some_and(|held| held.generation == generation) {
                    self.held.remove(&key);
                    self.forget_unstarted(&pull);
                }
            }
            Command::Start { pull, generation, start, reply } => {
                let key = PullKey::from(&pull);
                let answer = self.start(now, pull, generation, *start);
                let ours = answer.is_ok();
                if reply.send(answer).is_err() && ours {
                    // The caller has gone. The pull was open a moment ago.
                    let _ = self.assembler.cancel(now, &key);
                }
            }
            Command::Accepted(pull, generation) => {
                if self.is_current(&pull, generation) {
                    self.assembler.handle_accepted(now, &PullKey::from(&pull));
                }
            }
            Command::NotSent(pull, generation, error) => {
                if self.is_current(&pull, generation) {
                    self.not_sent(now, &pull, error);
                }
            }
            Command::Drop(pull, generation) => {
                if self.is_current(&pull, generation) {
                    self.drop_pull(&pull);
                }
            }
            Command::Refused(count) => self.assembler.handle_refusals(now, count),
            Command::OutageBegan(since) => {
                self.is_worker_deaf = true;
                self.outage_began(since);
            }
            Command::OutageEnded => {
                self.is_worker_deaf = false;
                self.outage_ended();
            }
            Command::Missing(pull, kept, reply) => {
                let key = PullKey::from(&pull);
                let missing = self.assembler.progress(&key).map(|_| self.missing(&key, kept));
                // The caller may have gone.
                let _ = reply.send(missing);
            }
            Command::Forget(pull, reply) => {
                // The caller may have gone.
                let _ = reply.send(self.forget_ended(now, pull));
            }
            Command::Cancel(pull, generation) => {
                if self.is_current(&pull, generation) {
                    // Most likely it has ended: a handle cancels on drop.
                    let _ = self.assembler.cancel(now, &PullKey::from(&pull));
                }
            }
        }
    }

    fn start(
        &mut self,
        now: Time,
        pull: PullId,
        generation: Generation,
        mut start: Start,
    ) -> Result<PullWatch, StartError> {
        let key = PullKey::from(&pull);
        let held = self.held.remove(&key).map(|held| held.facts).unwrap_or_default();
        let options = start.options;
        let started = match (start.ended, start.fold.take_if(|_| start.ended.is_some())) {
            (Some((revision, late)), Some(fold)) => {
                self.assembler.start_completed(now, key, options, fold, revision, late)
            }
            _ => self.assembler.start(now, key, options),
        };
        let id = pull.clone();
        let watched = started.map(|()| self.begin(now, pull, generation, start));
        self.forget_unstarted(&id);
        held.into_iter().for_each(|(at, fact)| self.take(at, fact));
        watched
    }

    fn forget_ended(&mut self, now: Time, pull: PullId) -> Result<(), PullError> {
        let key = PullKey::from(&pull);
        if self.held.contains_key(&key) || self.assembler.open_pulls().any(|open| *open == key) {
            return Err(PullError::UnderWay);
        }
        // A pull that is not remembered is forgotten already.
        let _ = self.assembler.forget(now, &key);
        self.pulls.remove(&key);
        self.known.remove(&pull);
        if self.forgotten.len() >= FORGOTTEN {
            self.forgotten.clear();
        }
        self.forgotten.insert(pull);
        Ok(())
    }

    /// A pull that was only held is no longer known.
    fn forget_unstarted(&self, pull: &PullId) {
        if !self.pulls.contains_key(&PullKey::from(pull)) {
            self.known.remove(pull);
        }
    }

    /// A pull that was started a moment ago goes on from where it was.
    fn begin(
        &mut self,
        now: Time,
        pull: PullId,
        generation: Generation,
        start: Start,
    ) -> PullWatch {
        let (key, id) = (PullKey::from(&pull), pull.clone());
        let watched = self.enter(pull, generation, start.span);
        if let Some(tracked) = self.pulls.get_mut(&key) {
            (tracked.elapsed, tracked.held_claim) = (start.elapsed, start.held_claim);
            (tracked.changes, tracked.evidence) = (start.changes, start.evidence);
        }
        if let Some(fold) = start.fold.filter(has_anything) {
            // The pull is open, and the fold its own.
            let _ = self.assembler.merge(now, &key, &fold);
        }
        if let Some((code, message)) = start.reported {
            self.assembler.handle_error(now, report_of(&id, code, message));
        }
        watched
    }

    /// Drops a pull that another worker has, or that needs no worker.
    pub(super) fn drop_pull(&mut self, pull: &PullId) {
        let key = PullKey::from(pull);
        if let Some(tracked) = self.pulls.remove(&key) {
            tracked.view.send_modify(|view| view.gone = true);
        }
        self.known.remove(pull);
        self.unnoted.remove(&key);
        // At no later time than it is: nothing else must end by it. It may have ended, and may be
        // forgotten already.
        let _ = self.assembler.cancel(Time::ZERO, &key);
        let _ = self.assembler.forget(Time::ZERO, &key);
    }

    fn is_current(&self, pull: &PullId, generation: Generation) -> bool {
        self.pulls.get(&PullKey::from(pull)).is_some_and(|tracked| tracked.generation == generation)
    }

    /// The request failed. The callbacks are the truth: where pages have come, it was accepted; where
    /// it may have been, they get the time to come.
    fn not_sent(&mut self, now: Time, pull: &PullId, error: RequestError) {
        let key = PullKey::from(pull);
        let came = self.assembler.fold(&key).is_some_and(has_anything);
        let Some(tracked) = self.pulls.get_mut(&key) else { return };
        let wait = came || error.may_have_arrived();
        if wait {
            let error = error.cause() as &dyn std::error::Error;
            tracing::warn!(%pull, error, "the request failed, and may have been taken; going on");
            self.assembler.handle_accepted(now, &key);
        }
        tracked.not_sent = Some(Arc::new(error));
        if !wait {
            // The error of an ended pull needs no handling.
            let _ = self.assembler.cancel(now, &key);
        }
    }
}
