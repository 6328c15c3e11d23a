//! The naive model: it keeps every page whole, and works everything out anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qopen_assembler::{Failure, PullOptions, Time};

use crate::operations::{Key, Said, TestPage};

#[derive(Clone, Debug, Default)]
pub struct ModelPull {
    pub options: PullOptions,
    pub started: Time,
    pub activity: Time,
    pub awaiting: bool,
    pub pages: BTreeSet<TestPage>,
    pub unreadable: BTreeSet<TestPage>,
    pub owed: BTreeSet<TestPage>,
    pub copies: u64,
    /// Whether it completed, and when it is forgotten.
    pub ended: Option<(bool, Time)>,
    pub revision: u32,
}

impl ModelPull {
    /// Every account with all contents seen of it.
    pub fn accounts(&self) -> BTreeMap<u8, BTreeSet<u8>> {
        let mut out: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for (id, content) in self.pages.iter().flat_map(|page| &page.accounts) {
            out.entry(*id).or_default().insert(*content);
        }
        out
    }

    pub fn unreadable(&self) -> usize {
        self.unreadable.difference(&self.pages).count()
    }

    pub fn owed(&self) -> usize {
        self.owed.difference(&(&self.pages | &self.unreadable)).count()
    }

    /// What stands against completeness; `None` where only quiet is missing.
    fn missing(&self) -> Option<Failure> {
        let came = self.pages.len() + self.unreadable.len() + self.owed.len() > 0;
        let last_page = self.pages.iter().any(|page| !page.has_more);
        let expected = self.options.expect_accounts.unwrap_or(0);
        let few = (self.accounts().len() as u64) < expected;
        let missing = [
            (!came, Failure::Silent),
            (!last_page, Failure::LastPageMissing),
            (self.owed() > 0, Failure::OwedPages),
            (self.unreadable() > 0, Failure::UnreadablePages),
            (few, Failure::FewerThanExpected { expected }),
        ];
        missing.into_iter().find(|(is, _)| *is).map(|(_, failure)| failure)
    }

    /// When it ends or is forgotten, and what is said then.
    fn due(&self, key: Key) -> (Time, Option<Said>) {
        if let Some((_, forgotten)) = self.ended {
            return (forgotten, None);
        }
        let (timing, missing) = (self.options.timing, self.missing());
        let (deadline, settled) = (self.started + timing.deadline, self.activity + timing.settle);
        let idle = self.activity + timing.idle_timeout;
        let failed = |failure| Some(Said::Failed(key, failure));
        match missing {
            None if !self.awaiting && settled <= deadline => {
                (settled, Some(self.completed(key, Some(timing.settle))))
            }
            Some(missing) if !self.awaiting && idle < deadline => (idle, failed(missing)),
            Some(Failure::Silent) => (deadline, failed(Failure::Silent)),
            _ => (deadline, failed(Failure::Deadline)),
        }
    }

    fn completed(&self, key: Key, quiet: Option<Duration>) -> Said {
        Said::Completed(key, quiet, self.options.expect_accounts)
    }
}

#[derive(Default)]
pub struct Model {
    pub now: Time,
    pub pulls: BTreeMap<Key, ModelPull>,
    pub said: Vec<Said>,
    pub retention: Duration,
}

impl Model {
    pub fn advance(&mut self, now: Time) {
        let now = self.now.max(now);
        let next = |model: &Self| {
            let due = model.pulls.iter().map(|(key, pull)| (pull.due(*key), *key));
            due.min_by_key(|((at, _), key)| (*at, *key)).filter(|((at, _), _)| *at <= now)
        };
        while let Some(((at, said), key)) = next(self) {
            self.now = self.now.max(at);
            match said {
                Some(said) => self.end(key, said),
                None => drop(self.pulls.remove(&key)),
            }
        }
        self.now = now;
    }

    pub fn end(&mut self, key: Key, said: Said) {
        let forgotten = self.now + self.retention;
        let Some(pull) = self.open(key) else { return };
        let complete = matches!(said, Said::Completed(..));
        (pull.ended, pull.revision) = (Some((complete, forgotten)), u32::from(complete));
        self.said.push(said);
    }

    pub fn open(&mut self, key: Key) -> Option<&mut ModelPull> {
        self.pulls.get_mut(&key).filter(|pull| pull.ended.is_none())
    }

    pub fn touch(&mut self, key: Key, change: impl FnOnce(&mut ModelPull)) {
        let now = self.now;
        let Some(pull) = self.open(key) else { return };
        (pull.activity, pull.awaiting) = (now, false);
        change(pull);
    }

    pub fn page(&mut self, key: Key, page: TestPage) {
        self.touch(key, |_| {});
        let Some(pull) = self.pulls.get_mut(&key) else { return };
        match pull.ended {
            _ if pull.pages.contains(&page) => pull.copies += 1,
            Some((false, _)) => {}
            ended => {
                pull.pages.insert(page);
                if ended.is_some() {
                    pull.revision += 1;
                    self.said.push(Said::Revised(key, pull.revision));
                }
            }
        }
    }

    pub fn declare(&mut self, key: Key) {
        let Some(pull) = self.open(key) else { return };
        let said = pull.missing().map(|it| Said::Failed(key, it));
        let said = said.unwrap_or(pull.completed(key, None));
        self.end(key, said);
    }
}
