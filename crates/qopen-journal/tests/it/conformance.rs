//! What every journal must do, run on each there is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use qopen_journal::{
    Appended, Changes, Claim, DiskJournal, Durability, EndState, Expired, Fencing, Journal,
    JournalError, Layer, Location, MemoryJournal, Note, Noted, Outbox, PageRecord, Payload, PullId,
    Quarantined, Renewed, Started, Store, Upkeep as _, Waiting, WorkerId,
};
use qopen_postgres::testing::Server;

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
        Note::Ended { status: EndState::Complete, why: "quiet".into(), accounts: 3, pages: 2 },
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
    assert!(journal.knows(&pull("b")).await.unwrap());
    assert!(!journal.knows(&pull("nobody's")).await.unwrap());
    let (mark, robot) = (pull("b").mark_id, pull("b").robot_id);
    let marked = journal.pulls_marked(&mark).await.unwrap();
    assert_eq!(marked, [journal.pull(&pull("b")).await.unwrap().unwrap()]);
    let all = journal.pulls().await.unwrap();
    assert_eq!(journal.pulls_of(&robot).await.unwrap(), all);
    assert_eq!(journal.pulls_of(&"another".parse().unwrap()).await.unwrap(), []);

    let items = [
        Quarantined::new(Some(pull("a")), Layer::Shape, "why", payload("x")),
        Quarantined::new(None, Layer::Json, "why", payload("y")),
        Quarantined::new(Some(pull("c")), Layer::Shape, "why", payload("z")),
        Quarantined::new(Some(pull("a")), Layer::Shape, "why", payload("released")),
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

    // Bytes that are no text come back as they were kept, and with the layer at which they failed.
    let bytes = Payload::new(vec![0xff, 0, b'{', 0xfe]);
    let odd = Quarantined::new(Some(pull("c")), Layer::Content, "no key", bytes.clone());
    journal.quarantine(odd.clone()).await.unwrap();
    assert_eq!(journal.quarantined(Some(&pull("c"))).await.unwrap()[1], odd);
    journal.release(&odd).await.unwrap();
    let raw = PageRecord::new(pull("c"), bytes);
    journal.append(raw.clone()).await.unwrap();
    let kept = journal.pages(&pull("c")).await.unwrap();
    assert_eq!(kept.try_collect::<Vec<_>>().await.unwrap(), [raw]);

    // What may be a page of a pull stands against it until it is released.
    let (one, two) = (page("c", "one").digest, page("c", "two").digest);
    for item in [one, two] {
        journal.note(&pull("c"), Note::Doubted { item }).await.unwrap();
    }
    journal.note(&pull("c"), Note::Released { item: one, read: false }).await.unwrap();
    let state = journal.pull(&pull("c")).await.unwrap().unwrap();
    assert_eq!(state.doubts().into_iter().collect::<Vec<_>>(), [two]);
    assert_eq!(state.released().into_iter().collect::<Vec<_>>(), [one]);
    let open: Vec<PullId> =
        journal.open_pulls().await.unwrap().into_iter().map(|it| it.pull).collect();
    let all = journal.pulls().await.unwrap();
    let unended = all.iter().filter(|it| it.ended().is_none()).map(|it| it.pull.clone());
    assert_eq!(open, unended.collect::<Vec<_>>());

    let digests = journal.digests(&pull("a")).await.unwrap();
    assert_eq!(digests.len(), 2);
    let second = [page("a", "2").digest, page("a", "nobody's").digest];
    let some = journal.pages_of(&pull("a"), &second).await.unwrap();
    assert_eq!(some.try_collect::<Vec<_>>().await.unwrap(), [page("a", "2")]);

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
    assert_eq!(
        all.iter().map(|it| it.event.text().as_str().to_owned()).collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
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
    assert_eq!(
        texts.iter().map(|it| it.event.text().as_str().to_owned()).collect::<Vec<_>>(),
        ["1", "3", "2"]
    );
}

/// As many times as it takes for what one process does to be seen by another: a second at most.
async fn claimed(journal: &dyn Store, worker: &str, lease: Duration) -> Vec<Claim> {
    for _ in 0..100 {
        let claims = journal.claim(&WorkerId::new(worker), lease, 9).await.unwrap();
        if !claims.is_empty() {
            return claims;
        }
        journal.wait(Duration::from_millis(10)).await;
    }
    Vec::new()
}

async fn renewed(journal: &dyn Store, claim: &Claim) -> Renewed {
    journal.renew(std::slice::from_ref(claim), LONG).await.unwrap()[0]
}

const LONG: Duration = Duration::from_secs(600);

/// Who works on what. `other` is the same journal, as another process has it where that can be.
async fn conforms_as_a_workload(journal: &dyn Store, other: &dyn Store) {
    let second = Duration::from_secs(1);
    let started = || Note::Started(Started::new(second, second, second));
    let ended =
        || Note::Ended { status: EndState::Complete, why: String::new(), accounts: 0, pages: 1 };
    let notes = async |mark: &str| journal.pull(&pull(mark)).await.unwrap().unwrap().notes.len();
    // Whatever was done before is looked at and done with.
    for claim in journal.claim(&WorkerId::new("before"), LONG, 99).await.unwrap() {
        assert_eq!(journal.finish(&claim).await.unwrap(), Fencing::Held);
    }
    assert_eq!(journal.claim(&WorkerId::new("a"), LONG, 9).await.unwrap(), []);

    // Started, a pull is given to one worker, until that one has finished it.
    journal.note(&pull("work"), started()).await.unwrap();
    let claims = claimed(other, "a", LONG).await;
    assert_eq!(claims.iter().map(|it| &it.pull).collect::<Vec<_>>(), [&pull("work")]);
    let first = &claims[0];
    assert_eq!(journal.claim(&WorkerId::new("b"), LONG, 9).await.unwrap(), []);
    assert_eq!(renewed(other, first).await, Renewed::Held { pages: false, notes: false });
    // What is kept is news, once; what is noted under the claim is none.
    assert_eq!(journal.append(page("work", "1")).await.unwrap(), Appended::New);
    assert_eq!(renewed(other, first).await, Renewed::Held { pages: true, notes: false });
    assert_eq!(other.digests(&pull("work")).await.unwrap(), [page("work", "1").digest]);
    journal
        .quarantine(Quarantined::new(Some(pull("work")), Layer::Shape, "why", payload("?")))
        .await
        .unwrap();
    assert_eq!(renewed(other, first).await, Renewed::Held { pages: false, notes: true });
    journal.note(&pull("work"), Note::CancelRequested).await.unwrap();
    assert_eq!(renewed(other, first).await, Renewed::Held { pages: false, notes: true });
    assert!(journal.pull(&pull("work")).await.unwrap().unwrap().is_cancel_requested());
    assert_eq!(other.note_as(first, ended()).await.unwrap(), Fencing::Held);
    assert_eq!(renewed(other, first).await, Renewed::Held { pages: false, notes: false });
    assert_eq!(other.finish(first).await.unwrap(), Fencing::Held);
    assert_eq!(journal.claim(&WorkerId::new("b"), LONG, 9).await.unwrap(), []);
    for fenced in [other.note_as(first, ended()).await.unwrap(), other.finish(first).await.unwrap()]
    {
        assert_eq!(fenced, Fencing::Fenced);
    }
    assert_eq!(notes("work").await, 3);

    // A page that comes late wants a worker again. One that is too slow is fenced by the next.
    journal.append(page("work", "2")).await.unwrap();
    let slow = claimed(journal, "a", Duration::from_millis(50)).await.remove(0);
    assert!(slow.epoch > first.epoch);
    let next = claimed(other, "b", LONG).await.remove(0);
    assert!(next.epoch > slow.epoch);
    assert_eq!(renewed(journal, &slow).await, Renewed::Fenced);
    assert_eq!(journal.note_as(&slow, ended()).await.unwrap(), Fencing::Fenced);
    journal.leave(&slow).await.unwrap();
    assert_eq!(journal.finish(&slow).await.unwrap(), Fencing::Fenced);
    assert_eq!(notes("work").await, 3);
    // What comes after the last look is not forgotten by finishing.
    journal.append(page("work", "3")).await.unwrap();
    assert_eq!(other.finish(&next).await.unwrap(), Fencing::Held);
    let again = claimed(journal, "a", LONG).await.remove(0);
    // Given back, it is anybody's at once; wanted, it is so without news.
    journal.leave(&again).await.unwrap();
    let again = claimed(other, "b", LONG).await.remove(0);
    assert_eq!(other.finish(&again).await.unwrap(), Fencing::Held);
    journal.want(&pull("work")).await.unwrap();
    journal.want(&pull("nobody's")).await.unwrap();
    let wanted = claimed(other, "b", LONG).await;
    assert_eq!(wanted.len(), 1);
    // A pull that is forgotten is nobody's work.
    journal.forget(&pull("work")).await.unwrap();
    assert_eq!(renewed(other, &wanted[0]).await, Renewed::Fenced);
    assert_eq!(other.note_as(&wanted[0], ended()).await.unwrap(), Fencing::Fenced);
    assert!(journal.pull(&pull("work")).await.unwrap().is_none());
    journal.note(&pull("work"), started()).await.unwrap();
    let anew = claimed(other, "b", LONG).await.remove(0);
    assert!(anew.epoch > wanted[0].epoch);
    assert_eq!(other.finish(&anew).await.unwrap(), Fencing::Held);
    journal.forget(&pull("work")).await.unwrap();
}

/// However appends and looks fall together, no page is kept without its being news after that.
async fn tells_of_every_page(journal: &Arc<dyn Store>, other: &dyn Store) {
    const PAGES: usize = 300;
    let second = Duration::from_secs(1);
    let started = Note::Started(Started::new(second, second, second));
    journal.note(&pull("many"), started).await.unwrap();
    let claim = claimed(other, "a", LONG).await.remove(0);
    let appends: Vec<_> = (0..PAGES)
        .map(|n| {
            let journal = Arc::clone(journal);
            tokio::spawn(async move {
                let kept = journal.append(page("many", &format!("{n}"))).await.unwrap();
                assert_eq!(kept, Appended::New);
            })
        })
        .collect();
    let all_kept = async {
        for append in appends {
            append.await.unwrap();
        }
    };
    let mut all_kept = std::pin::pin!(all_kept);
    let (mut seen, mut kept) = (0, false);
    loop {
        match renewed(other, &claim).await {
            Renewed::Held { pages: true, .. } => {
                seen = other.digests(&claim.pull).await.unwrap().len();
            }
            _ if kept => break,
            _ => {}
        }
        tokio::select! {
            () = &mut all_kept, if !kept => kept = true,
            () = other.wait(Duration::from_millis(5)) => {}
        }
    }
    assert_eq!(seen, PAGES);
    assert_eq!(other.finish(&claim).await.unwrap(), Fencing::Held);
    journal.forget(&pull("many")).await.unwrap();
}

/// Old things go, and what another journal noted keeps its time.
async fn conforms_in_upkeep(journal: &dyn Store) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    for mark in ["old", "spared"] {
        let noted = Noted { at: long_ago, note: Note::Resumed };
        journal.restore(&pull(mark), noted.clone()).await.unwrap();
        assert_eq!(journal.pull(&pull(mark)).await.unwrap().unwrap().notes, [noted]);
    }
    let holdings = journal.holdings().await.unwrap();
    assert_eq!(holdings.pulls, journal.pulls().await.unwrap().len() as u64);
    let spare = BTreeSet::from([pull("spared")]);
    // What a clock said when something was noted makes it no older.
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &spare).await.unwrap(), Expired::default());
    // Somebody has one, and another has news.
    journal.append(page("claimed", "x")).await.unwrap();
    let claim = loop {
        let claims = journal.claim(&WorkerId::new("it"), hour, 99).await.unwrap();
        let its = claims.into_iter().find(|it| it.pull == pull("claimed"));
        match its {
            Some(claim) => break claim,
            None => journal.wait(Duration::from_millis(10)).await,
        }
    };
    let gone = journal.expire(Duration::ZERO, &spare).await.unwrap();
    assert!(gone.pulls.contains(&pull("old")), "{gone:?}");
    for left in ["spared", "claimed"] {
        assert!(!gone.pulls.contains(&pull(left)), "{gone:?}");
        assert!(journal.pull(&pull(left)).await.unwrap().is_some(), "{left}");
    }
    assert_eq!(journal.finish(&claim).await.unwrap(), Fencing::Held);
    let state = journal.pull(&pull("claimed")).await.unwrap().unwrap();
    assert_eq!((state.pages, journal.pulls().await.unwrap().len()), (1, 2));
    let gone = journal.expire(Duration::ZERO, &spare).await.unwrap();
    assert_eq!(gone.pulls, [pull("claimed")]);
    assert!(!journal.knows(&pull("claimed")).await.unwrap());
    journal.forget(&pull("spared")).await.unwrap();
    journal.compact(0).await.unwrap();
    journal.append(page("last", "x")).await.unwrap();
    let report = journal.check().await.unwrap();
    assert!(report.damage.is_empty() && report.records > 0);
    assert!(journal.stats().healthy && journal.stats().records > 0);
}

