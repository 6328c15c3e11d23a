//! Captured payloads in, lists out: a capture is a journal in memory, and its lists are folded from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt as _;
use qopen_assembler::{Assembler, Config, Entry, Event, PullKey, PullOptions, Time};
use qopen_journal::{
    Appended, Journal, JournalError, Layer, MemoryJournal, Note, PageRecord, Payload, PullId,
    PullState, Quarantined,
};
use qopen_types::{EventType, MarkId, Reading, Readings, RobotId};

use crate::classify::{Classified, Unreadable, classify, with_a_mark};
use crate::fact::report_of;
use crate::outcome::{Outcome, PulledList};
use crate::progress::Progress;
use crate::resume;
use crate::status::Status;
use crate::whose::{Against, Names, counts_against};

/// A callback that a replay cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no room for it.
    #[error("the payload could not be kept")]
    Journal(#[source] JournalError),
}

/// The result of a callback in a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replayed {
    /// A page, or an error report.
    List,
    /// Something that could not be read. It counts against the lists that it may belong to.
    Unreadable {
        /// Where reading it ended.
        layer: Layer,
        /// The reason; never quotes the callback.
        reason: String,
    },
    /// Another event, by its type.
    Other(EventType),
}

/// Folds captured payloads, in any order and number, into lists.
///
/// Every pull that is named is opened; when all payloads are in, the caller's word ends them.
#[derive(Debug)]
pub struct Replay {
    journal: Arc<MemoryJournal>,
    options: PullOptions,
    /// Copies of pages, which the journal does not keep.
    copies: BTreeMap<PullId, u64>,
    errors: Vec<Report>,
    /// Unreadable callbacks, until all pulls of the capture are known.
    unreadable: Vec<(Unreadable, Payload)>,
    readings: BTreeMap<Reading, u64>,
}

