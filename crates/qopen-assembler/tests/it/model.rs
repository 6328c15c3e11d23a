//! The naive model: it keeps every page whole, and computes everything anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qopen_assembler::{Failure, PullOptions, Time};

use crate::operations::{Key, Said, TestPage};

/// How a pull ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    /// By silence or the deadline: a page reopens the pull.
    Failed,
    /// By the platform or the caller.
    Ended,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ModelPull {
    pub options: PullOptions,
    pub started: Time,
    pub opened: Time,
    /// When something new came last, and when a copy did.
    pub new: Time,
    pub copy: Time,
    pub awaiting: bool,
    pub pages: BTreeSet<TestPage>,
    pub unreadable: BTreeSet<TestPage>,
    pub owed: BTreeSet<TestPage>,
    pub released: BTreeSet<TestPage>,
    pub copies: u64,
    /// How it ended, and when it is forgotten.
    pub ended: Option<(End, Time)>,
    pub revision: u32,
    /// When the first and the last page came that are in no revision yet.
    pub late: Option<(Time, Time)>,
}

impl ModelPull {
    pub(crate) fn new(now: Time, options: PullOptions) -> Self {
        let awaiting = options.await_acceptance;
        Self {
            options,
            started: now,
            opened: now,
            new: now,
            copy: now,
            awaiting,
            ..Self::default()
        }
    }

    /// Since then, refusals may have been its pages.
    pub(crate) fn requested(&self) -> Time {
        let before = self.options.requested_before;
        Time::since_epoch(self.started.to_duration().saturating_sub(before))
    }

    /// Every account with all contents seen of it.
    pub(crate) fn accounts(&self) -> BTreeMap<u8, BTreeSet<u8>> {
        let mut out: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for (id, content) in self.pages.iter().flat_map(|page| &page.accounts) {
            out.entry(*id).or_default().insert(*content);
        }
        out
    }

    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.difference(&(&self.pages | &self.released)).count()
    }

    pub(crate) fn owed(&self) -> usize {
        let kept = &(&self.pages | &self.unreadable) | &self.released;
        self.owed.difference(&kept).count()
    }

    pub(crate) fn unidentified(&self) -> usize {
        let nameless = self.pages.iter().flat_map(|page| &page.nameless);
        nameless.collect::<BTreeSet<_>>().len()
    }

    /// What counts against completeness; `None` if only quiet is missing.
    pub(crate) fn missing(&self) -> Option<Failure> {
        let sets = [&self.pages, &self.unreadable, &self.owed, &self.released];
        let came = sets.iter().any(|set| !set.is_empty());
        let last_page = self.pages.iter().any(|page| page.has_more != Some(true));
        let expected = self.options.expect_accounts.unwrap_or(0);
        let few = (self.accounts().len() as u64) < expected;
        let accounts = self.unidentified();
        let nameless = accounts as u64 > self.options.allow_unidentified;
        let missing = [
            (!came, Failure::Silent),
            (!last_page, Failure::LastPageMissing),
            (self.owed() > 0, Failure::OwedPages),
            (self.unreadable() > 0, Failure::UnreadablePages),
            (nameless, Failure::UnidentifiedAccounts { accounts }),
            (few, Failure::FewerThanExpected { expected }),
        ];
        missing.into_iter().find(|(is, _)| *is).map(|(_, failure)| failure)
    }

    fn completed(&self, key: Key, quiet: Option<Duration>) -> Said {
        Said::Completed(key, quiet, self.options.expect_accounts)
    }
}

#[derive(Default)]
pub(crate) struct Model {
    pub now: Time,
    pub pulls: BTreeMap<Key, ModelPull>,
    pub said: Vec<Said>,
    pub retention: Duration,
    /// When callbacks were refused, or the last outage ended.
    pub refusal: Option<Time>,
    /// Past outages, and the start of the present one.
    pub outages: Vec<(Time, Time)>,
    pub deaf: Option<Time>,
}

impl Model {
    /// The time without the outages that came after it.
    fn heard(&self, at: Time) -> Time {
        self.outages.iter().fold(at, |sum, (from, to)| sum + to.since(at.max(*from)))
    }

    /// When a pull ends, makes a revision or is forgotten, and the event of that moment.
    fn due(&self, key: Key, pull: &ModelPull) -> (Time, Option<Said>) {
        let timing = pull.options.timing;
        if let Some((_, forgotten)) = pull.ended {
            let quiet = (timing.settle * 2).max(timing.idle_timeout / 6);
            let revised =
                pull.late.map(|(first, last)| (last + quiet).min(first + timing.idle_timeout));
            return match revised {
                Some(at) if at < forgotten => (at, Some(Said::Revised(key, pull.revision + 1))),
                _ => (forgotten, None),
            };
        }
        let missing = pull.missing();
        let outage = self.outages.iter().map(|(from, to)| to.since(pull.opened.max(*from)));
        let outage: Duration = outage.sum();
        let idle = timing.idle_timeout;
        let deadline = match self.deaf {
            Some(_) => pull.opened + timing.deadline * 2,
            None => pull.opened + timing.deadline + outage.min(timing.deadline),
        };
        let failed = |failure| Some(Said::Failed(key, failure));
        let late = match missing {
            Some(Failure::Silent) => failed(Failure::Silent),
            _ => failed(Failure::Deadline),
        };
        if pull.awaiting || self.deaf.is_some() {
            return (deadline, late);
        }
        let (new, copy) = (self.heard(pull.new), self.heard(pull.copy));
        let activity = new.max(copy.min(new + idle));
        let requested = pull.requested();
        let refused = self.refusal.filter(|at| *at >= requested);
        let (least, most) = match &missing {
            Some(_) => (idle, idle * 2),
            None if pull.pages.iter().any(|page| page.has_more == Some(false)) => {
                (timing.settle, timing.settle.max(idle))
            }
            None => (timing.settle.max(idle), timing.settle.max(idle)),
        };
        let patient = refused.map_or(Time::ZERO, |refused| refused + idle);
        let silenced = (activity + least).max(patient).min(activity + most);
        // The wait after an outage is as long as the outage, even if a shorter one follows.
        let mine = self.outages.iter().filter(|(_, to)| *to >= requested && missing.is_none());
        let recovered = mine.map(|(from, to)| *to + to.since(*from).min(idle)).max();
        let silenced = silenced.max(recovered.unwrap_or(Time::ZERO));
        match missing {
            None if silenced <= deadline => {
                (silenced, Some(pull.completed(key, Some(silenced.since(activity)))))
            }
            Some(missing) if silenced < deadline => (silenced, failed(missing)),
            _ => (deadline, late),
        }
    }

