//! Operations as data, applied to the assembler and to the model.

use std::time::Duration;

use qopen_assembler::{
    Assembler, Config, ContentDigest, ErrorReport, Event, Failure, Fingerprint, Fold, Keyed, Page,
    PageDigest, PullKey, PullOptions, Seed, Time,
};

use crate::model::{Model, ModelPull};

/// A page of the tests: its accounts, each with a content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TestPage {
    pub has_more: Option<bool>,
    pub accounts: Vec<(u8, u8)>,
    /// Accounts without an id, by their contents.
    pub nameless: Vec<u8>,
}

impl TestPage {
    /// A page whose accounts all have an id.
    pub(crate) fn new(has_more: impl Into<Option<bool>>, accounts: Vec<(u8, u8)>) -> Self {
        Self { has_more: has_more.into(), accounts, nameless: Vec::new() }
    }
}

pub(crate) type Key = (u8, u8);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// Quiet of this length or a declared end, with this expected number.
    Completed(Key, Option<Duration>, Option<u64>),
    Failed(Key, Failure),
    Reopened(Key),
    Revised(Key, u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Start(Key, PullOptions),
    Accepted(Key),
    Page(Key, TestPage),
    Unreadable(Key, TestPage),
    Owed(Key, TestPage),
    Released(Key, TestPage),
    /// An error report: robot, mark, code, and the time since its signature.
    Error(u8, Option<u8>, i64, Option<Duration>),
    Refusal,
    /// An outage that began this long ago.
    OutageBegan(Duration),
    OutageEnded,
    /// A pull that was complete in an earlier run, with these pages; some may be newer than its
    /// list.
    StartCompleted(Key, PullOptions, Vec<TestPage>, bool),
    Cancel(Key),
    Declare(Key),
    Forget(Key),
    Wait(Duration),
    /// A merge of another node's fold.
    Merge(Key, Vec<TestPage>),
    /// The machine is saved, and another one restored from it.
    SaveAndRestore,
    /// The time that a bad clock gives.
    GoBack(Duration),
}

/// An account of the tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account(pub u8, pub u8);

pub(crate) fn content(content: u8) -> ContentDigest {
    ContentDigest::of(&[content])
}

pub(crate) fn fingerprint(seed: &Seed, id: u8) -> Fingerprint {
    seed.fingerprint(&format!("account {id}"))
}

impl Keyed for Account {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        fingerprint(seed, self.0)
    }
    fn content(&self) -> ContentDigest {
        content(self.1)
    }
}

pub(crate) fn key(key: Key) -> PullKey {
    PullKey::new(&format!("robot {}", key.0), &format!("mark {}", key.1))
}

pub(crate) fn digest(page: &TestPage) -> PageDigest {
    PageDigest::of(format!("{page:?}").as_bytes())
}

pub(crate) fn page(of: Key, page: &TestPage) -> Page<Vec<Account>> {
    let accounts = page.accounts.iter().map(|(id, content)| Account(*id, *content)).collect();
    let nameless = page.nameless.iter().copied().map(content).collect();
    Page::new(key(of), digest(page), page.has_more, accounts).unidentified(nameless)
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.stream = true;
    config.retention = Duration::from_secs(100);
    config
}

/// The fold of those pages.
pub(crate) fn fold(of: Key, pages: &[TestPage]) -> Fold {
    let mut fold = Fold::new(&key(of));
    for it in pages {
        let Page { digest, has_more, accounts, unidentified, .. } = page(of, it);
        fold.add_unidentified(unidentified);
        fold.add_page(digest, has_more, accounts, |_| {});
    }
    fold
}

