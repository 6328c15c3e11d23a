//! The same fold without HTTP: captured payloads in, lists out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use qopen_assembler::{Assembler, Config, Entry, ErrorReport, Event, PullKey, PullOptions, Time};
use qopen_journal::{
    Journal, JournalError, Layer, MemoryJournal, Note, PageRecord, Payload, PullId, Quarantined,
};
use qopen_types::{EventType, MarkId, Reading, Readings, RobotId};

use crate::classify::{
    Against, Classified, Unreadable, classify, key_of, stands_against, with_a_mark,
};
use crate::fact::digest_of;
use crate::outcome::{Outcome, PulledList};
use crate::progress::Progress;
use crate::status::Status;

/// A callback that a replay cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no room for it.
    #[error("the payload could not be kept")]
    Journal(#[source] JournalError),
}

/// What a replay made of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replayed {
    /// A page, or an error report.
    List,
    /// Something that could not be read: it stands against the lists that it may belong to.
    Unreadable {
        /// Where reading it ended.
        layer: Layer,
        /// What is wrong; never quotes it.
        reason: String,
    },
    /// An event of another kind.
    Other(EventType),
}

/// Folds captured payloads, in any order and number, into lists.
///
/// Every pull that is named is opened; when all payloads are in, the caller's word ends them.
#[derive(Debug)]
pub struct Replay {
    config: Config,
    assembler: Assembler<Entry>,
    journal: Arc<MemoryJournal>,
    pulls: BTreeMap<PullKey, PullId>,
    errors: Vec<(Option<RobotId>, Option<MarkId>, i64, String)>,
    /// What could not be read, until it is known which pulls there are.
    unreadable: Vec<(Unreadable, Payload)>,
    readings: BTreeMap<Reading, u64>,
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
            config,
            assembler: Assembler::new(config),
            journal: Arc::new(MemoryJournal::with_limit(u64::MAX)),
            pulls: BTreeMap::new(),
            errors: Vec::new(),
            unreadable: Vec::new(),
            readings: BTreeMap::new(),
        }
    }
}

impl Replay {
    /// Allows every list that many accounts without a readable id.
    #[must_use]
    pub fn allow_unidentified(self, accounts: u64) -> Self {
        let mut config = self.config;
        config.adopt = Some(PullOptions::default().allow_unidentified(accounts));
        Self { config, assembler: Assembler::new(config), ..self }
    }

    /// Takes an opened payload.
    ///
    /// # Errors
    /// [`ReplayError`]; the payload is not part of any list then.
    pub fn add(&mut self, payload: Vec<u8>) -> Result<Replayed, ReplayError> {
        match classify(&payload) {
            Classified::Page(page) => {
                self.count(page.readings);
                let record = PageRecord::new(page.pull.clone(), Payload::new(payload));
                let digest = digest_of(record.digest);
                now(self.journal.append(record)).map_err(ReplayError::Journal)?;
                self.enter(page.pull.clone());
                self.assembler.handle_page(Time::ZERO, page.into_page(digest));
                while self.assembler.poll_event().is_some() {}
                Ok(Replayed::List)
            }
            Classified::Report { robot_id, mark_id, code, message } => {
                // After all pages: what a capture's order says of time is nothing.
                self.errors.push((robot_id, mark_id, code, message));
                Ok(Replayed::List)
            }
            Classified::Unreadable(unreadable) => {
                let (layer, reason) = (unreadable.layer, unreadable.reason.clone());
                self.unreadable.push((unreadable, Payload::new(payload)));
                Ok(Replayed::Unreadable { layer, reason })
            }
            Classified::Other(event_type) => {
                if let Some(unreadable) = with_a_mark(&event_type, &payload) {
                    self.unreadable.push((unreadable, Payload::new(payload)));
                }
                Ok(Replayed::Other(event_type))
            }
        }
    }