    pub(crate) fn advance(&mut self, now: Time) {
        let now = self.now.max(now);
        let next = |model: &Self| {
            let due = model.pulls.iter().map(|(key, pull)| (model.due(*key, pull), *key));
            due.min_by_key(|((at, _), key)| (*at, *key)).filter(|((at, _), _)| *at <= now)
        };
        while let Some(((at, said), key)) = next(self) {
            self.now = self.now.max(at);
            match said {
                Some(Said::Revised(..)) => self.revise(key),
                Some(said) => self.end(key, said),
                None => self.forget(key),
            }
        }
        self.now = now;
    }

    pub(crate) fn revise(&mut self, key: Key) {
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        if pull.late.take().is_some() {
            pull.revision += 1;
            self.said.push(Said::Revised(key, pull.revision));
        }
    }

    pub(crate) fn forget(&mut self, key: Key) {
        self.revise(key);
        self.pulls.remove(&key);
    }

    pub(crate) fn end(&mut self, key: Key, said: Said) {
        let forgotten = self.now + self.retention;
        let Some(pull) = self.open(key) else { return };
        let end = match &said {
            Said::Completed(..) => End::Complete,
            Said::Failed(_, Failure::Reported { .. } | Failure::Cancelled) => End::Ended,
            _ => End::Failed,
        };
        pull.ended = Some((end, forgotten));
        pull.revision = u32::from(end == End::Complete);
        self.said.push(said);
    }

    pub(crate) fn open(&mut self, key: Key) -> Option<&mut ModelPull> {
        self.pulls.get_mut(&key).filter(|pull| pull.ended.is_none())
    }

    pub(crate) fn touch(&mut self, key: Key, change: impl FnOnce(&mut ModelPull)) {
        let now = self.now;
        let Some(pull) = self.open(key) else { return };
        (pull.new, pull.copy, pull.awaiting) = (now, now, false);
        change(pull);
    }

    fn touch_by_copy(&mut self, key: Key) {
        let now = self.now;
        let Some(pull) = self.open(key) else { return };
        (pull.copy, pull.awaiting) = (now, false);
    }

    fn reopen(&mut self, key: Key) {
        let now = self.now;
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        (pull.ended, pull.opened, pull.new, pull.copy) = (None, now, now, now);
        pull.awaiting = false;
        self.said.push(Said::Reopened(key));
    }

    pub(crate) fn page(&mut self, key: Key, page: TestPage) {
        let now = self.now;
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        if pull.pages.contains(&page) {
            pull.copies += 1;
            return self.touch_by_copy(key);
        }
        match pull.ended {
            Some((End::Ended, _)) => {}
            Some((End::Failed, _)) => {
                pull.pages.insert(page);
                self.reopen(key);
            }
            Some((End::Complete, _)) => {
                pull.pages.insert(page);
                pull.late = Some((pull.late.map_or(now, |(first, _)| first), now));
            }
            None => self.touch(key, |pull| {
                pull.pages.insert(page);
            }),
        }
    }

    /// A page that is not folded: unreadable, or owed.
    pub(crate) fn unfolded(&mut self, key: Key, page: TestPage, owed: bool) {
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        let settled = pull.pages.contains(&page) || pull.released.contains(&page);
        let settled = settled || owed && pull.unreadable.contains(&page);
        let set = if owed { &mut pull.owed } else { &mut pull.unreadable };
        if set.insert(page) && !settled {
            self.touch(key, |_| {});
        }
    }

    pub(crate) fn release(&mut self, key: Key, page: TestPage) {
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        if pull.released.insert(page.clone()) && !pull.pages.contains(&page) {
            self.touch(key, |_| {});
        }
        let Some(pull) = self.pulls.get(&key) else { return };
        let failed = pull.ended.is_some_and(|(end, _)| end == End::Failed);
        if failed && pull.missing().is_none() {
            self.reopen(key);
        }
    }

    pub(crate) fn outage_ended(&mut self) {
        if let Some(since) = self.deaf.take() {
            // Outages before the first moment that counts for an open pull have no effect any more, once what was refused
            // in them should have come again.
            let open = self.pulls.values().filter(|it| it.ended.is_none());
            let first = open.map(|it| it.opened.min(it.new).min(it.copy)).min();
            let (now, is_open_since) = (self.now, |to| first.is_some_and(|first| to > first));
            self.outages.retain(|(from, to)| is_open_since(*to) || *to + to.since(*from) > now);
            self.outages.push((since, self.now));
            self.refusal = Some(self.now);
        }
    }

    pub(crate) fn declare(&mut self, key: Key) {
        let Some(pull) = self.open(key) else { return };
        let said = pull.missing().map(|it| Said::Failed(key, it));
        let said = said.unwrap_or(pull.completed(key, None));
        self.end(key, said);
    }
}
