//! The state machine itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::{Config, PullOptions};
use crate::event::{Anomaly, Event, Failure, Limit};
use crate::fold::Fold;
use crate::key::{Keyed, PageDigest, PullKey};
use crate::pull::{Ending, Progress, Pull, State, WaitingFor};
use crate::time::Time;

/// A page as a fact: whose it is, and what is in it.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Page<I> {
    /// The pull it belongs to.
    pub key: PullKey,
    /// The digest of its payload.
    pub digest: PageDigest,
    /// Whether the platform says that more pages follow.
    pub has_more: bool,
    /// Its accounts.
    pub accounts: I,
}

/// The platform's report that a request failed, as a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct ErrorReport {
    /// The robot it is about.
    pub robot: String,
    /// The mark, where the report names one.
    pub mark: Option<String>,
    /// The platform's code.
    pub code: i64,
    /// The platform's message.
    pub message: String,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It was folded.
    Folded,
    /// It was folded before; nothing changed but the count of copies and the quiet.
    Duplicate,
    /// It came after its pull was complete, and made a new revision.
    Late,
    /// Its pull has ended without a complete list; it is reported, not folded.
    AfterFailure,
    /// Its pull was never started here; it is reported, not folded.
    Unknown,
    /// It was not taken, because the pull is at its limit; the pull has failed.
    LimitReached,
    /// It was not taken, because too many events wait: poll them, then hand it in again.
    Backlog,
}

/// A pull that cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A pull of that robot and mark is open, or ended not long ago.
    #[error("a pull of this robot and mark is known already")]
    Known,
    /// As many pulls are open as the limits allow.
    #[error("{limit} pulls are open, which is the limit; wait for one to end")]
    TooManyPulls {
        /// The limit.
        limit: usize,
    },
}

/// A command for a pull that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pull of this robot and mark is open")]
pub struct PullError;

/// What was counted since the assembler was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Pages under marks that were never started.
    pub unknown_pages: u64,
    /// Pages of pulls that had ended without a complete list.
    pub pages_after_failure: u64,
    /// Error reports that ended no pull.
    pub stray_errors: u64,
    /// Anomalies that found the event queue full and were only counted.
    pub unqueued_anomalies: u64,
}

/// What is kept of a pull that has ended.
#[derive(Debug)]
struct Tombstone {
    fold: Option<Fold>,
    /// Pages that were folded, when the fold was taken away.
    pages: BTreeSet<PageDigest>,
    progress: Progress,
    expires: Time,
}

/// Folds the pages of many pulls, each into one list.
///
/// It has no clock, no I/O and no thread. It never panics on what it is given, and the same calls
/// give the same events (invariant I12).
///
/// **Getters** look and change nothing: [`progress`](Self::progress), [`fold`](Self::fold),
/// [`counters`](Self::counters), [`open_pulls`](Self::open_pulls).
///
/// **Commands** do what the caller wants and say whether they could: [`start`](Self::start),
/// [`cancel`](Self::cancel), [`declare_finished`](Self::declare_finished),
/// [`take_fold`](Self::take_fold).
///
/// **Facts**, `handle_*`, say what happened in the world and cannot fail:
/// [`handle_accepted`](Self::handle_accepted), [`handle_page`](Self::handle_page),
/// [`handle_unreadable_page`](Self::handle_unreadable_page),
/// [`handle_owed_page`](Self::handle_owed_page), [`handle_error`](Self::handle_error),
/// [`handle_timeout`](Self::handle_timeout).
///
/// **Answers**, `poll_*`, are fetched after any of those: [`poll_event`](Self::poll_event) until it
/// is `None`, then [`poll_timeout`](Self::poll_timeout) for the time at which to call
/// `handle_timeout` if nothing else happens before.
///
/// Any order of calls is allowed. Every fact and command carries the caller's `now`; what was due
/// before it happens first, so a page that comes after its pull's quiet has passed is late, whether
/// or not `handle_timeout` was called in between. Time that goes back counts as standing still.
#[derive(Debug)]
pub struct Assembler<T> {
    config: Config,
    now: Time,
    open: BTreeMap<PullKey, Pull>,
    ended: BTreeMap<PullKey, Tombstone>,
    /// When open pulls end and ended ones are forgotten.
    schedule: BTreeSet<(Time, PullKey)>,
    events: VecDeque<Event<T>>,
    counters: Counters,
}

