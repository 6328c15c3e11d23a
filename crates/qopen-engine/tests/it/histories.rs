//! Random histories of one pull, lived by an engine and by a model: pages, copies, what cannot be read,
//! refusals, reports, a journal that is full or slow, crashes. Under a paused clock, to the millisecond.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use qopen_assembler::{Timing, WaitingFor};
use qopen_engine::{Engine, Incoming, Outcome, Pull, RefusalCount, Status};
use qopen_sink::{FileSink, Format};
use tokio::time::Instant;

use crate::model::{DEADLINE, End, IDLE, LAST, Model, SETTLE, UNSAID};
use crate::storage::{Mode, Storage};
use crate::support::{builder, id, incoming, paused, published, request};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    Page(usize),
    /// Something unreadable of that number; true where it names the pull.
    Unreadable(usize, bool),
    Refusal,
    Report(i64),
    Cancel,
    Journal(Mode),
    Publish,
    /// The process dies, and another one resumes the pull after that many milliseconds.
    Crash(u64),
}

fn histories() -> impl Strategy<Value = Vec<(u64, Happens)>> {
    let modes = prop::sample::select(vec![Mode::Works, Mode::Full, Mode::HoldsPages]);
    let what = prop_oneof![
        24 => (0..7_usize).prop_map(Happens::Page),
        6 => Just(Happens::Page(LAST)),
        2 => (0..2_usize, any::<bool>()).prop_map(|(n, named)| Happens::Unreadable(n, named)),
        4 => Just(Happens::Refusal),
        1 => (1..3_i64).prop_map(Happens::Report),
        1 => Just(Happens::Cancel),
        5 => modes.prop_map(Happens::Journal),
        3 => Just(Happens::Publish),
        4 => prop_oneof![1..40_u64, 1_000..150_000_u64].prop_map(Happens::Crash),
    ];
    // Bursts, and pauses near the times at which something ends.
    let pause = prop_oneof![
        8 => 3..40_u64,
        3 => 900..1_100_u64,
        2 => 9_000..11_000_u64,
        3 => 55_000..65_000_u64,
    ];
    prop::collection::vec((pause, what), 1..20)
}

/// Pages overlap: each has an account of its own, and one of the next page's.
fn accounts(page: usize) -> [String; 2] {
    [page, page + 1].map(|number| format!("a{number}"))
}

fn page(number: usize) -> Incoming {
    let more = match number {
        LAST => r#""has_more":false,"#,
        UNSAID => "",
        _ => r#""has_more":true,"#,
    };
    let [own, next] = accounts(number);
    incoming(format!(
        r#"{{"event_type":42016,"robot_id":"robot","data":{{"mark_id":"mark",{more}"account_list":[{{"account_id":"{own}"}},{{"account_id":"{next}"}}]}}}}"#
    ))
}

fn unreadable(number: usize, named: bool) -> Incoming {
    match named {
        false => incoming(format!("{{{number}")),
        true => incoming(format!(
            r#"{{"event_type":42016,"robot_id":"robot","data":{{"mark_id":"mark","has_more":true,"account_list":{number}}}}}"#
        )),
    }
}

/// The same item in the model, apart from pages.
fn item(number: usize, named: bool) -> usize {
    100 + 2 * number + usize::from(named)
}

/// The engine's side of a history.
struct Lived {
    storage: Arc<Storage>,
    refusals: RefusalCount,
    engine: Engine,
    pull: Pull,
    folder: tempfile::TempDir,
    /// Milliseconds by which the resumed pull may count as older than it is: its age is a difference of
    /// wall clock readings, and real time passes between them.
    older: u64,
}

fn engine_on(storage: &Arc<Storage>, refusals: &RefusalCount) -> Engine {
    let millis = Duration::from_millis;
    let timing = Timing::default().settle(millis(SETTLE)).idle_timeout(millis(IDLE));
    let builder = builder().journal(Arc::clone(storage) as _).retention(Duration::MAX);
    let builder = builder.timing(timing.deadline(millis(DEADLINE)));
    builder.refusals(Arc::new(refusals.clone())).build().unwrap()
}

impl Lived {
    async fn start() -> Self {
        let (storage, refusals) = (Storage::new(), RefusalCount::default());
        let engine = engine_on(&storage, &refusals);
        let pull = engine.pull(request()).await.unwrap();
        Self { storage, refusals, engine, pull, folder: tempfile::tempdir().unwrap(), older: 0 }
    }

    /// Hands a payload in as a receiver does: what is not kept is counted as refused.
    fn comes(&self, incoming: Incoming) {
        let (intake, refusals) = (self.engine.intake().clone(), self.refusals.clone());
        tokio::spawn(async move {
            if intake.accept(incoming).await.is_err() {
                refusals.note();
            }
        });
    }

    async fn crash(self, away: u64) -> Self {
        let Self { storage, engine, pull, folder, mut older, .. } = self;
        storage.crash();
        pull.leave();
        drop(engine);
        tokio::time::sleep(Duration::from_millis(away)).await;
        let refusals = RefusalCount::default();
        let engine = engine_on(&storage, &refusals);
        let began = std::time::Instant::now();
        let pull = engine.resume(&id()).await.unwrap();
        older += u64::try_from(began.elapsed().as_millis()).unwrap() + 1;
        Self { storage, refusals, engine, pull, folder, older }
    }