    /// Takes the content of a verified envelope that no key opens.
    pub fn add_undecrypted(&mut self, encoding_content: &str, reason: String) {
        let unreadable = Unreadable {
            layer: Layer::Content,
            reason,
            robot_id: None,
            mark_id: None,
            event_type: EventType::Absent,
        };
        self.unreadable.push((unreadable, Payload::new(encoding_content)));
    }

    /// Counts what had to be read otherwise in a callback.
    pub fn count(&mut self, readings: Readings) {
        for reading in readings.iter() {
            *self.readings.entry(reading).or_default() += 1;
        }
    }

    /// What had to be read otherwise so far, by reading.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        self.readings.iter().map(|(reading, count)| (*reading, *count)).collect()
    }

    /// What could not be read and names no pull of the capture. Empty before
    /// [`finish`](Self::finish) but for what came.
    pub fn unattributed(&self) -> impl Iterator<Item = Quarantined> {
        self.unreadable.iter().map(|(it, payload)| {
            Quarantined::new(None, it.layer, it.reason.clone(), payload.clone())
        })
    }

    /// Has what could not be read stand against the pulls that it may belong to, now that all of them
    /// are known. What names none of them is left, and so is what is another event.
    fn attribute(&mut self) -> Result<(), ReplayError> {
        let ids: Vec<PullId> = self.pulls.values().cloned().collect();
        let mut left = Vec::new();
        for (unreadable, payload) in std::mem::take(&mut self.unreadable) {
            let (robot, mark) = (unreadable.robot_id.as_ref(), unreadable.mark_id.as_ref());
            let (bytes, damaged) = (payload.as_bytes(), unreadable.is_damaged());
            let Against { mut pulls, by_mark } = stands_against(bytes, robot, mark, damaged, &ids);
            if unreadable.says_other(bytes) && !by_mark {
                continue;
            }
            let ours = unreadable.event_type == EventType::ROBOT_ACCOUNT_LIST;
            let is_new = |it: &PullId| !pulls.contains(it) && (!damaged || pulls.is_empty());
            if let Some(named) = unreadable.names().filter(|it| ours && is_new(it)) {
                // A pull of which nothing else is in the capture; others may have the same mark.
                pulls.retain(|it| it.mark_id != named.mark_id);
                self.enter(named.clone());
                pulls.push(named);
            }
            if pulls.is_empty() {
                left.push((unreadable, payload));
                continue;
            }
            let one = match &pulls[..] {
                [one] => Some(one.clone()),
                _ => None,
            };
            let (nameless, Unreadable { layer, reason, .. }) = (one.is_none(), unreadable);
            let item = Quarantined::new(one, layer, reason, payload);
            let digest = item.digest();
            now(self.journal.quarantine(item)).map_err(ReplayError::Journal)?;
            for pull in &pulls {
                if nameless {
                    let note = Note::Doubted { item: digest };
                    now(self.journal.note(pull, note)).map_err(ReplayError::Journal)?;
                }
                let key = self.enter(pull.clone());
                self.assembler.handle_unreadable_page(Time::ZERO, &key, digest_of(digest));
            }
        }
        self.unreadable = left;
        Ok(())
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
    ///
    /// # Errors
    /// [`ReplayError`], when there is no room for what could not be read.
    pub fn finish(&mut self) -> Result<Vec<Outcome>, ReplayError> {
        self.attribute()?;
        for (robot_id, mark_id, code, message) in std::mem::take(&mut self.errors) {
            let Some(pull) = self.whose(robot_id, mark_id) else { continue };
            let (robot, mark) = (pull.robot_id.to_string(), Some(pull.mark_id.to_string()));
            let key = self.enter(pull);
            // It is known already where a page of it came.
            let _ = self.assembler.start(Time::ZERO, key, PullOptions::default());
            let report = ErrorReport { robot, mark, code, message, signed: None };
            self.assembler.handle_error(Time::ZERO, report);
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
        Ok(outcomes)
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