impl<T: Keyed> Assembler<T> {
    /// One with no pulls.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Time::ZERO,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            schedule: BTreeSet::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Opens a pull, before its request is sent: pages may come before the answer to it.
    ///
    /// # Errors
    /// [`StartError`], when the pull is known already or too many are open.
    pub fn start(
        &mut self,
        now: Time,
        key: PullKey,
        options: PullOptions,
    ) -> Result<(), StartError> {
        let now = self.advance(now);
        if self.open.contains_key(&key) || self.ended.contains_key(&key) {
            return Err(StartError::Known);
        }
        let limit = self.config.limits.open_pulls;
        if self.open.len() >= limit {
            return Err(StartError::TooManyPulls { limit });
        }
        let pull = Pull::new(now, &key, options);
        self.schedule.insert((pull.scheduled, key.clone()));
        self.open.insert(key, pull);
        Ok(())
    }

    /// Ends a pull at once, with what is there.
    ///
    /// # Errors
    /// [`PullError`], when it is not open.
    pub fn cancel(&mut self, now: Time, key: &PullKey) -> Result<(), PullError> {
        self.advance(now);
        self.open.contains_key(key).then_some(()).ok_or(PullError)?;
        self.end(key, Ending::Failed(Failure::Cancelled));
        Ok(())
    }

    /// The caller's word that no more pages will come, as at the end of a file: the pull ends at
    /// once, complete where a last page was seen and nothing stands against it.
    ///
    /// # Errors
    /// [`PullError`], when it is not open.
    pub fn declare_finished(&mut self, now: Time, key: &PullKey) -> Result<(), PullError> {
        self.advance(now);
        let ending = self.open.get(key).ok_or(PullError)?.ending_declared();
        self.end(key, ending);
        Ok(())
    }

    /// Takes the fold of an ended pull. Late pages are still told from copies, and announced as
    /// [`Event::Revised`], but no longer folded here.
    pub fn take_fold(&mut self, key: &PullKey) -> Option<Fold> {
        let tombstone = self.ended.get_mut(key)?;
        let fold = tombstone.fold.take()?;
        tombstone.pages = fold.page_digests().collect();
        Some(fold)
    }

    /// The request was accepted.
    pub fn handle_accepted(&mut self, now: Time, key: &PullKey) {
        let now = self.advance(now);
        if let Some(pull) = self.open.get_mut(key) {
            pull.touch(now);
            self.changed(key);
        }
    }

    /// A page came. Costs a table insertion for each account that is in it.
    pub fn handle_page<I>(&mut self, now: Time, page: Page<I>) -> Verdict
    where
        I: IntoIterator<Item = T>,
    {
        let now = self.advance(now);
        if self.events.len() >= self.config.limits.queued_events {
            return Verdict::Backlog;
        }
        if self.ended.contains_key(&page.key) {
            return self.page_after_end(page);
        }
        if !self.known_or_adopted(now, &page.key) {
            return Verdict::Unknown;
        }
        let Page {
            key,
            digest,
            has_more,
            accounts,
        } = page;
        let (limits, stream) = (self.config.limits, self.config.stream);
        // Known or adopted: it is there.
        let Some(pull) = self.open.get_mut(&key) else {
            return Verdict::Unknown;
        };
        pull.touch(now);
        if pull.fold.has_page(digest) {
            pull.count_duplicate();
            self.changed(&key);
            return Verdict::Duplicate;
        }
        if pull.fold.digests() >= limits.pages {
            return self.over_limit(&key, Limit::Pages);
        }
        let conflicts = pull.fold.conflicts();
        let mut fresh = Vec::new();
        pull.fold.add_page(digest, has_more, accounts, |account| {
            if stream {
                fresh.push(account);
            }
        });
        let (accounts, conflicts_now) = (pull.fold.accounts(), pull.fold.conflicts());
        if !fresh.is_empty() {
            self.events.push_back(Event::Fresh {
                key: key.clone(),
                accounts: fresh,
            });
        }
        if conflicts_now > conflicts {
            self.anomaly(Anomaly::Conflict {
                key: key.clone(),
                accounts: conflicts_now,
            });
        }
        if accounts > limits.accounts {
            return self.over_limit(&key, Limit::Accounts);
        }
        self.changed(&key);
        Verdict::Folded
    }