    fn outcome(&self) -> Option<Outcome> {
        let outcome = self.pull.outcome().now_or_never()?.unwrap();
        (outcome.progress.waiting_for == WaitingFor::Nothing).then_some(outcome)
    }

    /// The ids of the accounts in the list that is published now.
    async fn published(&self) -> BTreeSet<String> {
        let path = self.folder.path().join("list");
        let sink = Arc::new(FileSink::new(&path, Format::Jsonl));
        let outcome = self.outcome().unwrap();
        published(outcome.publish(sink)).await.unwrap()
    }
}

/// One step in both.
async fn step(
    mut lived: Lived,
    model: &mut Model,
    (now, what): (u64, Happens),
    (mode, held): (&mut Mode, &mut Vec<usize>),
) -> Lived {
    match what {
        Happens::Page(number) => {
            lived.comes(page(number));
            match mode {
                Mode::Works => model.page(now, number),
                Mode::HoldsPages => {
                    model.owed(now, number, true);
                    held.push(number);
                }
                _ => {
                    model.owed(now, number, true);
                    model.refusal(now);
                }
            }
        }
        Happens::Unreadable(number, named) => {
            lived.comes(unreadable(number, named));
            let item = item(number, named);
            match mode {
                Mode::Full => {
                    model.owed(now, item, named);
                    model.refusal(now);
                }
                _ => model.unreadable(now, item, named),
            }
        }
        Happens::Refusal => {
            lived.refusals.note();
            model.refusal(now);
        }
        Happens::Report(code) => {
            lived.comes(incoming(format!(
                r#"{{"event_type":42016,"err_code":{code},"robot_id":"robot","data":{{"mark_id":"mark"}}}}"#
            )));
            model.report(code);
        }
        Happens::Cancel => {
            lived.pull.cancel();
            model.cancel();
        }
        Happens::Journal(Mode::HoldsPages) => {
            lived.storage.turn(Mode::HoldsPages);
            *mode = Mode::HoldsPages;
        }
        Happens::Journal(next) => {
            lived.storage.turn(next);
            *mode = next;
            for number in held.drain(..) {
                match next {
                    Mode::Works => model.page(now, number),
                    _ => model.refusal(now),
                }
            }
        }
        Happens::Publish => {
            // What is not settled is published when it is.
            if model.is_complete() && model.late.is_none() {
                lived.published().await;
                model.publish();
            }
        }
        Happens::Crash(away) => {
            lived = lived.crash(away).await;
            held.clear();
            model.resume(now + away);
        }
    }
    lived
}

/// Both sides now.
fn compare(lived: &Lived, model: &Model) -> Result<(), TestCaseError> {
    let found = lived.outcome();
    let end = found.as_ref().map(|outcome| match &outcome.status {
        Status::Complete(basis) if basis.earlier => End::CompleteBefore,
        Status::Complete(basis) => End::Complete {
            quiet: basis.quiet.unwrap().as_millis().try_into().unwrap(),
            refusals: basis.refusals,
            interrupted: basis.interrupted,
            implied: basis.implied_end,
        },
        Status::Incomplete(_) => End::Incomplete,
        Status::NoCallback => End::NoCallback,
        Status::Reported { .. } => End::Reported,
        Status::Cancelled => End::Cancelled,
        other => panic!("{other}"),
    });
    prop_assert_eq!(end, model.end);
    if let Some(Outcome { progress, .. }) = found {
        let complete = model.is_complete();
        let (revision, revising) = (progress.figures.revision, progress.figures.revising);
        let expected = (if complete { model.revision } else { 0 }, model.late.is_some());
        prop_assert_eq!((revision, revising), expected);
        prop_assert_eq!(progress.figures.pages, model.folded.len());
    }
    Ok(())
}

async fn agree(history: Vec<(u64, Happens)>) -> Result<(), TestCaseError> {
    let (mut lived, mut model) = (Lived::start().await, Model::new(DEADLINE));
    let began = Instant::now();
    let until = async |at| tokio::time::sleep_until(began + Duration::from_millis(at)).await;
    let (mut mode, mut held) = (Mode::Works, Vec::new());
    let mut now = 1;
    until(now).await;
    for (pause, what) in history.into_iter().chain([(3, Happens::Journal(Mode::Works))]) {
        now += pause;
        // Tokio's timers have a resolution of one millisecond: nothing happens where something ends.
        while model.due().is_some_and(|due| due.abs_diff(now) <= 2 + lived.older) {
            now += 3;
        }
        model.pass(now);
        until(now).await;
        lived = step(lived, &mut model, (now, what), (&mut mode, &mut held)).await;
        if let Happens::Crash(away) = what {
            now += away;
        }
        until(now + 1).await;
        if model.due().is_none_or(|due| due > now + 2 + lived.older) {
            compare(&lived, &model)?;
        }
    }
    while let Some(due) = model.due() {
        if due > now + 2 + lived.older {
            until(due - 1 - lived.older).await;
            compare(&lived, &model)?;
        }
        model.pass(due);
        until(due + 1).await;
        compare(&lived, &model)?;
        now = due;
    }
    let pages = if model.is_complete() { &model.kept } else { &model.folded };
    let expected: BTreeSet<String> = pages.iter().flat_map(|it| accounts(*it)).collect();
    prop_assert_eq!(lived.published().await, expected);
    Ok(())
}

proptest! {
    #[test]
    fn e1_e2_e3_e6_e7_e8_e9_every_history_ends_as_the_model_says(history in histories()) {
        paused(agree(history))?;
    }
}
