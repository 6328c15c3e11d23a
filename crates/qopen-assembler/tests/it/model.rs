//! The naive model: it keeps every page whole, and works everything out anew each time.

use std::collections::{BTreeMap, BTreeSet};

use qopen_assembler::{Basis, Failure, PullOptions, Time};

/// A page of the tests: which accounts, each with a content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestPage {
    pub has_more: bool,
    pub accounts: Vec<(u8, u8)>,
}

pub type Key = (u8, u8);

#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Completed(Key, Basis),
    Failed(Key, Failure),
    Revised(Key, u32),
}

#[derive(Clone, Debug)]
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
        self.unreadable
            .iter()
            .filter(|page| !self.pages.contains(page))
            .count()
    }

    pub fn owed(&self) -> usize {
        let kept = |page: &TestPage| self.pages.contains(page) || self.unreadable.contains(page);
        self.owed.iter().filter(|page| !kept(page)).count()
    }

    fn something_came(&self) -> bool {
        !self.pages.is_empty() || !self.unreadable.is_empty() || !self.owed.is_empty()
    }

    /// What stands against completeness; `None` where only quiet is missing.
    fn missing(&self) -> Option<Failure> {
        let last_page = self.pages.iter().any(|page| !page.has_more);
        let expected = self.options.expect_accounts.unwrap_or(0);
        if !self.something_came() {
            Some(Failure::Silent)
        } else if !last_page {
            Some(Failure::LastPageMissing)
        } else if self.owed() > 0 {
            Some(Failure::OwedPages)
        } else if self.unreadable() > 0 {
            Some(Failure::UnreadablePages)
        } else if (self.accounts().len() as u64) < expected {
            Some(Failure::FewerThanExpected { expected })
        } else {
            None
        }
    }

    /// When it ends or is forgotten, and how it ends.
    fn due(&self, key: Key) -> (Time, Said) {
        let timing = self.options.timing;
        let deadline = self.started + timing.deadline;
        let (at_deadline, missing) = match (self.something_came(), self.missing()) {
            (false, _) => (Said::Failed(key, Failure::Silent), Some(Failure::Silent)),
            (true, missing) => (Said::Failed(key, Failure::Deadline), missing),
        };
        let (at, said) = match missing {
            _ if self.awaiting => return (deadline, at_deadline),
            None => (
                self.activity + timing.settle,
                Said::Completed(key, self.basis(false)),
            ),
            Some(missing) => {
                // At the very deadline, the deadline is the reason.
                let idle = self.activity + timing.idle_timeout;
                let said = if idle == deadline {
                    at_deadline.clone()
                } else {
                    Said::Failed(key, missing)
                };
                (idle, said)
            }
        };
        if at <= deadline {
            (at, said)
        } else {
            (deadline, at_deadline)
        }
    }

    fn basis(&self, declared: bool) -> Basis {
        let mut basis = qopen_basis();
        basis.quiet = (!declared).then_some(self.options.timing.settle);
        basis.expected = self.options.expect_accounts;
        basis.declared = declared;
        basis
    }
}

/// A `Basis` to fill in: it can only be had from a pull that completed.
fn qopen_basis() -> Basis {
    use qopen_assembler::{Assembler, Config, Entry, Event, Page, PageDigest, PullKey};
    let (mut assembler, key) = (
        Assembler::<Entry>::new(Config::default()),
        PullKey::new("", ""),
    );
    assembler
        .start(Time::ZERO, key.clone(), PullOptions::default())
        .unwrap();
    let page = Page {
        key: key.clone(),
        digest: PageDigest::of(b""),
        has_more: false,
        accounts: [],
    };
    assembler.handle_page(Time::ZERO, page);
    assembler.declare_finished(Time::ZERO, &key).unwrap();
    std::iter::from_fn(|| assembler.poll_event())
        .find_map(|event| {
            if let Event::Completed { basis, .. } = event {
                Some(basis)
            } else {
                None
            }
        })
        .unwrap()
}

#[derive(Default)]
pub struct Model {
    pub now: Time,
    pub pulls: BTreeMap<Key, ModelPull>,
    pub said: Vec<Said>,
    pub retention: std::time::Duration,
}

impl Model {
    pub fn advance(&mut self, now: Time) {
        let now = self.now.max(now);
        loop {
            let next = self.pulls.iter().map(|(key, pull)| match pull.ended {
                Some((_, forget)) => (forget, *key, None),
                None => {
                    let (at, said) = pull.due(*key);
                    (at, *key, Some(said))
                }
            });
            let Some((at, key, said)) = next.min_by_key(|(at, key, _)| (*at, *key)) else {
                break;
            };
            if at > now {
                break;
            }
            self.now = self.now.max(at);
            match said {
                Some(said) => self.end(key, said),
                None => drop(self.pulls.remove(&key)),
            }
        }
        self.now = now;
    }

    fn end(&mut self, key: Key, said: Said) {
        let pull = self.pulls.get_mut(&key).unwrap();
        let complete = matches!(said, Said::Completed(..));
        pull.ended = Some((complete, self.now + self.retention));
        pull.revision = u32::from(complete);
        self.said.push(said);
    }

    pub fn open(&mut self, key: Key) -> Option<&mut ModelPull> {
        self.pulls.get_mut(&key).filter(|pull| pull.ended.is_none())
    }

    pub fn start(&mut self, key: Key, options: PullOptions) -> bool {
        let (started, activity, awaiting) = (self.now, self.now, options.await_acceptance);
        let pull = ModelPull {
            options,
            started,
            activity,
            awaiting,
            pages: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            owed: BTreeSet::new(),
            copies: 0,
            ended: None,
            revision: 0,
        };
        let free = !self.pulls.contains_key(&key);
        self.pulls.entry(key).or_insert(pull);
        free
    }

    pub fn touch(&mut self, key: Key, change: impl FnOnce(&mut ModelPull)) {
        let now = self.now;
        if let Some(pull) = self.open(key) {
            (pull.activity, pull.awaiting) = (now, false);
            change(pull);
        }
    }

    pub fn page(&mut self, key: Key, page: TestPage) {
        self.touch(key, |pull| {
            pull.copies += u64::from(pull.pages.contains(&page))
        });
        let Some(pull) = self.pulls.get_mut(&key) else {
            return;
        };
        match pull.ended {
            None => {
                pull.pages.insert(page);
            }
            Some((_, _)) if pull.pages.contains(&page) => pull.copies += 1,
            Some((true, _)) => {
                pull.pages.insert(page);
                pull.revision += 1;
                self.said.push(Said::Revised(key, pull.revision));
            }
            Some((false, _)) => {}
        }
    }

    pub fn fail(&mut self, key: Key, failure: Failure) {
        if self.open(key).is_some() {
            self.end(key, Said::Failed(key, failure));
        }
    }

    pub fn error(&mut self, robot: u8, mark: Option<u8>, code: i64) {
        let open = |(key, pull): (&Key, &ModelPull)| pull.ended.is_none().then_some(*key);
        let ours = |key: &Key| key.0 == robot && mark.is_none_or(|mark| key.1 == mark);
        let keys: Vec<Key> = self.pulls.iter().filter_map(open).filter(ours).collect();
        if let [key] = keys[..] {
            self.fail(
                key,
                Failure::Reported {
                    code,
                    message: String::new(),
                },
            );
        }
    }

    pub fn declare(&mut self, key: Key) {
        let Some(pull) = self.open(key) else { return };
        let said = match pull.missing() {
            None => Said::Completed(key, pull.basis(true)),
            Some(missing) => Said::Failed(key, missing),
        };
        self.end(key, said);
    }
}
