//! A journal that does not answer, under a claim: an outage is not quiet.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use qopen_assembler::{Failure, Timing};
use qopen_engine::{ClaimedPull, Engine, Pull, Status, Worker, WorkerOptions};
use qopen_journal::{Journal as _, Note};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Level, Metadata, Subscriber};

use crate::model::{End, IDLE, LAST, Model};
use crate::storage::{Mode, Storage};
use crate::support::{
    Clock, LOOK, engine_on, id, in_time, incoming, page, paused, request, timing, unsaid_page,
};

/// Longer than every random history.
const DEADLINE: u64 = 10_000_000;

struct Process {
    storage: Arc<Storage>,
    engine: Engine,
    _worker: Worker,
    claimed: ClaimedPull,
}

impl Process {
    /// Follows a pull from then on. The lease outlives every outage.
    async fn follows(timing: Timing) -> (Self, Pull, Clock) {
        let storage = Storage::new();
        let engine = engine_on(&storage);
        engine.enqueue(request().timing(timing)).await.unwrap();
        let mut options = WorkerOptions::default();
        options.lease = Duration::from_secs(3_600);
        let worker = Worker::start(&engine, Arc::clone(&storage) as _, options);
        let claimed = worker.claimed().await.unwrap();
        let pull = claimed.resume().await.unwrap();
        (Self { storage, engine, _worker: worker, claimed }, pull, Clock::start())
    }

    /// Does not answer from one time to another, in milliseconds.
    async fn away(&self, mode: Mode, clock: Clock, from: u64, to: u64) {
        clock.until(from).await;
        self.storage.turn(mode);
        clock.until(to).await;
        self.storage.turn(Mode::Works);
    }
}

