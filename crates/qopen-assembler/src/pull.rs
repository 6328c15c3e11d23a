//! An open pull: its fold, and when it is due to end.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::PullOptions;
use crate::event::{Basis, Failure};
use crate::fold::Fold;
use crate::key::PullKey;
use crate::progress::{Figures, PullProgress, State, WaitingFor};
use crate::time::Time;

/// How a pull ends when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete(Basis),
    Failed(Failure),
}

/// What concerns every pull alike: whether the caller can receive.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Hearing {
    /// When the last callback was refused.
    pub(crate) refused: Option<Time>,
    pub(crate) refusals: u64,
    /// When the present outage began.
    pub(crate) deaf_since: Option<Time>,
    /// When each outage ended and how long it was. An outage whose pages should all have come again
    /// before those of a later one is not kept, so that each is less than half as long as the one before.
    pub(crate) outages: Vec<(Time, Duration)>,
}

#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pull {
    pub(crate) fold: Arc<Fold>,
    pub(crate) options: PullOptions,
    pub(crate) started: Time,
    /// When the deadline began to run: a reopened pull gets a new one.
    opened: Time,
    /// When something new came last.
    last_new: Time,
    /// When a copy came last.
    last_copy: Time,
    awaiting_acceptance: bool,
    duplicate_pages: u64,
    /// How many callbacks had been refused when the pull was started.
    refusals_before: u64,
    outage: Duration,
    /// Whether a progress event waits in the queue.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) announced: bool,
    /// The time under which the schedule has it.
    pub(crate) scheduled: Time,
}

impl Pull {
    pub(crate) fn new(now: Time, key: &PullKey, options: PullOptions, hearing: &Hearing) -> Self {
        let mut pull = Self {
            fold: Arc::new(Fold::new(key)),
            options,
            started: now,
            opened: now,
            last_new: now,
            last_copy: now,
            awaiting_acceptance: options.await_acceptance,
            duplicate_pages: 0,
            refusals_before: hearing.refusals,
            outage: Duration::ZERO,
            announced: false,
            scheduled: now,
        };
        if pull.refused(hearing).is_some() {
            // One at least, of those since the request.
            pull.refusals_before = hearing.refusals.saturating_sub(1);
        }
        pull.scheduled = pull.due(hearing);
        pull
    }

    /// The fold, for a change; copied first if another reader holds it.
    pub(crate) fn fold_mut(&mut self) -> &mut Fold {
        Arc::make_mut(&mut self.fold)
    }

    /// Notes that something new came: silence counts from now.
    pub(crate) fn touch(&mut self, now: Time) {
        self.awaiting_acceptance = false;
        self.last_new = now;
        self.last_copy = now;
    }

    /// Notes a copy: it proves nothing new, and prolongs the quiet for a while.
    pub(crate) fn touch_by_copy(&mut self, now: Time) {
        self.awaiting_acceptance = false;
        self.last_copy = now;
    }

    pub(crate) fn count_duplicate(&mut self) {
        self.duplicate_pages = self.duplicate_pages.saturating_add(1);
    }

    /// Lets a failed pull wait again, from now. What was refused while it had ended may have been its pages.
    pub(crate) fn reopen(&mut self, now: Time) {
        self.opened = now;
        self.outage = Duration::ZERO;
        self.announced = false;
        self.touch(now);
    }

    /// Adds an outage between these times, which was no quiet.
    pub(crate) fn add_outage(&mut self, from: Time, to: Time) {
        let shift = |at: Time| at + to.since(from.max(at));
        self.last_new = shift(self.last_new);
        self.last_copy = shift(self.last_copy);
        self.outage = self.outage.saturating_add(to.since(from.max(self.opened)));
    }

    /// When the request was sent, as far as is known. Refusals and outages concern the pull since then.
    pub(crate) fn requested(&self) -> Time {
        let before = self.options.requested_before;
        Time::since_epoch(self.started.to_duration().saturating_sub(before))
    }

    pub(crate) fn waiting_for(&self) -> WaitingFor {
        let fold = &self.fold;
        let nothing_came = fold.digests() == 0;
        let expected = self.options.expect_accounts;
        match () {
            () if self.awaiting_acceptance => WaitingFor::Acceptance,
            () if nothing_came => WaitingFor::FirstPage,
            () if !fold.last_page_seen() => WaitingFor::LastPage,
            () if fold.owed() > 0 => WaitingFor::OwedPages,
            () if fold.unreadable() > 0 => WaitingFor::UnreadablePages,
            () if fold.unidentified() as u64 > self.options.allow_unidentified => {
                WaitingFor::Identification
            }
            () if expected.is_some_and(|n| (fold.accounts() as u64) < n) => {
                WaitingFor::MoreAccounts
            }
            () => WaitingFor::Quiet,
        }
    }

    fn state(&self) -> State {
        match self.waiting_for() {
            WaitingFor::Acceptance => State::Requested,
            WaitingFor::Quiet => State::Settling,
            _ => State::Collecting,
        }
    }

    /// When the pull gave its last sign: copies count for one idle timeout.
    fn last_activity(&self) -> Time {
        let idle = self.options.timing.idle_timeout;
        self.last_new.max(self.last_copy.min(self.last_new + idle))
    }

