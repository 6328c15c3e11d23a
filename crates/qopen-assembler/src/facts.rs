//! The `handle_*` methods.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::assembler::Assembler;
use crate::event::{Anomaly, Event, Failure, Limit};
use crate::fold::Fold;
use crate::input::{ErrorReport, Page, Verdict};
use crate::key::{Keyed, PageDigest, PullKey};
use crate::progress::{State, WaitingFor};
use crate::pull::{Ending, Pull};
use crate::time::Time;
use crate::tombstone::{Late, Tombstone};

impl<T: Keyed> Assembler<T> {
    /// Whether pages get [`Verdict::Backlog`] until events are polled.
    #[must_use]
    pub fn is_backlogged(&self) -> bool {
        self.events.len() >= self.config.limits.queued_events
    }

    /// Reports that the platform accepted the request: silence begins to count. Ignored for a pull
    /// that is not open.
    pub fn handle_accepted(&mut self, now: Time, key: &PullKey) {
        let now = self.advance(now);
        if let Some(pull) = self.open.get_mut(key) {
            pull.touch(now);
            self.changed(key);
        }
    }

    /// Reports a page. The [`Verdict`] says what became of it. Only [`Verdict::Backlog`] must not
    /// be ignored: hand the page in again.
    ///
    /// Costs a table insertion per account, and one of them may move up to one shard, about 2,000
    /// accounts. `accounts` is not read if the page is a copy or refused.
    pub fn handle_page<I>(&mut self, now: Time, page: Page<I>) -> Verdict
    where
        I: IntoIterator<Item = T>,
    {
        let now = self.advance(now);
        if self.is_backlogged() {
            return Verdict::Backlog;
        }
        if self.ended.contains_key(&page.key) {
            return self.page_after_end(page);
        }
        if !self.known_or_adopted(now, &page.key) {
            return Verdict::Unknown;
        }
        let (key, limits) = (page.key.clone(), self.config.limits);
        // `known_or_adopted` found or opened it.
        let Some(pull) = self.open.get_mut(&key) else {
            return Verdict::Unknown;
        };
        if pull.fold.has_page(page.digest) {
            pull.touch_by_copy(now);
            pull.count_duplicate();
            self.changed(&key);
            return Verdict::Duplicate;
        }
        pull.touch(now);
        if !pull.fold.knows(page.digest) && pull.fold.digests() >= limits.pages {
            return self.over_limit(&key, Limit::Pages);
        }
        let conflicts = pull.fold.conflicts();
        let fresh = fold_page(pull.fold_mut(), page, self.config.stream);
        let accounts = pull.fold.accounts() + pull.fold.unidentified();
        let conflicts_now = pull.fold.conflicts();
        self.say_fresh(&key, fresh);
        if conflicts_now > conflicts {
            self.anomaly(Anomaly::Conflict { key: key.clone(), accounts: conflicts_now });
        }
        if accounts > limits.accounts {
            return self.over_limit(&key, Limit::Accounts);
        }
        self.changed(&key);
        Verdict::Folded
    }