thread_local! {
    /// The messages of the intake's lines at ERROR on this thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes to [`LINES`]. The whole process has it, because callsites remember the interest of one thread.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target().starts_with("qopen_engine::intake")
    }
    fn new_span(&self, _: &Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        LINES.with_borrow_mut(|lines| lines.push(message.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn an_outage_has_one_line_at_its_start_each_minute_and_at_its_end() {
    tracing::subscriber::set_global_default(Lines).unwrap();
    let said = |from: usize| LINES.with_borrow(|lines| lines[from..].to_vec());
    let (first, end) = (
        "a callback could not be kept; the platform will send it again",
        "callbacks are kept again",
    );
    let (process, _pull, _) = Process::follows(timing()).await;
    process.engine.accept(page(1, true)).await.unwrap();
    process.storage.turn(Mode::Fails);
    for _ in 0..150 {
        assert!(process.engine.accept(page(2, true)).await.is_err());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    process.storage.turn(Mode::Works);
    process.engine.accept(page(2, true)).await.unwrap();
    let (all, still) = (said(0), "callbacks still cannot be kept");
    assert_eq!(all, [first, still, still, end]);

    // A journal that fails every other time has a line or two a minute.
    for n in 3..123 {
        process.storage.turn(Mode::Fails);
        assert!(process.engine.accept(page(n, true)).await.is_err());
        process.storage.turn(Mode::Works);
        process.engine.accept(page(n, true)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let more = said(4);
    assert!((1..=4).contains(&more.len()), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn e9_no_list_is_complete_in_an_outage_and_afterwards_quiet_begins_anew() {
    for mode in [Mode::Fails, Mode::Hangs] {
        for (from, to) in [(500, 5_000), (999, 200_000), (10, 30_000)] {
            let (process, pull, clock) = Process::follows(timing()).await;
            process.engine.accept(page(1, false)).await.unwrap();
            process.away(mode, clock, from, to).await;
            assert!(pull.outcome().now_or_never().is_none(), "{mode:?} {from} {to}");
            let outcome = pull.outcome().await.unwrap();
            let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
            // What was turned away meanwhile has an idle timeout to come again.
            let (earliest, latest) = (to + IDLE, to + IDLE + LOOK);
            let found = clock.millis();
            assert!((earliest..=latest).contains(&found), "{mode:?} {from} {to}: {found}");
            let away = u64::try_from(basis.outage.as_millis()).unwrap();
            let least = to - from;
            assert!((least..=least + 2 * LOOK).contains(&away), "{mode:?} {from} {to}: {away}");
            assert!(process.claimed.state().await.unwrap().unwrap().ended().is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e9_after_an_outage_that_meets_a_long_quiet_its_own_length_is_waited_for() {
    for mode in [Mode::Fails, Mode::Hangs, Mode::HoldsClaims] {
        // The end of a page that does not state one is believed after an idle timeout, at 60 s: long
        // before the outage ends, a moment before, and after it.
        for (from, to) in [(50_000, 90_000), (10_000, 60_500), (30_000, 59_900)] {
            let (process, pull, clock) = Process::follows(timing()).await;
            let unsaid = unsaid_page();
            process.engine.accept(incoming(unsaid)).await.unwrap();
            process.away(mode, clock, from, to).await;
            let outcome = pull.outcome().await.unwrap();
            let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
            let away = to - from;
            let (found, due) = (clock.millis(), to + away.max(IDLE - from));
            // The worker's looks lengthen it at both ends, and its own length follows its end.
            assert!((due..=due + 3 * LOOK).contains(&found), "{mode:?} {from} {to}: {found}");
            let counted = u64::try_from(basis.outage.as_millis()).unwrap();
            assert!((away..=away + 2 * LOOK).contains(&counted), "{mode:?} {from} {to}: {counted}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e9_a_page_that_was_turned_away_in_an_outage_is_in_the_list() {
    let (process, pull, clock) = Process::follows(timing()).await;
    process.engine.accept(page(1, false)).await.unwrap();
    clock.until(500).await;
    process.storage.turn(Mode::Fails);
    process.engine.accept(page(2, true)).await.unwrap_err();
    clock.until(100_000).await;
    process.storage.turn(Mode::Works);
    // The platform sends it again within its own time.
    clock.until(159_000).await;
    process.engine.accept(page(2, true)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    assert!(outcome.status.is_complete(), "{}", outcome.status);
    assert_eq!(outcome.progress.figures.accounts, 2);
    // Nothing is owed any more; what else was turned away has its time until then.
    assert!((160_000..=160_000 + LOOK).contains(&clock.millis()), "{}", clock.millis());
}

#[tokio::test(start_paused = true)]
async fn e9_silence_in_an_outage_does_not_fail_a_pull() {
    for mode in [Mode::Fails, Mode::Hangs] {
        let (process, pull, clock) = Process::follows(timing()).await;
        process.engine.accept(page(1, true)).await.unwrap();
        process.away(mode, clock, 40_000, 400_000).await;
        let status = pull.outcome().await.unwrap().status;
        assert!(matches!(status, Status::Incomplete(Failure::LastPageMissing)), "{status}");
        // The 40 s before the outage count, and so does the refusal that it was.
        let (found, earliest) = (clock.millis(), 400_000 + 20_000);
        assert!((earliest..=400_000 + IDLE + LOOK).contains(&found), "{mode:?} {found}");
    }
}

#[tokio::test(start_paused = true)]
async fn e9_an_outage_does_not_count_against_the_deadline() {
    let timing = timing().deadline(Duration::from_secs(300));
    let (process, pull, clock) = Process::follows(timing).await;
    let intake = process.engine.intake().clone();
    let feeding = tokio::spawn(async move {
        for number in 0.. {
            clock.until(number * 10_000).await;
            // Some are turned away.
            let _ = intake.accept(page(number.try_into().unwrap(), true)).await;
        }
    });
    process.away(Mode::Fails, clock, 100_000, 200_000).await;
    let status = pull.outcome().await.unwrap().status;
    feeding.abort();
    assert!(matches!(status, Status::Incomplete(Failure::Deadline)), "{status}");
    let found = clock.millis();
    assert!((400_000..=400_000 + 2 * LOOK).contains(&found), "{found}");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_shown_when_the_journal_has_it() {
    let (process, pull, clock) = Process::follows(timing()).await;
    clock.until(10_000).await;
    process.storage.turn(Mode::Fails);
    // The caller's word ends it, and the journal does not take the note.
    pull.cancel();
    clock.until(300_000).await;
    assert!(pull.outcome().now_or_never().is_none(), "another worker could not know");
    process.storage.turn(Mode::Works);
    let status = pull.outcome().await.unwrap().status;
    assert!(matches!(status, Status::Cancelled), "{status}");
    assert!((300_000..=300_000 + LOOK).contains(&clock.millis()), "{}", clock.millis());
    let state = process.storage.pull(&id()).await.unwrap().unwrap();
    let ends = state.notes.iter().filter(|it| matches!(it.note, Note::Ended { .. }));
    assert_eq!(ends.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_delay_of_the_journal_is_no_outage() {
    let (process, pull, clock) = Process::follows(timing()).await;
    process.engine.accept(page(1, false)).await.unwrap();
    process.away(Mode::Hangs, clock, 100, 900).await;
    let outcome = pull.outcome().await.unwrap();
    let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
    assert_eq!((clock.millis(), basis.outage), (1_000, Duration::ZERO));
}

/// A page that comes, or an outage of that many milliseconds with a page that comes in the middle of it.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Page(usize),
    Outage(Mode, u64, usize),
}

fn histories() -> impl Strategy<Value = Vec<(u64, Happens)>> {
    // One that is not much longer than the worker's looks may pass unnoticed.
    let length = prop_oneof![5_000..15_000_u64, 30_000..150_000_u64];
    let mode = prop::sample::select(vec![Mode::Fails, Mode::Hangs]);
    let number = prop::sample::select(vec![LAST, 2, 3, 4]);
    let what = prop_oneof![
        4 => number.clone().prop_map(Happens::Page),
        1 => (mode, length, number).prop_map(|(mode, length, it)| Happens::Outage(mode, length, it)),
    ];
    let pause = prop_oneof![3 => 10..500_u64, 2 => 5_000..50_000_u64];
    let history = prop::collection::vec((pause, what), 1..10);
    history.prop_map(|mut history| {
        for (pause, what) in &mut history {
            // Between two outages the worker has time to look.
            *pause += if matches!(what, Happens::Outage(..)) { 3 * LOOK } else { 0 };
        }
        history
    })
}

/// When and how the pull ends, if each outage counts as longer by `blur` at both ends.
fn expected(history: &[(u64, Happens)], blur: u64) -> (u64, bool) {
    let (mut model, mut now, mut ended) = (Model::new(DEADLINE), 0, None);
    let mut pass = |model: &mut Model, now| {
        let due = model.due().unwrap_or(0);
        model.pass(now);
        if ended.is_none() && model.end.is_some() {
            ended = Some((due, matches!(model.end, Some(End::Complete { .. }))));
        }
        ended
    };
    for (pause, what) in history {
        now += pause;
        match *what {
            Happens::Page(number) => {
                pass(&mut model, now);
                model.page(now, number);
            }
            Happens::Outage(mode, length, number) => {
                let from = now.saturating_sub(blur);
                pass(&mut model, from);
                model.owed(now + length / 2, number, true);
                now += length;
                model.outage(from, now + blur);
                if mode == Mode::Hangs {
                    model.page(now + blur, number);
                }
            }
        }
    }
    pass(&mut model, u64::MAX).unwrap()
}

async fn found(history: Vec<(u64, Happens)>) -> (u64, bool) {
    let (process, pull, clock) =
        Process::follows(timing().deadline(Duration::from_millis(DEADLINE))).await;
    let (intake, storage) = (process.engine.intake().clone(), Arc::clone(&process.storage));
    let feeding = tokio::spawn(async move {
        let mut now = 0;
        let comes = |number| {
            let intake = intake.clone();
            // What is turned away stays away, unless it comes again by chance.
            tokio::spawn(async move { intake.accept(page(number, number != LAST)).await.is_ok() });
        };
        for (pause, what) in history {
            now += pause;
            clock.until(now).await;
            match what {
                Happens::Page(number) => comes(number),
                Happens::Outage(mode, length, number) => {
                    storage.turn(mode);
                    clock.until(now + length / 2).await;
                    comes(number);
                    now += length;
                    clock.until(now).await;
                    storage.turn(Mode::Works);
                }
            }
        }
    });
    let status = pull.outcome().await.unwrap().status;
    feeding.abort();
    (clock.millis(), status.is_complete())
}

proptest! {
    #[test]
    fn e9_outages_give_the_time_that_the_model_says(history in histories()) {
        let (least, most) = (expected(&history, 0), expected(&history, LOOK));
        // Where it matters whether the worker noticed the outage a moment earlier, either is right.
        prop_assume!(least.1 == most.1 && most.0 - least.0 < 10 * LOOK);
        let (at, complete) = paused(found(history));
        prop_assert_eq!(complete, most.1);
        prop_assert!((least.0.saturating_sub(LOOK)..=most.0 + LOOK).contains(&at), "{} not in {:?} {:?}", at, least, most);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_exactly_a_second_does_not_leave_an_outage_behind() {
    // Which of two timers of one moment is seen first is random.
    for look in 1..=20 {
        let (process, pull, clock) = Process::follows(timing()).await;
        let asked = look * LOOK;
        process.away(Mode::HoldsClaims, clock, asked - 10, asked + 1_000).await;
        process.engine.accept(page(1, false)).await.unwrap();
        let outcome = in_time(pull.outcome()).await.unwrap();
        assert!(outcome.status.is_complete(), "{look}: {}", outcome.status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_in_an_outage_does_not_leave_it_behind() {
    for mode in [Mode::Hangs, Mode::HoldsClaims, Mode::Fails] {
        let storage = Storage::new();
        let engine = engine_on(&storage);
        let worker = Worker::start(&engine, Arc::clone(&storage) as _, WorkerOptions::default());
        let clock = Clock::start();
        storage.turn(mode);
        clock.until(10_000).await;
        drop(worker);
        storage.turn(Mode::Works);
        let pull = engine.pull(request()).await.unwrap();
        engine.accept(page(1, false)).await.unwrap();
        let outcome = pull.outcome().await.unwrap();
        assert!(outcome.status.is_complete(), "{mode:?}: {}", outcome.status);
        assert!(clock.millis() < 10_000 + 2 * IDLE, "{mode:?}: {}", clock.millis());
    }
}