/// Everything, on a journal that has nothing yet, by as many handles as it allows.
async fn conforms_in_all(journal: &Arc<dyn Store>, other: &dyn Store) {
    conforms(&**journal).await;
    conforms_as_an_outbox(&**journal).await;
    conforms_as_a_workload(&**journal, other).await;
    tells_of_every_page(journal, other).await;
}

#[tokio::test]
async fn the_journal_in_postgres_conforms_and_is_the_same_to_every_process() {
    let Some(server) = Server::start() else { return };
    let location = Location::parse(&server.url()).unwrap();
    assert!(!location.exists().await.unwrap());
    assert!(matches!(location.open().await, Err(JournalError::Fatal(_))));
    // Any number of processes may migrate at once.
    let migrating: Vec<_> = (0..8)
        .map(|_| Location::parse(&server.url()).unwrap())
        .map(|location| tokio::spawn(async move { location.migrate().await.unwrap() }))
        .collect();
    let mut steps = 0;
    for done in migrating {
        steps += done.await.unwrap();
    }
    assert_eq!(steps, 3);
    assert!(location.exists().await.unwrap() && location.is_shared());
    let journal = location.open().await.unwrap().journal;
    let other = Location::parse(&server.url()).unwrap().open().await.unwrap().journal;
    conforms_in_all(&journal, &*other).await;
    assert_eq!(journal.durability(), Durability::ServerCommit);
    assert_eq!(journal.pulls().await.unwrap(), other.pulls().await.unwrap());
    assert_eq!(waiting(&*journal).await, waiting(&*other).await);
    // One hands events on at a time.
    let (a, b) = (WorkerId::new("a"), WorkerId::new("b"));
    let second = Duration::from_secs(1);
    assert!(journal.turn(&a, second).await.unwrap() && journal.turn(&a, second).await.unwrap());
    assert!(!other.turn(&b, second).await.unwrap());
    conforms_in_upkeep(&*journal).await;
}

