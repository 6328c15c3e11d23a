//! What the assembler does with what happened.

use crate::assembler::{Assembler, ErrorReport, Page, Verdict};
use crate::event::{Anomaly, Event, Failure, Limit};
use crate::fold::Fold;
use crate::key::{Keyed, PageDigest, PullKey};
use crate::pull::{Ending, State};
use crate::time::Time;

impl<T: Keyed> Assembler<T> {
    /// The request was accepted: silence begins to count. Ignored for a pull that is not open.
    pub fn handle_accepted(&mut self, now: Time, key: &PullKey) {
        let now = self.advance(now);
        if let Some(pull) = self.open.get_mut(key) {
            pull.touch(now);
            self.changed(key);
        }
    }

    /// A page came. The [`Verdict`] says at once what became of it; nothing is lost by ignoring it
    /// but [`Verdict::Backlog`], after which the page must be handed in again.
    ///
    /// Costs a table insertion for each account that is in it, and one of those may move up to one
    /// shard, some 2,000 accounts; `accounts` is not touched where the page is a copy or not taken.
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
        let (key, limits) = (page.key.clone(), self.config.limits);
        // Known or adopted: it is there.
        let Some(pull) = self.open.get_mut(&key) else {
            return Verdict::Unknown;
        };
        pull.touch(now);
        if pull.fold.has_page(page.digest) {
            pull.count_duplicate();
            self.changed(&key);
            return Verdict::Duplicate;
        }
        if !pull.fold.knows(page.digest) && pull.fold.digests() >= limits.pages {
            return self.over_limit(&key, Limit::Pages);
        }
        let conflicts = pull.fold.conflicts();
        let fresh = fold_page(&mut pull.fold, page, self.config.stream);
        let (accounts, conflicts_now) = (pull.fold.accounts(), pull.fold.conflicts());
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

    /// A page came that is kept and could not be understood. The pull is not complete while it
    /// stands; handing the same digest to [`handle_page`](Self::handle_page) redeems it. It counts
    /// as a page against the limit, and begins silence anew. Costs a tree insertion.
    pub fn handle_unreadable_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, digest, Fold::add_unreadable);
    }

    /// A page came that could not be kept, so that the platform must send it again. The pull is not
    /// complete before it has come. It counts as a page against the limit, and begins silence anew.
    /// Costs a tree insertion.
    pub fn handle_owed_page(&mut self, now: Time, key: &PullKey, digest: PageDigest) {
        self.handle_missing(now, key, digest, Fold::add_owed);
    }

    /// The platform reported an error. It ends the pull it names; without a mark it ends the
    /// robot's only open pull, and none where there are several.
    pub fn handle_error(&mut self, now: Time, report: ErrorReport) {
        self.advance(now);
        let ErrorReport { robot, mark, code, message } = report;
        let mut candidates: Vec<PullKey> = match &mark {
            Some(mark) => vec![PullKey::new(&robot, mark)],
            None => self.open.keys().filter(|key| key.robot() == robot).cloned().collect(),
        };
        candidates.retain(|key| self.open.contains_key(key));
        match (candidates.as_slice(), mark) {
            ([key], _) => self.end(key, Ending::Failed(Failure::Reported { code, message })),
            ([], mark) => {
                self.counters.stray_errors += 1;
                self.anomaly(Anomaly::UnmatchedError { robot, mark, code, message });
            }
            (_, _) => {
                self.counters.stray_errors += 1;
                self.anomaly(Anomaly::AmbiguousError { robot, code, message });
            }
        }
    }

    /// Time passed. Ends what is due, forgets what is old; costs `O(log p)` for each of those.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
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
        let Some(tombstone) = self.ended.get_mut(&page.key) else {
            return Verdict::Unknown;
        };
        let (key, digest, limit) = (page.key.clone(), page.digest, self.config.limits.pages);
        if tombstone.has_page(digest) {
            tombstone.progress.duplicate_pages += 1;
            return Verdict::Duplicate;
        }
        if tombstone.progress.state != State::Completed {
            self.counters.pages_after_failure += 1;
            self.anomaly(Anomaly::PageAfterFailure { key, page: digest });
            return Verdict::AfterFailure;
        }
        if tombstone.progress.pages >= limit {
            self.anomaly(Anomaly::LatePageOverLimit { key, page: digest });
            return Verdict::LimitReached;
        }
        let mut fresh = Vec::new();
        match &mut tombstone.fold {
            Some(fold) => {
                fresh = fold_page(fold, page, self.config.stream);
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
        self.say_fresh(&key, fresh);
        self.events.push_back(Event::Revised { key, page: digest, revision });
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
        if let Some(tombstone) = self.ended.get(key) {
            if !tombstone.has_page(digest) {
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
        pull.touch(now);
        if !pull.fold.knows(digest) && pull.fold.digests() >= limit {
            self.over_limit(key, Limit::Pages);
            return;
        }
        note(&mut pull.fold, digest);
        self.changed(key);
    }
}

/// Folds a page; the accounts that are new or now win come back where they are wanted.
fn fold_page<T: Keyed, I: IntoIterator<Item = T>>(
    fold: &mut Fold,
    page: Page<I>,
    stream: bool,
) -> Vec<T> {
    let mut fresh = Vec::new();
    fold.add_page(page.digest, page.has_more, page.accounts, |account| {
        if stream {
            fresh.push(account);
        }
    });
    fresh
}
