//! The `Assembler` type: commands, getters and answers.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;

use crate::config::{Config, PullOptions};
use crate::event::{Basis, Event, Failure, Limit};
use crate::fold::{Fold, PullMismatch};
use crate::input::{Counters, MergeError, NotEnded, NotOpen, StartError};
use crate::key::{Keyed, PageDigest, PullKey};
use crate::progress::{PullProgress, State, WaitingFor};
use crate::pull::{Ending, Hearing, Pull};
use crate::time::Time;
use crate::tombstone::{Late, Tombstone};

/// Folds the pages of many pulls into one list per pull.
///
/// An assembler has no clock, no I/O and no thread. It never panics on its input, and the same
/// calls give the same events (invariant I12).
///
/// **Getters** read: [`progress`](Self::progress), [`fold`](Self::fold),
/// [`counters`](Self::counters), [`open_pulls`](Self::open_pulls).
///
/// **Commands** do what the caller asks, or return an error: [`start`](Self::start),
/// [`start_completed`](Self::start_completed), [`cancel`](Self::cancel),
/// [`declare_finished`](Self::declare_finished), [`take_fold`](Self::take_fold),
/// [`forget`](Self::forget).
///
/// **Facts**, `handle_*`, report what happened and cannot fail:
/// [`handle_accepted`](Self::handle_accepted), [`handle_page`](Self::handle_page),
/// [`handle_unreadable_page`](Self::handle_unreadable_page),
/// [`handle_owed_page`](Self::handle_owed_page), [`handle_released`](Self::handle_released),
/// [`handle_error`](Self::handle_error), [`handle_refusal`](Self::handle_refusal),
/// [`handle_outage_began`](Self::handle_outage_began),
/// [`handle_outage_ended`](Self::handle_outage_ended), [`handle_timeout`](Self::handle_timeout).
///
/// **Answers**, `poll_*`, follow each command and fact: call [`poll_event`](Self::poll_event) until
/// it returns `None`, then [`poll_timeout`](Self::poll_timeout) for the time of the next
/// `handle_timeout`.
///
/// Any order of calls is allowed. Every fact and command carries the caller's `now`. What was due
/// before `now` happens first: a page that comes after its pull's quiet has passed is late, whether
/// or not `handle_timeout` was called in between. A `now` that goes back counts as the latest time
/// seen.
///
/// # Cost
/// `p` is the number of pulls open and remembered. Every call finds its pull in `O(log p)`. Every
/// fact and command first ends and forgets what was due, at `O(log p)` each. Further costs are in
/// the documentation of the call. Keys are the only things copied, and their clones share their
/// text.
///
/// An open pull holds 32 bytes per account, plus the table's slack (figures in the README), and 16
/// bytes per page. An ended pull holds the same until its fold is taken, and then the 16 bytes per
/// page until it is forgotten.
///
/// # Limits
/// [`Limits`](crate::Limits) has them all. With too many open pulls [`start`](Self::start) returns
/// an error. Too many pages or accounts end their pull with [`Failure::LimitReached`]. With too
/// many waiting events a page gets [`Verdict::Backlog`](crate::Verdict::Backlog). Too many ended
/// pulls forget the oldest.
///
/// # Cancellation
/// No call waits. [`cancel`](Self::cancel) ends one pull; dropping the assembler ends them all,
/// unsaved.
#[derive(Debug)]
pub struct Assembler<T> {
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) open: BTreeMap<PullKey, Pull>,
    pub(crate) ended: BTreeMap<PullKey, Tombstone>,
    /// Forgotten pulls whose [`Event::Forgotten`] is not polled yet: earlier events of theirs can
    /// still be acted upon.
    pub(crate) forgetting: BTreeMap<PullKey, Tombstone>,
    /// When open pulls end and ended ones are forgotten.
    pub(crate) schedule: BTreeSet<(Time, PullKey)>,
    pub(crate) events: VecDeque<Event<T>>,
    pub(crate) counters: Counters,
    pub(crate) hearing: Hearing,
}

impl<T: Keyed> Assembler<T> {
    /// An assembler without pulls.
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

    /// Opens a pull, before its request is sent: pages may come before the platform's answer. Emits
    /// no event.
    ///
    /// # Errors
    /// [`StartError`], if the pull is known already or too many are open.
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