    /// Reports a page that was kept but could not be read. The page counts against completeness
    /// until [`handle_page`](Self::handle_page) gets the same digest, or
    /// [`handle_released`](Self::handle_released) waives it. It counts as a page against the limit.
    /// The first report begins silence anew. A complete pull stays complete. Costs a tree
    /// insertion.
    pub fn handle_unreadable_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, digest, Fold::add_unreadable);
    }

    /// Reports that a person has waived an unreadable page: it no longer counts against
    /// completeness. The first report begins silence anew, and a pull that failed by the page
    /// settles again.
    pub fn handle_released(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        let now = self.advance(now);
        if let Some(pull) = self.open.get_mut(key) {
            if pull.fold_mut().release(digest) {
                pull.touch(now);
            }
            return self.changed(key);
        }
        let Some(tombstone) = self.ended.get_mut(key) else { return };
        tombstone.pull.fold_mut().release(digest);
        tombstone.progress.figures.unreadable_pages = tombstone.pull.fold.unreadable();
        tombstone.progress.figures.owed_pages = tombstone.pull.fold.owed();
        let settles = tombstone.pull.waiting_for() == WaitingFor::Quiet;
        if tombstone.revivable && !tombstone.taken && settles {
            self.reopen(key);
        }
    }

    /// Reports a refused callback that may have been a page of any open pull. For one idle timeout,
    /// open pulls settle with the idle timeout's patience. Costs `O(1)`.
    pub fn handle_refusal(&mut self, now: Time) {
        self.handle_refusals(now, 1);
    }

    /// Reports several [refused callbacks](Self::handle_refusal) at once. Costs `O(1)`.
    pub fn handle_refusals(&mut self, now: Time, count: u64) {
        let now = self.advance(now);
        if count > 0 {
            self.hearing.refused = Some(now);
            self.hearing.refusals = self.hearing.refusals.saturating_add(count);
        }
    }

    /// Reports that since `since` the caller cannot receive, or cannot tell: nothing ends by
    /// silence during the outage. `since` may be in the past. Costs `O(p)`.
    pub fn handle_outage_began(&mut self, now: Time, since: Time) {
        self.advance(since.min(now));
        if self.hearing.deaf_since.is_none() {
            // Outages do not overlap.
            let heard_again = self.hearing.outages.last().map(|(to, _)| *to);
            self.hearing.deaf_since = Some(heard_again.map_or(since, |to| since.max(to)));
        }
        self.advance(now);
        self.reschedule();
    }

    /// Reports that the caller receives again. The outage counts neither as quiet nor, up to the
    /// deadline's own length, against the deadline. The platform needs time to send again what it
    /// could not deliver: a list completes only after quiet as long as the outage, or as the idle
    /// timeout if that is shorter. Costs `O(p)`.
    pub fn handle_outage_ended(&mut self, now: Time) {
        let now = self.advance(now);
        let Some(since) = self.hearing.deaf_since.take() else { return };
        let length = now.since(since);
        self.hearing.outages.retain(|(to, earlier)| *to + *earlier > now + length);
        self.hearing.outages.push((now, length));
        self.hearing.refused = Some(now);
        for pull in self.open.values_mut() {
            pull.add_outage(since, now);
        }
        self.reschedule();
    }

    /// Puts every open pull at its place in the schedule.
    fn reschedule(&mut self) {
        for (key, pull) in &mut self.open {
            let due = pull.due(&self.hearing);
            if due != pull.scheduled {
                self.schedule.remove(&(pull.scheduled, key.clone()));
                pull.scheduled = due;
                self.schedule.insert((due, key.clone()));
            }
        }
    }

    /// Reports a page that could not be kept, so that the platform must send it again. The pull is
    /// not complete before that. The page counts against the limit, and begins silence anew. Costs
    /// a tree insertion.
    pub fn handle_owed_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, digest, Fold::add_owed);
    }

    /// Reports the platform's error. A report with a mark ends its pull. A report without a mark
    /// ends the robot's only open pull that had been requested when the report was signed; with
    /// several such pulls it ends none.
    pub fn handle_error(&mut self, now: Time, report: ErrorReport) {
        self.advance(now);
        let ErrorReport { robot, mark, code, message, signed } = report;
        let until = signed.map(|signed| signed + self.config.report_tolerance);
        let fits = |(key, pull): &(&PullKey, &Pull)| {
            key.robot() == robot && until.is_none_or(|until| pull.requested() <= until)
        };
        let mut candidates: Vec<PullKey> = match &mark {
            Some(mark) => vec![PullKey::new(&robot, mark)],
            None => self.open.iter().filter(fits).map(|(key, _)| key.clone()).collect(),
        };
        candidates.retain(|key| self.open.contains_key(key));
        match (candidates.as_slice(), mark) {
            ([key], _) => self.end(key, Ending::Failed(Failure::Reported { code, message })),
            ([], mark) => {
                self.counters.stray_errors = self.counters.stray_errors.saturating_add(1);
                self.anomaly(Anomaly::UnmatchedError { robot, mark, code, message });
            }
            (_, _) => {
                self.counters.stray_errors = self.counters.stray_errors.saturating_add(1);
                self.anomaly(Anomaly::AmbiguousError { robot, code, message });
            }
        }
    }

    /// Reports that time has passed: ends what is due and forgets what is old, at `O(log p)` each.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
    }

    fn known_or_adopted(&mut self, now: Time, key: &PullKey) -> bool {
        if self.open.contains_key(key) {
            return true;
        }
        if let Some(mut options) = self.config.adopt {
            // A callback that was refused meanwhile may have been its page.
            let before = options.requested_before.max(options.timing.idle_timeout);
            options.requested_before = before;
            if self.start(now, key.clone(), options).is_ok() {
                return true;
            }
        }
        self.counters.unknown_pages = self.counters.unknown_pages.saturating_add(1);
        self.anomaly(Anomaly::UnknownMark { key: key.clone() });
        false
    }

    fn page_after_end<I: IntoIterator<Item = T>>(&mut self, page: Page<I>) -> Verdict {
        let Some(tombstone) = self.ended.get_mut(&page.key) else {
            return Verdict::Unknown;
        };
        let (key, digest, limits) = (page.key.clone(), page.digest, self.config.limits);
        if tombstone.pull.fold.has_page(digest) {
            tombstone.pull.count_duplicate();
            tombstone.progress.figures.duplicate_pages =
                tombstone.progress.figures.duplicate_pages.saturating_add(1);
            return Verdict::Duplicate;
        }
        let completed = tombstone.progress.state == State::Completed;
        let reopens = tombstone.revivable && !tombstone.taken;
        let reopens = reopens && self.open.len() < limits.open_pulls;
        if !completed && !reopens {
            self.counters.pages_after_failure = self.counters.pages_after_failure.saturating_add(1);
            self.anomaly(Anomaly::PageAfterFailure { key, page: digest });
            return Verdict::AfterFailure;
        }
        let known = tombstone.pull.fold.knows(digest);
        if !known && tombstone.pull.fold.digests() >= limits.pages {
            self.anomaly(Anomaly::LatePageOverLimit { key, page: digest });
            return Verdict::LimitReached;
        }
        let fresh = fold_late(tombstone, page, self.config.stream);
        self.say_fresh(&key, fresh);
        if !completed {
            self.reopen(&key);
            return Verdict::Reopened;
        }
        let before = self.ended.get(&key).map(Tombstone::due);
        if let Some(tombstone) = self.ended.get_mut(&key) {
            let first = tombstone.late.map_or(self.now, |late| late.first);
            tombstone.late = Some(Late { first, last: self.now, page: digest });
            tombstone.progress.figures.revising = true;
            if let Some(before) = before {
                self.schedule.remove(&(before, key.clone()));
            }
            self.schedule.insert((tombstone.due(), key));
        }
        Verdict::Late
    }

    fn say_fresh(&mut self, key: &PullKey, accounts: Vec<T>) {
        if !accounts.is_empty() {
            self.events.push_back(Event::Fresh { key: key.clone(), accounts });
        }
    }

    fn handle_missing(
        &mut self,
        now: Time,
        key: &PullKey,
        digest: PageDigest,
        note: fn(&mut Fold, PageDigest) -> bool,
    ) {
        let now = self.advance(now);
        if let Some(tombstone) = self.ended.get_mut(key) {
            let room = tombstone.pull.fold.digests() < self.config.limits.pages;
            let fold = Arc::make_mut(&mut tombstone.pull.fold);
            if !fold.has_page(digest) && (room || fold.knows(digest)) && note(fold, digest) {
                tombstone.progress.figures.unreadable_pages = fold.unreadable();
                tombstone.progress.figures.owed_pages = fold.owed();
                self.anomaly(Anomaly::UnfoldedAfterEnd { key: key.clone(), page: digest });
            }
            return;
        }
        if !self.known_or_adopted(now, key) {
            return;
        }
        let limit = self.config.limits.pages;
        let Some(pull) = self.open.get_mut(key) else {
            return;
        };
        if !pull.fold.knows(digest) && pull.fold.digests() >= limit {
            pull.touch(now);
            self.over_limit(key, Limit::Pages);
            return;
        }
        // A reader of a journal reports known pages again. That is no sign from the platform.
        if note(pull.fold_mut(), digest) {
            pull.touch(now);
        }
        self.changed(key);
    }
}

