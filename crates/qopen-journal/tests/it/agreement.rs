//! The journal on disk against the journal in memory, over anything that can be done to both, with
//! the one on disk opened again, compacted and killed in between.

use std::collections::BTreeMap;
use std::time::SystemTime;

use proptest::prelude::*;
use qopen_journal::Maintenance as _;
use qopen_journal::{
    DiskJournal, DiskOptions, Journal, Layer, MemoryJournal, Note, Outbox, PendingEvent, PullState,
    Quarantined,
};
use tempfile::TempDir;

use crate::support::{page, payload, payloads, pull};

#[derive(Clone, Debug)]
enum Operation {
    Append(u8, u8),
    Note(u8, u32),
    Quarantine(Option<u8>, u8),
    Release(Option<u8>, u8),
    Forget(u8),
    Put(u8),
    Taken(u8),
    Compact(u8),
    Reopen,
    /// The folder as it is at this moment, opened by another process after this one was killed.
    Kill,
}

fn mark(n: u8) -> &'static str {
    ["a", "b", "c"][usize::from(n)]
}

fn text(n: u8) -> String {
    format!("{n}").repeat(usize::from(n) * 300 + 1)
}

fn item(of: Option<u8>, n: u8) -> Quarantined {
    Quarantined::new(of.map(|of| pull(mark(of))), Layer::Shape, "why", payload(&text(n)))
}

fn operation() -> impl Strategy<Value = Operation> {
    let of = || prop::option::of(0..3_u8);
    prop_oneof![
        8 => (0..3_u8, 0..6_u8).prop_map(|(of, n)| Operation::Append(of, n)),
        2 => (0..3_u8, 0..9_u32).prop_map(|(of, n)| Operation::Note(of, n)),
        2 => (of(), 0..3_u8).prop_map(|(of, n)| Operation::Quarantine(of, n)),
        1 => (of(), 0..3_u8).prop_map(|(of, n)| Operation::Release(of, n)),
        2 => (0..3_u8).prop_map(Operation::Forget),
        2 => (0..6_u8).prop_map(Operation::Put),
        2 => (0..6_u8).prop_map(Operation::Taken),
        1 => prop::sample::select(vec![0, 30, 100]).prop_map(Operation::Compact),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
    ]
}

/// What both must agree on: all but times and sizes.
fn facts(state: &PullState) -> (u64, u64, Vec<Note>) {
    let notes = state.notes.iter().map(|it| it.note.clone()).collect();
    assert!(state.damaged.is_empty());
    (state.pages, state.quarantined, notes)
}

/// A journal that hands on, too.
trait Both: Journal + Outbox {}
impl<T: Journal + Outbox> Both for T {}

type View = (BTreeMap<String, (u64, u64, Vec<Note>)>, Vec<Vec<String>>, Vec<Quarantined>);

async fn view(journal: &impl Both) -> View {
    let pulls = journal.pulls().await.unwrap();
    let mut order: Vec<_> = pulls.iter().map(|it| (it.order, it.pull.to_string())).collect();
    order.sort();
    let pulls = pulls.iter().map(|it| (it.pull.to_string(), facts(it))).collect();
    let mut pages = Vec::new();
    for n in 0..3 {
        pages.push(payloads(journal, mark(n)).await);
    }
    let events = journal.waiting(0, usize::MAX).await.unwrap();
    pages.push(events.iter().map(|it| it.event.text().as_str().to_owned()).collect());
    // Which pull is later is told by both in the same way.
    pages.push(order.into_iter().map(|(_, pull)| pull).collect());
    (pulls, pages, journal.quarantined(None).await.unwrap())
}

fn open(folder: &TempDir) -> DiskJournal {
    let journal = DiskOptions::default().segment_size(64 << 10).open(folder.path()).unwrap();
    assert!(journal.report().damage.is_empty(), "{:?}", journal.report());
    journal
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_journal_on_disk_agrees_with_the_one_in_memory(
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryJournal::default();
            let mut folder = tempfile::tempdir().unwrap();
            let mut disk = Some(open(&folder));
            for operation in operations {
                let open_disk = disk.as_ref().unwrap();
                let both: [&dyn Both; 2] = [&memory, open_disk];
                let mut appended = Vec::new();
                for journal in both {
                    match operation.clone() {
                        Operation::Append(of, n) => {
                            appended.push(journal.append(page(mark(of), &text(n))).await.unwrap());
                        }
                        Operation::Note(of, n) => {
                            let location = "x".repeat(n as usize);
                            let note = Note::Published { revision: n, accounts: 0, pages: 0, location, set_aside: 0, changes: None, compared: None, evidence: None };
                            journal.note(&pull(mark(of)), note).await.unwrap();
                        }
                        Operation::Quarantine(of, n) => journal.quarantine(item(of, n)).await.unwrap(),
                        Operation::Release(of, n) => journal.release(&item(of, n)).await.unwrap(),
                        Operation::Forget(of) => journal.forget(&pull(mark(of))).await.unwrap(),
                        Operation::Put(n) => {
                            appended.push(journal.put(payload(&text(n))).await.unwrap());
                        }
                        Operation::Taken(n) => {
                            let gone = PendingEvent::new(0, SystemTime::UNIX_EPOCH, payload(&text(n)));
                            journal.ack(&gone).await.unwrap();
                        }
                        Operation::Compact(_) | Operation::Reopen | Operation::Kill => {}
                    }
                }
                assert!(appended.windows(2).all(|it| it[0] == it[1]), "{appended:?}");
                match operation {
                    Operation::Compact(share) => drop(open_disk.compact(share).await.unwrap()),
                    Operation::Reopen => {
                        drop(disk.take());
                        disk = Some(open(&folder));
                    }
                    Operation::Kill => {
                        let copy = tempfile::tempdir().unwrap();
                        for file in std::fs::read_dir(folder.path()).unwrap() {
                            let file = file.unwrap();
                            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
                        }
                        drop(disk.take());
                        folder = copy;
                        disk = Some(open(&folder));
                    }
                    _ => {}
                }
                assert_eq!(view(&memory).await, view(disk.as_ref().unwrap()).await);
            }
        });
    }
}
