//! Publication under a claim, revisions, and the order of lists.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use qopen_engine::{Outcome, PublishError, Worker, WorkerOptions, publish};
use qopen_journal::{Changes, Journal as _, Note, PullId};
use qopen_sink::{Committed, FileSink, Format, ListKind, ListWriter, Record, Sink, SinkError};
use qopen_types::Digest;
use tokio::sync::Notify;

use crate::storage::Storage;
use crate::support::{
    Clock, MARK, engine_on, id, in_time, incoming, page, page_of, request, still,
};

/// A sink whose writes wait.
struct Hanging {
    place: FileSink,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Sink for Hanging {
    fn check(&self) -> Result<(), SinkError> {
        self.place.check()
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let writer = self.place.begin(kind)?;
        Ok(Box::new(HangingWriter { writer, gate: Arc::clone(&self.gate) }))
    }
}

struct HangingWriter {
    writer: Box<dyn ListWriter>,
    gate: Arc<Gate>,
}

impl ListWriter for HangingWriter {
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let Gate { reached, open, opened } = &*self.gate;
        reached.notify_one();
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        self.writer.write(record)
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        self.writer.commit()
    }
}

/// A publication without progress keeps its pull from other workers for a bounded time.
#[tokio::test(start_paused = true)]
async fn a_publication_that_hangs_loses_the_pull_and_publishes_nothing() {
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let worker = Worker::start(&engine, storage.clone(), WorkerOptions::default());
    engine.enqueue(request()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let gate = Arc::new(Gate::default());

    let first = in_time(worker.claimed()).await.unwrap();
    let pull = first.resume().await.unwrap();
    engine.accept(page(1, false)).await.unwrap();
    let outcome = pull.outcome().await.unwrap();
    let hanging = Hanging { place: place.clone(), gate: Arc::clone(&gate) };
    let clock = Clock::start();
    let hung = publish(vec![outcome.list.clone()], Arc::new(hanging), ListKind::Complete);
    let hung = tokio::spawn(hung);
    still(gate.reached.notified()).await;
    first.lost().await;
    // A step may take 150 s.
    assert!((150_000..=151_100).contains(&clock.millis()), "{}", clock.millis());
    drop((first, outcome, pull));

    // Another one can have it when the lease of 15 s is over.
    let next = in_time(worker.claimed()).await.unwrap();
    assert!((164_000..=167_000).contains(&clock.millis()), "{}", clock.millis());
    let outcome = next.resume().await.unwrap().outcome().await.unwrap();
    let again = publish(vec![outcome.list.clone()], Arc::new(place.clone()), ListKind::Complete);
    still(again).await.unwrap();
    let list = std::fs::read_to_string(place.path()).unwrap();
    assert_eq!(list.lines().count(), 1);
    std::fs::remove_file(place.path()).unwrap();
    // What hung goes on, and finds that its claim no longer counts.
    *gate.open.lock().unwrap() = true;
    gate.opened.notify_all();
    let hung = hung.await.unwrap();
    assert!(matches!(hung, Err(PublishError::Fenced)), "{hung:?}");
    assert!(!place.path().exists());
}

/// A list that was overtaken is noted as such, and needs nothing more.
#[tokio::test(start_paused = true)]
async fn e11_the_list_of_an_earlier_pull_is_superseded_whatever_the_clock_said() {
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let place = |list| still(publish(vec![list], Arc::clone(&sink) as _, ListKind::Complete));
    let complete = async |mark: &str| -> Outcome {
        let pull = engine.pull(request().mark_id(mark.parse().unwrap())).await.unwrap();
        engine.accept(incoming(page_of(mark, 1, false))).await.unwrap();
        pull.outcome().await.unwrap()
    };
    let (first, second) = (complete("first").await, complete("second").await);
    let state = async |outcome: &Outcome| storage.pull(outcome.list.id()).await.unwrap().unwrap();
    assert!(state(&first).await.order < state(&second).await.order);
    place(second.list.clone()).await.unwrap();
    let superseded = place(first.list.clone()).await;
    let PullId { mark_id: later, .. } = second.list.id().clone();
    match superseded {
        Err(PublishError::Superseded { pull, by }) => {
            assert_eq!((&pull, by), (first.list.id(), Some(later.clone())));
        }
        other => panic!("{other:?}"),
    }
    let noted = state(&first).await;
    assert!(noted.is_superseded());
    let by = Note::Superseded { by: Some(later), revision: 1 };
    assert_eq!(noted.notes.last().unwrap().note, by);
    // The later one may be published again, and the earlier one to a place without a list.
    place(second.list.clone()).await.unwrap();
    let elsewhere = Arc::new(FileSink::new(folder.path().join("elsewhere"), Format::Jsonl));
    still(publish(vec![first.list.clone()], elsewhere, ListKind::Complete)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn i6_a_revision_that_another_process_publishes_says_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let sink = || Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, true)).await.unwrap();
    engine.accept(page(2, false)).await.unwrap();
    let first = pull.outcome().await.unwrap();
    // A page that is kept while the list is published is not published with it.
    let receiver = engine_on(&storage);
    receiver.accept(page(3, true)).await.unwrap();
    let published = still(first.publish(sink())).await.unwrap();
    let list = &published.lists[0];
    assert_eq!((list.accounts, list.revision, list.changes), (2, 1, None));
    assert!(storage.pull(&id()).await.unwrap().unwrap().has_newer_pages());
    drop((first, pull, engine));
    // Another content of a known account: of several, one is sure to win.
    for number in 0..20 {
        let name = format!(r#""a001","label":"{number}""#);
        let other = page_of("mark", 1, true).replace(r#""a001""#, &name);
        receiver.accept(incoming(other)).await.unwrap();
    }
    let engine = engine_on(&storage);
    let pull = engine.resume(&id()).await.unwrap();
    assert!(engine.resume(&id()).await.is_err(), "it is followed already");
    let second = pull.outcome().await.unwrap();
    assert!(second.progress.figures.revising && second.progress.figures.revision == 1);
    second.list.settled().await;
    let second = second.refreshed();
    assert_eq!((second.progress.figures.revision, second.progress.figures.accounts), (2, 3));
    let published = still(second.publish(sink())).await.unwrap();
    assert_eq!(published.lists[0].changes, Some(Changes { added: 1, changed: 1 }));
    let state = storage.pull(&id()).await.unwrap().unwrap();
    let ends = state.notes.iter().filter(|it| matches!(it.note, Note::Ended { .. }));
    assert_eq!(ends.count(), 1, "what has ended does not end again");
    assert!(!state.has_newer_pages());
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_published_is_not_published_otherwise_under_the_same_number() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::new();
    let resumed = async || {
        let engine = engine_on(&storage);
        let outcome = engine.resume(&id()).await.unwrap().outcome().await.unwrap();
        outcome.list.settled().await;
        (engine, outcome.refreshed())
    };
    let engine = engine_on(&storage);
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete());
    // The process dies before it can say whether it has published the list.
    drop((engine, pull));
    let (engine, outcome) = resumed().await;
    assert_eq!(outcome.progress.figures.revision, 1);
    drop((engine, outcome));
    let receiver = engine_on(&storage);
    receiver.accept(page(2, true)).await.unwrap();
    let (_engine, outcome) = resumed().await;
    assert_eq!(outcome.progress.figures.revision, 2);
    let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    assert_eq!(still(outcome.publish(sink)).await.unwrap().lists[0].accounts, 2);
}

#[tokio::test(start_paused = true)]
async fn i5_a_revision_never_has_less_than_what_it_revises() {
    let folder = tempfile::tempdir().unwrap();
    let sink = || Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let storage = Storage::new();
    let engine = engine_on(&storage);
    let pull = engine.pull(request()).await.unwrap();
    for number in 0..5 {
        engine.accept(page(number, number > 0)).await.unwrap();
    }
    let outcome = pull.outcome().await.unwrap();
    assert_eq!(still(outcome.publish(sink())).await.unwrap().lists[0].accounts, 5);
    // The journal has forgotten the pages, and the engine was not told.
    storage.forget(&id()).await.unwrap();
    engine.accept(page(9, true)).await.unwrap();
    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    let published = still(outcome.publish(sink())).await;
    assert!(matches!(published, Err(PublishError::PagesMissing { expected: 5, found: 1 })));
    assert_eq!(std::fs::read_to_string(sink().path()).unwrap().lines().count(), 5);
}

/// Publishes a list with these accounts on each page. Returns the number of its accounts, its lines, and those of its
/// quarantine.
async fn published_from(pages: &[&str]) -> (u64, Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let engine = engine_on(&Storage::new());
    let pull = engine.pull(request().allow_unidentified(9)).await.unwrap();
    for (n, accounts) in pages.iter().enumerate() {
        let page = page_of(MARK, 0, n + 1 < pages.len());
        let page = page.replace(r#"{"account_id":"a000"}"#, accounts);
        engine.accept(incoming(page)).await.unwrap();
    }
    let outcome = pull.outcome().await.unwrap();
    let published = still(outcome.publish(Arc::new(sink.clone()))).await.unwrap();
    let lines = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let list = &published.lists[0];
    let quarantine = lines(&sink.quarantine_path());
    assert_eq!(list.quarantined, quarantine.len() as u64);
    (list.accounts, lines(sink.path()), quarantine)
}

#[tokio::test(start_paused = true)]
async fn a_content_without_an_id_is_set_aside_once() {
    let nameless = r#"{"profile":{}}"#;
    let first = format!(r#"{nameless},{{"account_id":"a"}},{nameless}"#);
    let second = format!(r#"{{"account_id":"b"}},{nameless},{{"profile":{{"name":"n"}}}}"#);
    let (accounts, lines, quarantine) = published_from(&[&first, &second]).await;
    assert_eq!((accounts, lines.len(), quarantine.len()), (2, 2, 2));
    let of = |raw: &str| quarantine.iter().filter(|it| it.contains(raw)).count();
    assert_eq!((of(nameless), of(r#"{"profile":{"name":"n"}}"#)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_winner_is_written_if_another_content_alone_has_the_common_form() {
    let common = r#"{"account_id":"a"}"#;
    let number = |raw: &str| Digest::of(raw.as_bytes()).to_u128();
    let mut others = (0..).map(|n| format!(r#"{{"account_id":"a","profile":{n}}}"#));
    let winner = others.find(|it| number(it) > number(common)).unwrap();
    let loser = others.find(|it| number(it) < number(common)).unwrap();
    for (other, winner) in [(&*winner, &*winner), (&*loser, common)] {
        let alone = published_from(&[winner]).await;
        assert_eq!((alone.0, alone.1.len(), alone.2.len()), (1, 1, 0));
        for pages in [[common, other], [other, common]] {
            assert_eq!(published_from(&pages).await, alone);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_in_several_spellings_is_written_once() {
    let usual = r#"{"account_id":"a"}"#;
    let (_, alone, _) = published_from(&[usual]).await;
    for other in [r#"{ "account_id" : "a" }"#, r#"{"account_id":"\u0061"}"#] {
        for pages in [[usual, other], [other, usual]] {
            let written = published_from(&pages).await;
            assert_eq!(written, (1, alone.clone(), Vec::new()));
        }
    }
}