/// Killed in the middle of appends and started again: what was kept is there, and nothing had to be
/// opened anew.
#[tokio::test]
async fn a_database_that_crashes_loses_nothing_that_was_kept() {
    let Some(mut server) = Server::start() else { return };
    let location = Location::parse(&server.url()).unwrap();
    location.migrate().await.unwrap();
    let journal = location.open().await.unwrap().journal;
    let mut kept = Vec::new();
    let (mut refused, mut after) = (0, 0);
    for n in 0.. {
        if n == 50 {
            server.stop().unwrap();
        }
        if refused == 3 && after == 0 {
            server.run().unwrap();
        }
        match journal.append(page("a", &format!("{n}"))).await {
            Ok(Appended::New) => kept.push(n.to_string()),
            Err(error) if error.is_retryable() => refused += 1,
            other => panic!("{other:?}"),
        }
        after += usize::from(refused > 0 && kept.last() == Some(&n.to_string()));
        if after == 50 {
            break;
        }
        assert!(refused < 100, "it does not recover");
    }
    assert!(refused >= 3);
    let there = payloads(&*journal, "a").await;
    assert!(kept.iter().all(|it| there.contains(it)), "{kept:?} {there:?}");
    // Told by the connection that hints go over, once that is there again.
    for _ in 0..1000 {
        if journal.stats().healthy {
            break;
        }
        journal.wait(Duration::from_millis(10)).await;
    }
    assert!(journal.stats().healthy);
}