/// Folds a page; returns the accounts that are new or now win, if they are wanted.
fn fold_page<T: Keyed, I: IntoIterator<Item = T>>(
    fold: &mut Fold,
    page: Page<I>,
    stream: bool,
) -> Vec<T> {
    let mut fresh = Vec::new();
    fold.add_unidentified(page.unidentified);
    fold.add_page(page.digest, page.has_more, page.accounts, |account| {
        if stream {
            fresh.push(account);
        }
    });
    fresh
}

/// Folds a page of a pull that has ended. If its accounts were taken, notes only the page's digest.
fn fold_late<T: Keyed, I: IntoIterator<Item = T>>(
    tombstone: &mut Tombstone,
    page: Page<I>,
    stream: bool,
) -> Vec<T> {
    let fold = tombstone.pull.fold_mut();
    let mut fresh = Vec::new();
    if tombstone.taken {
        fold.add_page(page.digest, page.has_more, core::iter::empty::<T>(), |_| {});
    } else {
        fresh = fold_page(fold, page, stream);
        tombstone.progress.figures.accounts = fold.accounts();
        tombstone.progress.figures.conflicts = fold.conflicts();
        tombstone.progress.figures.unidentified = fold.unidentified();
    }
    tombstone.progress.figures.pages = fold.pages();
    tombstone.progress.figures.unreadable_pages = fold.unreadable();
    tombstone.progress.figures.owed_pages = fold.owed();
    fresh
}