    /// The last refusal that a page of this pull may have suffered.
    fn refused(&self, hearing: &Hearing) -> Option<Time> {
        hearing.refused.filter(|at| *at >= self.requested())
    }

    /// When pages that were refused in outages should have come again: the platform waits longer between
    /// attempts the longer it was refused.
    fn recovered(&self, hearing: &Hearing) -> Time {
        let idle = self.options.timing.idle_timeout;
        let mine = hearing.outages.iter().filter(|(to, _)| *to >= self.requested());
        mine.map(|(to, length)| *to + (*length).min(idle)).max().unwrap_or(Time::ZERO)
    }

    fn deadline(&self) -> Time {
        let deadline = self.options.timing.deadline;
        self.opened + deadline + self.outage.min(deadline)
    }

    /// When silence ends the pull.
    fn silenced(&self, hearing: &Hearing) -> Time {
        let timing = &self.options.timing;
        let (activity, idle) = (self.last_activity(), timing.idle_timeout);
        let refused = self.refused(hearing).map(|at| at + idle);
        let patient = activity + timing.settle.max(idle);
        match self.waiting_for() {
            // Only an absent `has_more` marked the end, so the idle timeout's patience applies.
            WaitingFor::Quiet if !self.fold.end_stated() => patient.max(self.recovered(hearing)),
            WaitingFor::Quiet => {
                let settled = activity + timing.settle;
                let settled = refused.map_or(settled, |refused| settled.max(refused).min(patient));
                settled.max(self.recovered(hearing))
            }
            _ => {
                let idled = activity + idle;
                refused.map_or(idled, |refused| idled.max(refused).min(idled + idle))
            }
        }
    }

    /// When the pull ends if nothing happens.
    pub(crate) fn due(&self, hearing: &Hearing) -> Time {
        if hearing.deaf_since.is_some() {
            // An outage: silence proves nothing now.
            return self.deadline() + self.options.timing.deadline.saturating_sub(self.outage);
        }
        match self.waiting_for() {
            WaitingFor::Acceptance => self.deadline(),
            _ => self.deadline().min(self.silenced(hearing)),
        }
    }

    /// How the pull ends at [`due`](Self::due).
    pub(crate) fn ending(&self, hearing: &Hearing) -> Ending {
        let due = self.due(hearing);
        let waiting_for = self.waiting_for();
        let silenced = self.silenced(hearing);
        if waiting_for == WaitingFor::Quiet && silenced <= due && hearing.deaf_since.is_none() {
            let quiet = silenced.since(self.last_activity());
            return Ending::Complete(self.basis(Some(quiet), false, hearing));
        }
        let out_of_time = self.deadline() <= due;
        Ending::Failed(match self.missing(waiting_for) {
            // Silence up to the idle timeout says what is missing. The deadline may come while a
            // page is still on its way.
            _ if out_of_time && self.fold.digests() > 0 => Failure::Deadline,
            missing => missing,
        })
    }

    /// How the pull ends if the caller declares the end.
    pub(crate) fn ending_declared(&self, hearing: &Hearing) -> Ending {
        match self.waiting_for() {
            WaitingFor::Quiet => Ending::Complete(self.basis(None, true, hearing)),
            waiting_for => Ending::Failed(self.missing(waiting_for)),
        }
    }

    pub(crate) fn basis(
        &self,
        quiet: Option<Duration>,
        declared: bool,
        hearing: &Hearing,
    ) -> Basis {
        Basis {
            quiet,
            expected: self.options.expect_accounts,
            declared,
            implied_end: !self.fold.end_stated(),
            refusals: hearing.refusals.saturating_sub(self.refusals_before),
            outage: self.outage,
            unidentified: self.fold.unidentified(),
            earlier: false,
            interrupted: self.options.interrupted,
        }
    }

    fn missing(&self, waiting_for: WaitingFor) -> Failure {
        match waiting_for {
            WaitingFor::Acceptance | WaitingFor::FirstPage => Failure::Silent,
            WaitingFor::LastPage => Failure::LastPageMissing,
            WaitingFor::OwedPages => Failure::OwedPages,
            WaitingFor::UnreadablePages => Failure::UnreadablePages,
            WaitingFor::Identification => {
                Failure::UnidentifiedAccounts { accounts: self.fold.unidentified() }
            }
            WaitingFor::MoreAccounts => {
                Failure::FewerThanExpected { expected: self.options.expect_accounts.unwrap_or(0) }
            }
            WaitingFor::Quiet | WaitingFor::Nothing => Failure::Deadline,
        }
    }

    pub(crate) fn progress(&self, hearing: &Hearing) -> PullProgress {
        PullProgress {
            state: self.state(),
            waiting_for: self.waiting_for(),
            figures: Figures {
                pages: self.fold.pages(),
                accounts: self.fold.accounts(),
                duplicate_pages: self.duplicate_pages,
                conflicts: self.fold.conflicts(),
                unreadable_pages: self.fold.unreadable(),
                owed_pages: self.fold.owed(),
                unidentified: self.fold.unidentified(),
                refusals: hearing.refusals.saturating_sub(self.refusals_before),
                last_page_seen: self.fold.last_page_seen(),
                revision: 0,
                revising: false,
            },
            started: self.started,
            last_activity: self.last_activity(),
            due: Some(self.due(hearing)),
        }
    }
}