/// An assembler and the model, side by side.
pub(crate) struct Pair {
    pub assembler: Assembler<Account>,
    pub model: Model,
    pub events: Vec<Event<Account>>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let model = Model { retention: config().retention, ..Model::default() };
        Self { assembler: Assembler::new(config()), model, events: Vec::new() }
    }

    pub(crate) fn apply(&mut self, operation: &Operation) {
        let mut now = self.model.now;
        match operation {
            Operation::Wait(time) => now = now + *time,
            Operation::GoBack(time) => {
                now = Time::since_epoch(now.to_duration().saturating_sub(*time))
            }
            _ => {}
        }
        self.model.advance(now);
        let (assembler, model) = (&mut self.assembler, &mut self.model);
        match operation.clone() {
            Operation::Start(k, options) => {
                let started = assembler.start(now, key(k), options).is_ok();
                assert_eq!(started, !model.pulls.contains_key(&k));
                model.pulls.entry(k).or_insert(ModelPull::new(model.now, options));
            }
            Operation::Accepted(k) => {
                assembler.handle_accepted(now, &key(k));
                model.touch(k, |_| {});
            }
            Operation::Page(k, it) => {
                assembler.handle_page(now, page(k, &it));
                model.page(k, it);
            }
            Operation::Unreadable(k, it) => {
                assembler.handle_unreadable_page(now, &key(k), digest(&it));
                model.unfolded(k, it, false);
            }
            Operation::Owed(k, it) => {
                assembler.handle_owed_page(now, &key(k), digest(&it));
                model.unfolded(k, it, true);
            }
            Operation::Released(k, it) => {
                assembler.handle_released(now, &key(k), digest(&it));
                model.release(k, it);
            }
            Operation::Refusal => {
                assembler.handle_refusal(now);
                model.refusal = Some(model.now);
            }
            Operation::OutageBegan(ago) => {
                let since = Time::since_epoch(model.now.to_duration().saturating_sub(ago));
                assembler.handle_outage_began(now, since);
                let heard = model.outages.last().map_or(Time::ZERO, |(_, to)| *to);
                model.deaf = Some(model.deaf.unwrap_or(since.max(heard)));
            }
            Operation::OutageEnded => {
                assembler.handle_outage_ended(now);
                model.outage_ended();
            }
            Operation::StartCompleted(k, options, pages, newer) => {
                let fold = fold(k, &pages);
                let late = newer.then(|| PageDigest::of(b"late"));
                let started = assembler.start_completed(now, key(k), options, fold, 1, late);
                assert_eq!(started.is_ok(), !model.pulls.contains_key(&k));
                if started.is_ok() {
                    let mut pull = ModelPull::new(model.now, options);
                    pull.pages = pages.into_iter().collect();
                    let late = newer.then_some((model.now, model.now));
                    model.pulls.insert(k, pull);
                    model.end(k, Said::Completed(k, None, options.expect_accounts));
                    model.pulls.entry(k).and_modify(|pull| pull.late = late);
                }
            }
            Operation::Error(robot, mark, code, ago) => {
                let (robot_id, mark_id) = (key((robot, 0)), mark.map(|mark| key((robot, mark))));
                let report = ErrorReport {
                    robot: robot_id.robot().to_owned(),
                    mark: mark_id.map(|key| key.mark().to_owned()),
                    code,
                    message: String::new(),
                    signed: ago
                        .map(|it| Time::since_epoch(model.now.to_duration().saturating_sub(it))),
                };
                let until = report.signed.map(|it| it + config().report_tolerance);
                assembler.handle_error(now, report);
                let before = |pull: &ModelPull| {
                    mark.is_some() || until.is_none_or(|it| pull.requested() <= it)
                };
                let open =
                    keys().filter(|it| it.0 == robot && mark.is_none_or(|mark| mark == it.1));
                let open: Vec<Key> =
                    open.filter(|it| model.open(*it).is_some_and(|it| before(it))).collect();
                if let [k] = open[..] {
                    let message = String::new();
                    model.end(k, Said::Failed(k, Failure::Reported { code, message }));
                }
            }
            Operation::Cancel(k) => {
                assert_eq!(assembler.cancel(now, &key(k)).is_ok(), model.open(k).is_some());
                model.end(k, Said::Failed(k, Failure::Cancelled));
            }
            Operation::Declare(k) => {
                assert_eq!(
                    assembler.declare_finished(now, &key(k)).is_ok(),
                    model.open(k).is_some()
                );
                model.declare(k);
            }
            Operation::Forget(k) => {
                let ended = model.pulls.get(&k).is_some_and(|pull| pull.ended.is_some());
                assert_eq!(assembler.forget(now, &key(k)).is_ok(), ended);
                if ended {
                    model.forget(k);
                }
            }
            Operation::Merge(k, pages) => {
                let merged = assembler.merge(now, &key(k), &fold(k, &pages)).is_ok();
                assert_eq!(merged, model.open(k).is_some());
                model.touch(k, |pull| pull.pages.extend(pages));
            }
            Operation::SaveAndRestore => {
                assembler.handle_timeout(now);
                let fresh = Assembler::new(config());
                self.events.extend(std::iter::from_fn(|| assembler.poll_event()));
                let saved = std::mem::replace(assembler, fresh).save().unwrap();
                let text = serde_json::to_string(&saved).unwrap();
                let saved = serde_json::from_str(&text).unwrap();
                *assembler = Assembler::restore(config(), saved).unwrap();
            }
            Operation::Wait(_) | Operation::GoBack(_) => assembler.handle_timeout(now),
        }
        self.events.extend(std::iter::from_fn(|| assembler.poll_event()));
    }

    /// Compares everything that a caller can see.
    pub(crate) fn compare(&self) {
        assert_eq!(said(&self.events), self.model.said);
        for k in keys() {
            let (progress, model) = (self.assembler.progress(&key(k)), self.model.pulls.get(&k));
            let (Some(progress), Some(model)) = (progress, model) else {
                assert!(progress.is_none() && model.is_none(), "{k:?} is known on one side");
                continue;
            };
            let accounts = model.accounts();
            assert_eq!(progress.figures.pages, model.pages.len());
            assert_eq!(progress.figures.accounts, accounts.len());
            assert_eq!(
                progress.figures.conflicts,
                accounts.values().filter(|it| it.len() > 1).count()
            );
            assert_eq!(progress.figures.duplicate_pages, model.copies);
            assert_eq!(progress.figures.unreadable_pages, model.unreadable());
            assert_eq!(progress.figures.owed_pages, model.owed());
            assert_eq!(progress.figures.unidentified, model.unidentified());
            assert_eq!(progress.figures.revising, model.late.is_some());
            assert_eq!(progress.figures.revision, model.revision);
            let fold = self.assembler.fold(&key(k)).unwrap();
            for (id, contents) in &accounts {
                let winner = contents.iter().map(|it| content(*it)).max();
                assert_eq!(fold.winner(fingerprint(&fold.seed(), *id)), winner);
            }
        }
    }
}

pub(crate) fn said(events: &[Event<Account>]) -> Vec<Said> {
    let back = |k: &PullKey| keys().find(|it| key(*it) == *k).unwrap();
    let said = events.iter().filter_map(|event| match event {
        Event::Completed { key, basis, .. } => {
            assert_eq!(basis.quiet.is_none(), basis.declared || basis.earlier);
            Some(Said::Completed(back(key), basis.quiet, basis.expected))
        }
        Event::Failed { key, failure, .. } => Some(Said::Failed(back(key), failure.clone())),
        Event::Reopened { key } => Some(Said::Reopened(back(key))),
        Event::Revised { key, revision, .. } => Some(Said::Revised(back(key), *revision)),
        _ => None,
    });
    said.collect()
}

pub(crate) fn keys() -> impl Iterator<Item = Key> {
    (0..2).flat_map(|robot| (0..2).map(move |mark| (robot, mark)))
}