#[tokio::test]
async fn the_journal_in_memory_conforms() {
    let journal: Arc<dyn Store> = Arc::new(MemoryJournal::default());
    conforms_in_all(&journal, &*journal).await;
    conforms_in_upkeep(&*journal).await;
    assert_eq!(journal.durability(), Durability::Memory);
}

#[tokio::test]
async fn the_journal_on_disk_conforms_and_says_the_same_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal: Arc<dyn Store> = Arc::new(DiskJournal::open(folder.path()).unwrap());
    conforms_in_all(&journal, &*journal).await;
    assert_eq!(journal.durability(), Durability::LocalFsync);
    let before = (journal.pulls().await.unwrap(), journal.quarantined(None).await.unwrap());
    let events = waiting(&*journal).await;
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
    conforms_in_upkeep(&journal).await;
}

/// What is committed while its pull is forgotten belongs to a pull again.
#[tokio::test]
async fn a_page_that_is_committed_while_its_pull_expires_is_kept() {
    let Some(server) = Server::start() else { return };
    let location = Location::parse(&server.url()).unwrap();
    location.migrate().await.unwrap();
    let journal = location.open().await.unwrap().journal;
    journal.append(page("old", "1")).await.unwrap();
    for claim in journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap() {
        assert_eq!(journal.finish(&claim).await.unwrap(), Fencing::Held);
    }
    let database = qopen_postgres::Database::new(&server.url()).unwrap();
    let mut client = database.connect(None).await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let robot = pull("old").robot_id.to_string();
    let copy = "INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
         SELECT $1, 'old', '\\x00112233445566778899aabbccddeeff', null, '\\x78'";
    transaction.execute(copy, &[&robot]).await.unwrap();
    let gone = journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.pulls, [pull("old")]);
    transaction.commit().await.unwrap();
    assert!(!journal.knows(&pull("old")).await.unwrap());
    journal.expire(LONG, &BTreeSet::new()).await.unwrap();
    assert_eq!(journal.pull(&pull("old")).await.unwrap().unwrap().pages, 1);
    // And somebody is to look at it.
    assert_eq!(journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap().len(), 1);
}

