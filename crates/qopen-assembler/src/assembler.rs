//! The state machine itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::config::{Config, PullOptions};
use crate::event::{Basis, Event, Failure, Limit};
use crate::fold::{Fold, PullMismatch};
use crate::input::{Counters, MergeError, NotEnded, NotOpen, StartError};
use crate::key::{Keyed, PageDigest, PullKey};
use crate::progress::{Progress, State, WaitingFor};
use crate::pull::{Ending, Hearing, Pull};
use crate::time::Time;
use crate::tombstone::{Late, Tombstone};

/// Folds the pages of many pulls, each into one list.
///
/// It has no clock, no I/O and no thread. It never panics on what it is given, and the same calls
/// give the same events (invariant I12).
///
/// **Getters** look and change nothing: [`progress`](Self::progress), [`fold`](Self::fold),
/// [`counters`](Self::counters), [`open_pulls`](Self::open_pulls).
///
/// **Commands** do what the caller wants and say whether they could: [`start`](Self::start),
/// [`start_completed`](Self::start_completed), [`cancel`](Self::cancel), [`declare_finished`](Self::declare_finished),
/// [`take_fold`](Self::take_fold), [`forget`](Self::forget).
///
/// **Facts**, `handle_*`, say what happened in the world and cannot fail:
/// [`handle_accepted`](Self::handle_accepted), [`handle_page`](Self::handle_page),
/// [`handle_unreadable_page`](Self::handle_unreadable_page),
/// [`handle_owed_page`](Self::handle_owed_page), [`handle_released`](Self::handle_released),
/// [`handle_error`](Self::handle_error), [`handle_refusal`](Self::handle_refusal),
/// [`handle_outage_began`](Self::handle_outage_began),
/// [`handle_outage_ended`](Self::handle_outage_ended), [`handle_timeout`](Self::handle_timeout).
///
/// **Answers**, `poll_*`, are fetched after any of those: [`poll_event`](Self::poll_event) until it
/// is `None`, then [`poll_timeout`](Self::poll_timeout) for the time at which to call
/// `handle_timeout` if nothing else happens before.
///
/// Any order of calls is allowed. Every fact and command carries the caller's `now`; what was due
/// before it happens first, so a page that comes after its pull's quiet has passed is late, whether
/// or not `handle_timeout` was called in between. Time that goes back counts as standing still.
///
/// # Cost
/// `p` is the number of pulls open and remembered. Every call looks its pull up in `O(log p)`, and
/// every fact and command first ends and forgets what was due, `O(log p)` for each; beyond that a
/// call costs what its own documentation says, or nothing. Nothing is copied but keys, whose clones
/// share their text.
///
/// An open pull, and an ended one until its fold is taken or it is forgotten, holds 32 bytes for
/// each account plus the table's slack (the README has figures) and a digest of 16 for each page; an
/// ended one whose fold was taken, the pages' digests.
///
/// # Limits
/// [`Limits`](crate::Limits) names them all, and each has its answer: too many open pulls refuse
/// [`start`](Self::start), too many pages or accounts end their pull as
/// [`Failure::LimitReached`], too many waiting events turn pages away with [`Verdict::Backlog`](crate::Verdict::Backlog), and
/// too many ended pulls forget the oldest.
///
/// # Cancellation
/// No call waits for anything, so there is nothing to cancel in the middle. [`cancel`](Self::cancel)
/// ends one pull; dropping the assembler ends them all, unsaid.
#[derive(Debug)]
pub struct Assembler<T> {
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) open: BTreeMap<PullKey, Pull>,
    pub(crate) ended: BTreeMap<PullKey, Tombstone>,
    /// Forgotten, and not yet said to be: what was said of them before can still be acted upon.
    pub(crate) forgetting: BTreeMap<PullKey, Tombstone>,
    /// When open pulls end and ended ones are forgotten.
    pub(crate) schedule: BTreeSet<(Time, PullKey)>,
    pub(crate) events: VecDeque<Event<T>>,
    pub(crate) counters: Counters,
    pub(crate) hearing: Hearing,
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
            forgetting: BTreeMap::new(),
            schedule: BTreeSet::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            hearing: Hearing::default(),
        }
    }

    /// Opens a pull, before its request is sent: pages may come before the answer to it. No event
    /// comes of it.
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
        let pull = Pull::new(now, &key, options, &self.hearing);
        self.schedule.insert((pull.scheduled, key.clone()));
        self.open.insert(key, pull);
        Ok(())
    }

    /// Takes up a pull that was complete in an earlier run, with what was folded of it then and
    /// since, and the revision that was published. It stays complete, whatever the fold lacks.
    /// [`Event::Completed`] follows. `late` says that the fold has pages that are not in that
    /// revision: the next one follows as after any late page.
    ///
    /// # Errors
    /// [`StartError::Known`], when the pull is known already; [`StartError::PullMismatch`], when the
    /// fold is of another one.
    pub fn start_completed(
        &mut self,
        now: Time,
        key: PullKey,
        options: PullOptions,
        fold: Fold,
        revision: u32,
        late: Option<PageDigest>,
    ) -> Result<(), StartError> {
        let now = self.advance(now);
        if self.open.contains_key(&key) || self.ended.contains_key(&key) {
            return Err(StartError::Known);
        }
        let mut pull = Pull::new(now, &key, options, &self.hearing);
        pull.fold_mut().merge(&fold).map_err(|PullMismatch| StartError::PullMismatch)?;
        pull.touch(now);
        let basis = Basis { earlier: true, ..pull.basis(None, false, &self.hearing) };
        let mut progress = pull.progress(&self.hearing);
        (progress.state, progress.waiting_for) = (State::Completed, WaitingFor::Nothing);
        (progress.due, progress.figures.revision) = (None, revision.max(1));
        progress.figures.revising = late.is_some();
        self.events.push_back(Event::Completed { key: key.clone(), basis, progress });
        let late = late.map(|page| Late { first: now, last: now, page });
        self.remember(key, pull, progress, false, late);
        Ok(())
    }

    /// Ends a pull at once, with what is there: its [`Event::Failed`] says [`Failure::Cancelled`].
    ///
    /// # Errors
    /// [`NotOpen`], when it is not open.
    pub fn cancel(&mut self, now: Time, key: &PullKey) -> Result<(), NotOpen> {
        self.advance(now);
        self.open.contains_key(key).then_some(()).ok_or(NotOpen)?;
        self.end(key, Ending::Failed(Failure::Cancelled));
        Ok(())
    }

    /// The caller's word that no more pages will come, as at the end of a file: the pull ends at
    /// once, complete where a last page was seen and nothing stands against it.
    ///
    /// # Errors
    /// [`NotOpen`], when it is not open.
    pub fn declare_finished(&mut self, now: Time, key: &PullKey) -> Result<(), NotOpen> {
        self.advance(now);
        let ending = self.open.get(key).ok_or(NotOpen)?.ending_declared(&self.hearing);
        self.end(key, ending);
        Ok(())
    }

    /// Takes into an open pull what another node has folded of it, or an earlier run. It counts as
    /// a page does: silence begins anew. No [`Event::Fresh`] comes of it: the other node has said so
    /// already.
    ///
    /// Costs a table insertion for each account and a tree insertion for each page of the other fold,
    /// all in one call: a fold of ten million accounts holds its caller for seconds.
    ///
    /// # Errors
    /// [`MergeError`], when the pull is not open, or the fold is of another one.
    pub fn merge(&mut self, now: Time, key: &PullKey, other: &Fold) -> Result<(), MergeError> {
        let now = self.advance(now);
        let limits = self.config.limits;
        let pull = self.open.get_mut(key).ok_or(MergeError::NotOpen)?;
        pull.fold_mut().merge(other).map_err(|PullMismatch| MergeError::PullMismatch)?;
        pull.touch(now);
        if pull.fold.digests() > limits.pages {
            self.over_limit(key, Limit::Pages);
        } else if pull.fold.accounts() > limits.accounts {
            self.over_limit(key, Limit::Accounts);
        } else {
            self.changed(key);
        }
        Ok(())
    }

    /// Takes the fold of an ended pull, from the moment it ends until [`Event::Forgotten`] is
    /// polled. Late pages are still told from copies, and announced as [`Event::Revised`], but no
    /// longer folded here. Costs a copy of its pages' digests; the accounts move.
    pub fn take_fold(&mut self, key: &PullKey) -> Option<Fold> {
        let tombstone = self.ended.get_mut(key).or_else(|| self.forgetting.get_mut(key))?;
        if std::mem::replace(&mut tombstone.taken, true) {
            return None;
        }
        let digests = Arc::new(tombstone.pull.fold.without_accounts());
        let fold = std::mem::replace(&mut tombstone.pull.fold, digests);
        Some(Arc::unwrap_or_clone(fold))
    }

    /// The fold of a pull, open or remembered and not taken, to be read elsewhere. Copied only where
    /// a page comes while it is read.
    #[must_use]
    pub fn share_fold(&self, key: &PullKey) -> Option<Arc<Fold>> {
        let ended = || self.tombstone(key).filter(|it| !it.taken).map(|it| &it.pull.fold);
        self.open.get(key).map(|pull| &pull.fold).or_else(ended).map(Arc::clone)
    }

    /// Whether a page of a pull, open or remembered, was folded; also where the fold was taken.
    #[must_use]
    pub fn has_page(&self, key: &PullKey, digest: PageDigest) -> bool {
        let ended = || self.tombstone(key).map(|it| &it.pull);
        self.open.get(key).or_else(ended).is_some_and(|pull| pull.fold.has_page(digest))
    }

    /// Lets go of an ended pull before its time: a page that comes of it is a stranger's from now on.
    /// [`Event::Forgotten`] says so.
    ///
    /// # Errors
    /// [`NotEnded`], when it is open, or not known.
    pub fn forget(&mut self, now: Time, key: &PullKey) -> Result<(), NotEnded> {
        self.advance(now);
        let due = self.ended.get(key).ok_or(NotEnded)?.due();
        self.schedule.remove(&(due, key.clone()));
        self.forget_ended(key.clone());
        Ok(())
    }

    /// The next thing to say, oldest first. Events wait until they are polled, in memory: a streamed
    /// one holds its accounts.
    pub fn poll_event(&mut self) -> Option<Event<T>> {
        let event = self.events.pop_front()?;
        match &event {
            Event::Progressed { key } => {
                if let Some(pull) = self.open.get_mut(key) {
                    pull.announced = false;
                }
            }
            Event::Forgotten { key } => {
                self.forgetting.remove(key);
            }
            _ => {}
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
        let ended = || self.tombstone(key).map(|tombstone| tombstone.progress);
        self.open.get(key).map(|pull| pull.progress(&self.hearing)).or_else(ended)
    }

    /// What a pull has folded, while it is open, or ended and its fold not taken.
    #[must_use]
    pub fn fold(&self, key: &PullKey) -> Option<&Fold> {
        let ended = || self.tombstone(key).filter(|it| !it.taken).map(|it| &it.pull);
        self.open.get(key).or_else(ended).map(|pull| &*pull.fold)
    }

    fn tombstone(&self, key: &PullKey) -> Option<&Tombstone> {
        self.ended.get(key).or_else(|| self.forgetting.get(key))
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
}
