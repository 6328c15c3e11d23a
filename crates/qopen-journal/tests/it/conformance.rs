//! What every journal must do, run on each there is.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use qopen_journal::{
    Appended, Changes, DiskJournal, Durability, Journal, MemoryJournal, Note, Outbox, Quarantined,
    Started, Waiting,
};

use crate::support::{page, payload, payloads, pull};

/// What waits, oldest first.
async fn waiting(outbox: &dyn Outbox) -> Vec<Waiting> {
    outbox.waiting(0, usize::MAX).await.unwrap()
}

/// Generic over the journal, so that each implementation answers to the same.
async fn conforms(journal: &dyn Journal) {
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "2")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::Duplicate);
    // The same payload in another pull is another page.
    assert_eq!(journal.append(page("b", "1")).await.unwrap(), Appended::New);
    assert_eq!(payloads(journal, "a").await, ["1", "2"]);
    assert_eq!(payloads(journal, "nobody's").await, [""; 0]);

    let second = Duration::from_secs(1);
    let notes = [
        Note::Started(Started::new(second, second, second)),
        Note::Accepted { serial_no: Some("7".into()) },
        Note::Ended { status: "complete".into(), why: "quiet".into(), accounts: 3, pages: 2 },
        Note::Published {
            revision: 1,
            accounts: 3,
            pages: 2,
            location: "list".into(),
            set_aside: 3,
            changes: Some(Changes { added: 1, changed: 2 }),
        },
    ];
    for note in notes.clone() {
        journal.note(&pull("a"), note).await.unwrap();
    }
    let state = journal.pull(&pull("a")).await.unwrap().unwrap();
    assert_eq!(state.notes.iter().map(|it| it.note.clone()).collect::<Vec<_>>(), notes);
    assert!(state.notes.is_sorted_by_key(|it| it.at));
    assert_eq!((state.pages, state.quarantined, &state.damaged[..]), (2, 0, &[][..]));
    assert!(state.bytes > 0 && state.last_page.is_some() && state.is_accepted());
    assert!(state.started().is_some() && state.ended().is_some() && state.published().is_some());
    journal.note(&pull("a"), Note::Resumed).await.unwrap();
    assert!(journal.pull(&pull("a")).await.unwrap().unwrap().ended().is_none());
    assert!(journal.pull(&pull("b")).await.unwrap().unwrap().notes.is_empty());
    assert!(journal.pull(&pull("nobody's")).await.unwrap().is_none());

    let items = [
        Quarantined::new(Some(pull("a")), "why", payload("x")),
        Quarantined::new(None, "why", payload("y")),
        Quarantined::new(Some(pull("c")), "why", payload("z")),
        Quarantined::new(Some(pull("a")), "why", payload("released")),
    ];
    for item in items.iter().chain(&items) {
        journal.quarantine(item.clone()).await.unwrap();
    }
    assert_eq!(journal.quarantined(None).await.unwrap(), items);
    journal.release(&items[3]).await.unwrap();
    journal.release(&items[3]).await.unwrap();
    assert_eq!(journal.quarantined(None).await.unwrap(), items[..3]);
    let pulls = journal.pulls().await.unwrap();
    let pulls: Vec<_> = pulls.iter().map(|it| (it.pull.mark_id.as_str(), it.quarantined)).collect();
    assert_eq!(pulls, [("a", 1), ("b", 0), ("c", 1)]);

    // A stream shows what was there when it was asked for.
    let early = journal.pages(&pull("a")).await.unwrap();
    journal.forget(&pull("a")).await.unwrap();
    assert_eq!(early.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert_eq!(payloads(journal, "a").await, [""; 0]);
    assert!(journal.pull(&pull("a")).await.unwrap().is_none());
    assert_eq!(journal.quarantined(None).await.unwrap(), items[1..3]);
    assert_eq!(payloads(journal, "b").await, ["1"]);
    journal.forget(&pull("a")).await.unwrap();
    // A name that was forgotten begins anew.
    assert_eq!(journal.append(page("a", "2")).await.unwrap(), Appended::New);
    assert_eq!(payloads(journal, "a").await, ["2"]);
}

/// As for pages: what was put stays until it is taken, in its order.
async fn conforms_as_an_outbox(outbox: &dyn Outbox) {
    for (text, found) in [
        ("1", Appended::New),
        ("2", Appended::New),
        ("1", Appended::Duplicate),
        ("3", Appended::New),
    ] {
        assert_eq!(outbox.put(payload(text)).await.unwrap(), found);
    }
    let all = waiting(outbox).await;
    assert_eq!(all.iter().map(|it| it.event.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(all.is_sorted_by_key(|it| it.number) && all.is_sorted_by_key(|it| it.since));
    assert_eq!(outbox.waiting(all[0].number, 1).await.unwrap(), all[1..2]);
    assert_eq!(outbox.waiting(all[2].number, 9).await.unwrap(), []);
    outbox.taken(&all[1]).await.unwrap();
    outbox.taken(&all[1]).await.unwrap();
    assert_eq!(
        (outbox.backlog().await.unwrap().events, waiting(outbox).await[1].clone()),
        (2, all[2].clone())
    );
    // What was taken may come again, and is then the youngest.
    assert_eq!(outbox.put(payload("2")).await.unwrap(), Appended::New);
    let texts = waiting(outbox).await;
    assert_eq!(texts.iter().map(|it| it.event.as_str()).collect::<Vec<_>>(), ["1", "3", "2"]);
}

#[tokio::test]
async fn the_journal_in_memory_conforms() {
    let journal = MemoryJournal::default();
    conforms(&journal).await;
    conforms_as_an_outbox(&journal).await;
    assert_eq!(journal.durability(), Durability::Memory);
}

#[tokio::test]
async fn the_journal_on_disk_conforms_and_says_the_same_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    conforms(&journal).await;
    conforms_as_an_outbox(&journal).await;
    assert_eq!(journal.durability(), Durability::LocalFsync);
    let before = (journal.pulls().await.unwrap(), journal.quarantined(None).await.unwrap());
    let events = waiting(&journal).await;
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.compact(0).await.unwrap();
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    assert_eq!(before, (journal.pulls().await.unwrap(), journal.quarantined(None).await.unwrap()));
    assert_eq!(waiting(&journal).await, events);
    assert_eq!(payloads(&journal, "a").await, ["2"]);
    assert_eq!(payloads(&journal, "b").await, ["1"]);
    assert!(journal.report().damage.is_empty());
}
