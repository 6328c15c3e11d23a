//! The same fold without HTTP: captured payloads in, lists out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use qopen_assembler::{
    Assembler, Config, Entry, ErrorReport, Event, Page, PageDigest, PullKey, PullOptions, Time,
};
use qopen_journal::{
    Journal, JournalError, MemoryJournal, PageRecord, Payload, PullId, Quarantined,
};
use qopen_types::{MarkId, RobotId};

use crate::understand::{Understood, key_of, understand};
use crate::{Outcome, Progress, PulledList, Status};

/// A payload that a replay cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The payload is not JSON.
    #[error("the payload is not JSON")]
    NotJson(#[source] qopen_types::SkimError),
    /// The payload is of another event.
    #[error("the payload is of event {0}, not of a customer list")]
    Other(qopen_types::EventType),
    /// There is no room for it.
    #[error("the payload could not be kept")]
    Journal(#[source] JournalError),
}

/// Folds captured payloads, in any order and number, into lists.
///
/// Every pull that is named is opened; when all payloads are in, the caller's word ends them.
#[derive(Debug)]
pub struct Replay {
    assembler: Assembler<Entry>,
    journal: Arc<MemoryJournal>,
    pulls: BTreeMap<PullKey, PullId>,
    errors: Vec<(Option<RobotId>, Option<MarkId>, i64, String)>,
}

impl Default for Replay {
    fn default() -> Self {
        let mut config = Config::default();
        config.adopt = Some(PullOptions::default());
        config.retention = Duration::MAX;
        // A capture is as large as it is; what it costs is its reader's to say.
        config.limits.open_pulls = usize::MAX;
        config.limits.tombstones = usize::MAX;
        config.limits.pages = usize::MAX;
        config.limits.accounts = usize::MAX;
        Self {
            assembler: Assembler::new(config),
            journal: Arc::new(MemoryJournal::with_limit(u64::MAX)),
            pulls: BTreeMap::new(),
            errors: Vec::new(),
        }
    }
}

impl Replay {
    /// Takes an opened payload.
    ///
    /// # Errors
    /// [`ReplayError`]; the payload is not part of any list then.
    pub fn add(&mut self, payload: String) -> Result<(), ReplayError> {
        match understand(&payload) {
            Understood::Page { pull, has_more, accounts } => {
                let record = PageRecord::new(pull.clone(), Payload::new(payload));
                let digest = PageDigest::from_u128(record.digest.to_u128());
                now(self.journal.append(record)).map_err(ReplayError::Journal)?;
                let key = self.enter(pull);
                self.assembler.handle_page(Time::ZERO, Page { key, digest, has_more, accounts });
                while self.assembler.poll_event().is_some() {}
                Ok(())
            }
            Understood::Error { robot_id, mark_id, code, message } => {
                // After all pages: what a capture's order says of time is nothing.
                self.errors.push((robot_id, mark_id, code, message));
                Ok(())
            }
            Understood::Unreadable { robot_id, mark_id, reason } => {
                let pull = self.whose(robot_id, mark_id);
                let digest = PageDigest::of(payload.as_bytes());
                let item = Quarantined::new(pull.clone(), reason, Payload::new(payload));
                now(self.journal.quarantine(item)).map_err(ReplayError::Journal)?;
                if let Some(pull) = pull {
                    let key = self.enter(pull);
                    self.assembler.handle_unreadable_page(Time::ZERO, &key, digest);
                }
                Ok(())
            }
            Understood::Other(event_type) => Err(ReplayError::Other(event_type)),
            Understood::NotJson(error) => Err(ReplayError::NotJson(error)),
        }
    }

    /// The pull that is named, or the only one in the capture that fits what is.
    fn whose(&self, robot_id: Option<RobotId>, mark_id: Option<MarkId>) -> Option<PullId> {
        if let (Some(robot_id), Some(mark_id)) = (&robot_id, &mark_id) {
            return Some(PullId { robot_id: robot_id.clone(), mark_id: mark_id.clone() });
        }
        let mut fits = self.pulls.values().filter(|pull| {
            robot_id.as_ref().is_none_or(|it| *it == pull.robot_id)
                && mark_id.as_ref().is_none_or(|it| *it == pull.mark_id)
        });
        match (fits.next(), fits.next()) {
            (Some(pull), None) => Some(pull.clone()),
            _ => None,
        }
    }

    fn enter(&mut self, pull: PullId) -> PullKey {
        let key = key_of(&pull);
        self.pulls.entry(key.clone()).or_insert(pull);
        key
    }

    /// Ends every pull and says how it ended, in the order of robots and marks.
    #[must_use]
    pub fn finish(mut self) -> Vec<Outcome> {
        for (robot_id, mark_id, code, message) in std::mem::take(&mut self.errors) {
            let Some(pull) = self.whose(robot_id, mark_id) else { continue };
            let (robot, mark) = (pull.robot_id.to_string(), Some(pull.mark_id.to_string()));
            let key = self.enter(pull);
            // It is known already where a page of it came.
            let _ = self.assembler.start(Time::ZERO, key, PullOptions::default());
            self.assembler.handle_error(Time::ZERO, ErrorReport { robot, mark, code, message });
        }
        for key in self.pulls.keys() {
            // One that an error report has ended is no longer open.
            let _ = self.assembler.declare_finished(Time::ZERO, key);
        }
        let mut outcomes = Vec::new();
        while let Some(event) = self.assembler.poll_event() {
            let (key, status) = match event {
                Event::Completed { key, basis, .. } => (key, Status::Complete(basis)),
                Event::Failed { key, failure, .. } => (key, Status::of(failure)),
                _ => continue,
            };
            outcomes.extend(self.outcome(&key, status));
        }
        outcomes.sort_by(|a, b| a.progress.pull.cmp(&b.progress.pull));
        outcomes
    }

    fn outcome(&mut self, key: &PullKey, status: Status) -> Option<Outcome> {
        let id = self.pulls.get(key)?.clone();
        let progress = Progress::new(&id, self.assembler.progress(key), Time::ZERO);
        let fold = self.assembler.take_fold(key)?;
        let journal: Arc<dyn Journal> = Arc::clone(&self.journal) as _;
        let list = PulledList::done(id, journal, fold, progress.revision);
        Some(Outcome { status, progress, list })
    }
}

/// The journal in memory is always ready.
fn now<T>(ready: impl Future<Output = Result<T, JournalError>>) -> Result<T, JournalError> {
    ready
        .now_or_never()
        .unwrap_or_else(|| Err(JournalError::Unavailable("it was not ready".into())))
}