    /// Resumes a pull that was complete in an earlier run, with its fold so far and its published
    /// revision. The pull stays complete, whatever the fold lacks, and [`Event::Completed`]
    /// follows. `late` says that the fold has pages that this revision lacks: the next revision
    /// follows as after any late page.
    ///
    /// # Errors
    /// [`StartError::Known`], if the pull is known already; [`StartError::PullMismatch`], if the
    /// fold belongs to another pull.
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

    /// Ends a pull at once with what has arrived: [`Event::Failed`] has [`Failure::Cancelled`].
    ///
    /// # Errors
    /// [`NotOpen`], if it is not open.
    pub fn cancel(&mut self, now: Time, key: &PullKey) -> Result<(), NotOpen> {
        self.advance(now);
        self.open.contains_key(key).then_some(()).ok_or(NotOpen)?;
        self.end(key, Ending::Failed(Failure::Cancelled));
        Ok(())
    }

    /// Declares that no more pages will come, as at the end of a file. The pull ends at once:
    /// complete if a last page was seen and nothing counts against it.
    ///
    /// # Errors
    /// [`NotOpen`], if it is not open.
    pub fn declare_finished(&mut self, now: Time, key: &PullKey) -> Result<(), NotOpen> {
        self.advance(now);
        let ending = self.open.get(key).ok_or(NotOpen)?.ending_declared(&self.hearing);
        self.end(key, ending);
        Ok(())
    }

    /// Merges into an open pull the fold of another node or of an earlier run. Silence begins anew,
    /// as after a page. No [`Event::Fresh`] follows: the other node has emitted it.
    ///
    /// Costs a table insertion per account and a tree insertion per page of the other fold, all in
    /// one call. A fold of ten million accounts blocks its caller for seconds.
    ///
    /// # Errors
    /// [`MergeError`], if the pull is not open, or the fold belongs to another pull.
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

    /// Takes the fold of an ended pull, from the pull's end until [`Event::Forgotten`] is polled.
    /// Afterwards the assembler still tells late pages from copies and emits [`Event::Revised`],
    /// but folds no more. Copies the digests of the pages; the accounts move.
    pub fn take_fold(&mut self, key: &PullKey) -> Option<Fold> {
        let tombstone = self.ended.get_mut(key).or_else(|| self.forgetting.get_mut(key))?;
        if core::mem::replace(&mut tombstone.taken, true) {
            return None;
        }
        let digests = Arc::new(tombstone.pull.fold.without_accounts());
        let fold = core::mem::replace(&mut tombstone.pull.fold, digests);
        Some(Arc::unwrap_or_clone(fold))
    }

    /// Returns the fold of a pull, open or remembered and not taken, to be read elsewhere. The fold
    /// is copied only if a page comes while another reader holds it.
    #[must_use]
    pub fn share_fold(&self, key: &PullKey) -> Option<Arc<Fold>> {
        let ended = || self.tombstone(key).filter(|it| !it.taken).map(|it| &it.pull.fold);
        self.open.get(key).map(|pull| &pull.fold).or_else(ended).map(Arc::clone)
    }

    /// Whether a page of an open or remembered pull was folded, even if the fold was taken.
    #[must_use]
    pub fn has_page(&self, key: &PullKey, digest: PageDigest) -> bool {
        let ended = || self.tombstone(key).map(|it| &it.pull);
        self.open.get(key).or_else(ended).is_some_and(|pull| pull.fold.has_page(digest))
    }

    /// Forgets an ended pull before its time. A page that comes afterwards has an unknown mark.
    /// [`Event::Forgotten`] follows.
    ///
    /// # Errors
    /// [`NotEnded`], if it is open, or not known.
    pub fn forget(&mut self, now: Time, key: &PullKey) -> Result<(), NotEnded> {
        self.advance(now);
        let due = self.ended.get(key).ok_or(NotEnded)?.due();
        self.schedule.remove(&(due, key.clone()));
        self.forget_ended(key.clone());
        Ok(())
    }

    /// Returns the oldest waiting event. Events stay in memory until polled; [`Event::Fresh`] holds
    /// its accounts.
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

    /// The time at which to call [`handle_timeout`](Self::handle_timeout) if nothing happens
    /// before; `None` if nothing is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// A pull's figures, while it is open or remembered.
    #[must_use]
    pub fn progress(&self, key: &PullKey) -> Option<PullProgress> {
        let ended = || self.tombstone(key).map(|tombstone| tombstone.progress);
        self.open.get(key).map(|pull| pull.progress(&self.hearing)).or_else(ended)
    }

    /// A pull's fold, until the fold is taken or the pull forgotten.
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

    /// What the assembler has counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