    /// A page came that is kept and could not be understood. The pull is not complete while it
    /// stands; handing the same digest to [`handle_page`](Self::handle_page) redeems it.
    pub fn handle_unreadable_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, |fold| fold.add_unreadable(digest));
    }

    /// A page came that could not be kept, so that the platform must send it again. The pull is not
    /// complete before it has come.
    pub fn handle_owed_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, |fold| fold.add_owed(digest));
    }

    /// The platform reported an error. It ends the pull it names; without a mark it ends the
    /// robot's only open pull, and none where there are several.
    pub fn handle_error(&mut self, now: Time, report: ErrorReport) {
        self.advance(now);
        let ErrorReport {
            robot,
            mark,
            code,
            message,
        } = report;
        let mut candidates: Vec<PullKey> = match &mark {
            Some(mark) => vec![PullKey::new(&robot, mark)],
            None => self
                .open
                .keys()
                .filter(|key| key.robot() == robot)
                .cloned()
                .collect(),
        };
        candidates.retain(|key| self.open.contains_key(key));
        match (candidates.as_slice(), mark) {
            ([key], _) => self.end(key, Ending::Failed(Failure::Reported { code, message })),
            ([], mark) => {
                self.counters.stray_errors += 1;
                self.anomaly(Anomaly::UnmatchedError {
                    robot,
                    mark,
                    code,
                    message,
                });
            }
            (_, _) => {
                self.counters.stray_errors += 1;
                self.anomaly(Anomaly::AmbiguousError {
                    robot,
                    code,
                    message,
                });
            }
        }
    }

    /// Time passed. Ends what is due, forgets what is old.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
    }

    /// The next thing to say, oldest first.
    pub fn poll_event(&mut self) -> Option<Event<T>> {
        let event = self.events.pop_front()?;
        if let Event::Progressed { key } = &event
            && let Some(pull) = self.open.get_mut(key)
        {
            pull.announced = false;
        }
        Some(event)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing happens before; `None` when
    /// there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// A pull's figures, while it is open or remembered.
    #[must_use]
    pub fn progress(&self, key: &PullKey) -> Option<Progress> {
        let ended = || self.ended.get(key).map(|tombstone| tombstone.progress);
        self.open.get(key).map(Pull::progress).or_else(ended)
    }

    /// What a pull has folded, while it is open, or ended and its fold not taken.
    #[must_use]
    pub fn fold(&self, key: &PullKey) -> Option<&Fold> {
        let ended = || {
            self.ended
                .get(key)
                .and_then(|tombstone| tombstone.fold.as_ref())
        };
        self.open.get(key).map(|pull| &pull.fold).or_else(ended)
    }

    /// The pulls that are open, in the order of their keys.
    pub fn open_pulls(&self) -> impl ExactSizeIterator<Item = &PullKey> {
        self.open.keys()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Moves time on, and does what was due on the way, in the order of its time.
    fn advance(&mut self, now: Time) -> Time {
        let now = self.now.max(now);
        while self.schedule.first().is_some_and(|(due, _)| *due <= now) {
            let Some((due, key)) = self.schedule.pop_first() else {
                break;
            };
            self.now = self.now.max(due);
            match self.open.get(&key).map(Pull::ending) {
                Some(ending) => self.end(&key, ending),
                None => self.forget(key),
            }
        }
        self.now = now;
        now
    }

    fn known_or_adopted(&mut self, now: Time, key: &PullKey) -> bool {
        if self.open.contains_key(key) {
            return true;
        }
        if let Some(options) = self.config.adopt
            && self.start(now, key.clone(), options).is_ok()
        {
            return true;
        }
        self.counters.unknown_pages += 1;
        self.anomaly(Anomaly::UnknownMark { key: key.clone() });
        false
    }

    fn page_after_end<I: IntoIterator<Item = T>>(&mut self, page: Page<I>) -> Verdict {
        let stream = self.config.stream;
        let Some(tombstone) = self.ended.get_mut(&page.key) else {
            return Verdict::Unknown;
        };
        let Page {
            key,
            digest,
            has_more,
            accounts,
        } = page;
        let folded = tombstone
            .fold
            .as_ref()
            .is_some_and(|fold| fold.has_page(digest));
        if folded || tombstone.pages.contains(&digest) {
            tombstone.progress.duplicate_pages += 1;
            return Verdict::Duplicate;
        }
        if tombstone.progress.state != State::Completed {
            self.counters.pages_after_failure += 1;
            self.anomaly(Anomaly::PageAfterFailure { key, page: digest });
            return Verdict::AfterFailure;
        }
        let mut fresh = Vec::new();
        match &mut tombstone.fold {
            Some(fold) => {
                fold.add_page(digest, has_more, accounts, |account| {
                    if stream {
                        fresh.push(account);
                    }
                });
                tombstone.progress.accounts = fold.accounts();
                tombstone.progress.conflicts = fold.conflicts();
            }
            None => {
                tombstone.pages.insert(digest);
            }
        }
        tombstone.progress.pages += 1;
        tombstone.progress.revision += 1;
        let revision = tombstone.progress.revision;
        if !fresh.is_empty() {
            self.events.push_back(Event::Fresh {
                key: key.clone(),
                accounts: fresh,
            });
        }
        self.events.push_back(Event::Revised {
            key,
            page: digest,
            revision,
        });
        Verdict::Late
    }

    fn handle_missing(&mut self, now: Time, key: &PullKey, note: impl FnOnce(&mut Fold) -> bool) {
        let now = self.advance(now);
        if self.ended.contains_key(key) || !self.known_or_adopted(now, key) {
            return;
        }
        let limit = self.config.limits.pages;
        let Some(pull) = self.open.get_mut(key) else {
            return;
        };
        pull.touch(now);
        if pull.fold.digests() >= limit {
            self.over_limit(key, Limit::Pages);
            return;
        }
        note(&mut pull.fold);
        self.changed(key);
    }

    fn over_limit(&mut self, key: &PullKey, limit: Limit) -> Verdict {
        self.end(key, Ending::Failed(Failure::LimitReached(limit)));
        Verdict::LimitReached
    }

    /// Puts the pull at its new place in the schedule and lets it be known.
    fn changed(&mut self, key: &PullKey) {
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
            self.events
                .push_back(Event::Progressed { key: key.clone() });
        }
    }

    /// Ends an open pull and remembers it for a while.
    fn end(&mut self, key: &PullKey, ending: Ending) {
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
                Event::Completed {
                    key: key.clone(),
                    basis,
                    progress,
                }
            }
            Ending::Failed(failure) => {
                progress.state = State::Failed;
                Event::Failed {
                    key: key.clone(),
                    failure,
                    progress,
                }
            }
        });
        self.remember(key, pull.fold, progress);
    }

    fn remember(&mut self, key: PullKey, fold: Fold, progress: Progress) {
        if self.config.limits.tombstones == 0 {
            self.events.push_back(Event::Forgotten { key });
            return;
        }
        if self.ended.len() >= self.config.limits.tombstones {
            let oldest = self.ended.iter().min_by_key(|(key, it)| (it.expires, *key));
            if let Some((oldest, expires)) = oldest.map(|(key, it)| (key.clone(), it.expires)) {
                self.schedule.remove(&(expires, oldest.clone()));
                self.forget(oldest);
            }
        }
        let expires = self.now + self.config.retention;
        self.schedule.insert((expires, key.clone()));
        let tombstone = Tombstone {
            fold: Some(fold),
            pages: BTreeSet::new(),
            progress,
            expires,
        };
        self.ended.insert(key, tombstone);
    }

    fn forget(&mut self, key: PullKey) {
        if self.ended.remove(&key).is_some() {
            self.events.push_back(Event::Forgotten { key });
        }
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        if self.events.len() < self.config.limits.queued_events {
            self.events.push_back(Event::Anomaly(anomaly));
        } else {
            self.counters.unqueued_anomalies += 1;
        }
    }
}
