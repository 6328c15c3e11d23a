//! Publication under a claim: what hangs is given up, what is late is published from one fold.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use qopen::journal::{Journal as _, MemoryJournal, Note, PullState, Workload};
use qopen::sink::{Committed, FileSink, Format, ListKind, ListWriter, Sink, SinkError};
use qopen::{PublishError, PullRequest, Worker, WorkerOptions, publish};
use qopen_simulator::Schedule;

use crate::harness::{Harness, robot};

/// A place that hangs until it is let go on.
struct Hanging {
    place: FileSink,
    free: Arc<(Mutex<bool>, Condvar)>,
}

impl Sink for Hanging {
    fn check(&self) -> Result<(), SinkError> {
        self.place.check()
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let writer = self.place.begin(kind)?;
        Ok(Box::new(HangingWriter { writer, free: Arc::clone(&self.free) }))
    }
}

struct HangingWriter {
    writer: Box<dyn ListWriter>,
    free: Arc<(Mutex<bool>, Condvar)>,
}

impl ListWriter for HangingWriter {
    fn write(&mut self, record: &qopen::sink::Record<'_>) -> Result<(), SinkError> {
        let mut free = self.free.0.lock().unwrap();
        while !*free {
            free = self.free.1.wait(free).unwrap();
        }
        self.writer.write(record)
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        self.writer.commit()
    }
}

async fn announced(harness: &Harness) {
    harness.client.announce(PullRequest::new(robot())).await.unwrap();
}

/// A publication that stands still keeps its pull from nobody for longer than it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_hangs_loses_the_pull_and_publishes_nothing() {
    let journal = Arc::new(MemoryJournal::default());
    let schedule = Schedule { accounts: 40, page_size: 10, ..Schedule::default() };
    let harness =
        Harness::start_with(schedule, |builder| builder.journal(Arc::clone(&journal) as _)).await;
    let mut options = WorkerOptions::default();
    (options.lease, options.stalled) = (Duration::from_secs(2), Duration::from_secs(1));
    let worker =
        Worker::start(harness.client.engine(), Arc::clone(&journal) as Arc<dyn Workload>, options);
    announced(&harness).await;
    let folder = tempfile::tempdir().unwrap();
    let place = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let free = Arc::new((Mutex::new(false), Condvar::new()));

    let first = worker.claimed().await.unwrap();
    let outcome = first.take_up().await.unwrap().outcome().await.unwrap();
    let hanging = Hanging { place: place.clone(), free: Arc::clone(&free) };
    let hung = publish(vec![outcome.list.clone()], Arc::new(hanging), ListKind::Complete);
    let hung = tokio::spawn(hung);
    tokio::time::timeout(Duration::from_secs(20), first.lost()).await.expect("it is given up");
    drop((first, outcome));

    // Somebody else can have it when the lease is over.
    let next = tokio::time::timeout(Duration::from_secs(20), worker.claimed()).await;
    let next = next.expect("it is given to the next").unwrap();
    let outcome = next.take_up().await.unwrap().outcome().await.unwrap();
    publish(vec![outcome.list.clone()], Arc::new(place.clone()), ListKind::Complete).await.unwrap();
    let list = std::fs::read(place.path()).unwrap();
    std::fs::remove_file(place.path()).unwrap();
    // What hung wakes up, and finds that it is not to be done any more.
    *free.0.lock().unwrap() = true;
    free.1.notify_all();
    let hung = hung.await.unwrap();
    assert!(matches!(hung, Err(PublishError::Fenced)), "{hung:?}");
    assert!(!place.path().exists());
    assert_eq!(list.iter().filter(|it| **it == b'\n').count(), 40);
}

/// A list that was overtaken is noted as such, and needs nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn e11_the_list_of_an_earlier_pull_is_superseded_whatever_the_clock_said() {
    let journal = Arc::new(MemoryJournal::default());
    let schedule = Schedule { accounts: 40, page_size: 10, ..Schedule::default() };
    let harness =
        Harness::start_with(schedule, |builder| builder.journal(Arc::clone(&journal) as _)).await;
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let place = |list| publish(vec![list], Arc::clone(&sink) as _, ListKind::Complete);
    let first = harness.pull().await;
    let second = harness.pull().await;
    let state = async |list: &qopen::PulledList| -> PullState {
        journal.pull(list.id()).await.unwrap().unwrap()
    };
    assert!(state(&first.list).await.order < state(&second.list).await.order);
    place(second.list.clone()).await.unwrap();
    let superseded = place(first.list.clone()).await;
    let later = second.list.id().mark_id.clone();
    match superseded {
        Err(PublishError::Superseded { pull, by }) => {
            assert_eq!((&pull, by), (first.list.id(), Some(later.clone())));
        }
        other => panic!("{other:?}"),
    }
    let state = state(&first.list).await;
    assert!(state.is_superseded());
    let noted = &state.notes.last().unwrap().note;
    assert_eq!(*noted, Note::Superseded { by: Some(later), revision: 1 });
    // The later one may be published again, and where nothing stands the earlier one may.
    place(second.list.clone()).await.unwrap();
    let elsewhere = Arc::new(FileSink::new(folder.path().join("elsewhere"), Format::Jsonl));
    publish(vec![first.list.clone()], elsewhere, ListKind::Complete).await.unwrap();
}