/// A transaction that somebody leaves open, anywhere in the cluster, hides nothing and repeats nothing.
#[tokio::test]
async fn pages_are_told_of_however_long_anothers_transaction_is_open() {
    let Some(server) = Server::start() else { return };
    let location = Location::parse(&server.url()).unwrap();
    location.migrate().await.unwrap();
    let journal = location.open().await.unwrap().journal;
    let database = qopen_postgres::Database::new(&server.url()).unwrap();
    let mut client = database.connect(None).await.unwrap();
    let foreign = client.transaction().await.unwrap();
    foreign.execute("SELECT pg_current_xact_id()", &[]).await.unwrap();
    let robot = pull("late").robot_id.to_string();
    let late = "INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
         VALUES ($1, 'late', '\\x00112233445566778899aabbccddeeff', null, '\\x78')";
    let work = "INSERT INTO qopen_journal.pull (robot_id, mark_id) VALUES ($1, 'late')";
    foreign.execute(work, &[&robot]).await.unwrap();
    foreign.execute(late, &[&robot]).await.unwrap();
    for n in 0..3 {
        journal.append(page("a", &n.to_string())).await.unwrap();
        let claims = journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap();
        assert_eq!(claims.len(), 1, "page {n}");
        assert_eq!(journal.finish(&claims[0]).await.unwrap(), Fencing::Held);
        assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().pages, n + 1);
        // What was told is not news again.
        assert_eq!(journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap(), []);
    }
    foreign.commit().await.unwrap();
    let claims = journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap();
    assert_eq!(claims.iter().map(|it| &it.pull).collect::<Vec<_>>(), [&pull("late")]);
}

/// A database that answers and takes nothing, as one does after a fail-over, is not healthy.
#[tokio::test]
async fn a_database_that_is_read_only_is_unhealthy_until_it_takes_something() {
    let Some(server) = Server::start() else { return };
    let location = Location::parse(&server.url()).unwrap();
    location.migrate().await.unwrap();
    let journal = location.open().await.unwrap().journal;
    journal.append(page("a", "1")).await.unwrap();
    let database = qopen_postgres::Database::new(&server.url()).unwrap();
    let client = database.connect(None).await.unwrap();
    let read_only = async |it: &str| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = '{it}'");
        client.batch_execute(&set).await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    read_only("on").await;
    while journal.append(page("a", "2")).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..50 {
        assert!(!journal.stats().healthy);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    read_only("off").await;
    while !journal.stats().healthy {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