/// An error report, until it is known which pulls there are.
#[derive(Debug)]
struct Report {
    robot_id: Option<RobotId>,
    mark_id: Option<MarkId>,
    code: i64,
    message: String,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            // The reader decides how large a capture is.
            journal: Arc::new(MemoryJournal::with_limit(u64::MAX)),
            options: PullOptions::default(),
            copies: BTreeMap::new(),
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
        Self { options: PullOptions::default().allow_unidentified(accounts), ..self }
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
                if now(self.journal.append(record))? == Appended::Duplicate {
                    *self.copies.entry(page.pull).or_default() += 1;
                }
                Ok(Replayed::List)
            }
            Classified::Report { robot_id, mark_id, code, message } => {
                // After all pages: the order of a capture says nothing of time.
                self.errors.push(Report { robot_id, mark_id, code, message });
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

    /// Counts the tolerated spellings of a callback.
    pub fn count(&mut self, readings: Readings) {
        for reading in readings.iter() {
            *self.readings.entry(reading).or_default() += 1;
        }
    }

    /// Tolerated spellings so far, by spelling.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        self.readings.iter().map(|(reading, count)| (*reading, *count)).collect()
    }

    /// Unreadable callbacks that name no pull of the capture. Before [`finish`](Self::finish) also
    /// those that name one.
    pub fn unattributed(&self) -> impl Iterator<Item = Quarantined> {
        self.unreadable.iter().map(|(it, payload)| {
            Quarantined::new(None, it.layer, it.reason.clone(), payload.clone())
        })
    }

    /// Counts unreadable callbacks against the pulls that they may belong to, now that all pulls
    /// are known. Keeps those that name none, and drops other events.
    fn attribute(&mut self) -> Result<(), ReplayError> {
        let states = now(self.journal.pulls())?;
        let ids: Vec<PullId> = states.into_iter().map(|state| state.pull).collect();
        let mut left = Vec::new();
        for (unreadable, payload) in std::mem::take(&mut self.unreadable) {
            let (bytes, damaged) = (payload.as_bytes(), unreadable.is_damaged());
            let Against { mut pulls, by_mark } =
                counts_against(bytes, unreadable.names(), damaged, &ids);
            if unreadable.says_other(bytes) && !by_mark {
                continue;
            }
            let ours = unreadable.event_type == EventType::ROBOT_ACCOUNT_LIST;
            let is_new = |it: &PullId| !pulls.contains(it) && (!damaged || pulls.is_empty());
            if let Some(named) = unreadable.names().pull().filter(|it| ours && is_new(it)) {
                // A pull of which nothing else is in the capture; others may have the same mark.
                pulls.retain(|it| it.mark_id != named.mark_id);
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
            now(self.journal.quarantine(item))?;
            for pull in pulls.iter().filter(|_| nameless) {
                now(self.journal.note(pull, Note::Doubted { item: digest, lost: false }))?;
            }
        }
        self.unreadable = left;
        Ok(())
    }

    /// Notes each pull's first error report.
    fn report(&mut self) -> Result<(), ReplayError> {
        let states = now(self.journal.pulls())?;
        let mut reported: BTreeSet<PullId> = BTreeSet::new();
        let mut pulls: BTreeSet<PullId> = states.into_iter().map(|state| state.pull).collect();
        for Report { robot_id, mark_id, code, message } in std::mem::take(&mut self.errors) {
            let names = Names { robot_id: robot_id.as_ref(), mark_id: mark_id.as_ref() };
            let only = || names.only(&pulls, |pull| pull).cloned();
            let Some(pull) = names.pull().or_else(only) else { continue };
            pulls.insert(pull.clone());
            if reported.insert(pull.clone()) {
                let note = Note::Reported { code, message, digest: None, signed_at: None };
                now(self.journal.note(&pull, note))?;
            }
        }
        Ok(())
    }

    /// Ends every pull and says how it ended, in the order of robots and marks.
    ///
    /// # Errors
    /// [`ReplayError`], when there is no room for what could not be read.
    pub fn finish(&mut self) -> Result<Vec<Outcome>, ReplayError> {
        self.attribute()?;
        self.report()?;
        let mut states = now(self.journal.pulls())?;
        states.sort_by(|a, b| a.pull.cmp(&b.pull));
        let outcomes = states.iter().map(|state| self.outcome(state));
        outcomes.filter_map(Result::transpose).collect()
    }

    /// Folds a pull, and ends it by the caller's word.
    fn outcome(&self, state: &PullState) -> Result<Option<Outcome>, ReplayError> {
        let (id, key) = (&state.pull, PullKey::from(&state.pull));
        let (fold, _) = now(resume::fold(&*self.journal, state))?;
        let mut config = Config::default();
        config.limits.pages = usize::MAX;
        config.limits.accounts = usize::MAX;
        let mut assembler = Assembler::<Entry>::new(config);
        // The assembler knows no pull yet, so that this one can be started, and its fold be merged.
        let _ = assembler.start(Time::ZERO, key.clone(), self.options);
        let _ = assembler.merge(Time::ZERO, &key, &fold);
        if let Some((code, message)) = state.reported() {
            let report = report_of(id, code, message.to_owned());
            assembler.handle_error(Time::ZERO, report);
        }
        // A pull that an error report has ended is no longer open.
        let _ = assembler.declare_finished(Time::ZERO, &key);
        let ended = std::iter::from_fn(|| assembler.poll_event()).find_map(|event| match event {
            Event::Completed { basis, .. } => Some(Status::Complete(basis)),
            Event::Failed { failure, .. } => Some(Status::of(failure)),
            _ => None,
        });
        let mut progress = Progress::new(id, assembler.progress(&key), Time::ZERO);
        progress.figures.duplicate_pages = self.copies.get(id).copied().unwrap_or_default();
        if let Some(status) = &ended {
            // A publication finds the basis of the list there.
            let note = Note::Ended {
                status: status.end_state(),
                why: status.to_string(),
                accounts: progress.figures.accounts as u64,
                pages: progress.figures.pages as u64,
                evidence: status.evidence(),
                reason: status.reason(),
            };
            now(self.journal.note(id, note))?;
        }
        let journal: Arc<dyn Journal> = Arc::clone(&self.journal) as _;
        let list = PulledList::done(id.clone(), journal, fold, progress.figures.revision);
        Ok(ended.map(|status| Outcome { status, progress, list }))
    }
}

/// The journal in memory is always ready.
fn now<T>(ready: impl Future<Output = Result<T, JournalError>>) -> Result<T, ReplayError> {
    let ready = ready.now_or_never();
    ready
        .unwrap_or_else(|| Err(JournalError::Unavailable("it was not ready".into())))
        .map_err(ReplayError::Journal)
}
