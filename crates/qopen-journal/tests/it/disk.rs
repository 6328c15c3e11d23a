//! What only the journal on disk does: sharing syncs, waiting for them, failing and going on.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::Maintenance as _;
use qopen_journal::{
    Appended, DiskJournal, DiskOptions, Expired, Faults, Journal, JournalError, Layer, Note,
    Outbox, Quarantined,
};
use qopen_types::Digest;
use tempfile::TempDir;

use crate::support::{page, payload, payloads, pull};

fn with_faults() -> (TempDir, Arc<DiskJournal>, Faults) {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let options = DiskOptions::default().faults(faults.clone());
    let journal = options.open(folder.path()).unwrap();
    (folder, Arc::new(journal), faults)
}

fn chain(error: &JournalError) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out = format!("{out}: {error}");
        cause = error.source();
    }
    out
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_an_append_is_not_done_before_it_is_synced() {
    let (_folder, journal, faults) = with_faults();
    faults.hold_syncs(true);
    let append = |text: &'static str| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move { journal.append(page("a", text)).await })
    };
    let first = append("1");
    until(|| faults.syncs() == 1).await;
    // These come while the disk is busy, a copy of the first among them.
    let mut rest: Vec<_> = (0..100).map(|n| append(["2", "3", "1"][n % 3])).collect();
    until(|| journal.stats().queued == 100).await;
    assert!(!first.is_finished() && rest.iter().all(|it| !it.is_finished()));
    // What is not durable is not there.
    assert_eq!(payloads(&*journal, "a").await, [""; 0]);

    faults.hold_syncs(false);
    assert_eq!(first.await.unwrap().unwrap(), Appended::New);
    let mut new = 0;
    for append in rest.drain(..) {
        new += usize::from(append.await.unwrap().unwrap() == Appended::New);
    }
    assert_eq!(new, 2);
    // A hundred waited, and one sync or a few were enough for them.
    assert!(faults.syncs() <= 4, "{} syncs", faults.syncs());
    let mut kept = payloads(&*journal, "a").await;
    // The runtime orders the tasks.
    kept.sort();
    assert_eq!(kept, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_full_disk_refuses_and_has_room_again() {
    let (folder, journal, faults) = with_faults();
    journal.append(page("a", "before")).await.unwrap();
    for fail in [Faults::fail_writes, Faults::fail_syncs] {
        fail(&faults, Some(ErrorKind::StorageFull));
        for text in ["x", "y"] {
            let error = journal.append(page("a", text)).await.unwrap_err();
            assert!(error.is_retryable());
            let text = chain(&error);
            assert!(text.contains(".log: ") && text.contains("no storage space"), "{text}");
        }
        assert!(journal.note(&pull("a"), Note::Resumed).await.is_err());
        // What was kept is kept, and a copy of it needs no room.
        assert_eq!(journal.append(page("a", "before")).await.unwrap(), Appended::Duplicate);
        fail(&faults, None);
        assert_eq!(payloads(&*journal, "a").await, ["before"]);
    }
    assert_eq!(journal.append(page("a", "x")).await.unwrap(), Appended::New);
    assert_eq!(payloads(&*journal, "a").await, ["before", "x"]);
    drop(journal);
    let again = DiskJournal::open(folder.path()).unwrap();
    let found = payloads(&again, "a").await;
    assert!(found.contains(&"before".into()) && found.contains(&"x".into()), "{found:?}");
    assert!(again.report().damage.iter().all(|it| it.unfinished), "{:?}", again.report());
}

#[tokio::test]
async fn a_folder_that_is_gone_refuses() {
    let (folder, journal, _) = with_faults();
    journal.append(page("a", "1")).await.unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    for text in ["2", "3"] {
        let error = journal.append(page("a", text)).await.unwrap_err();
        assert!(matches!(error, JournalError::Unavailable(_)), "{error:?}");
    }
    std::fs::create_dir(folder.path()).unwrap();
    assert_eq!(journal.append(page("a", "2")).await.unwrap(), Appended::New);
}

#[tokio::test]
async fn one_process_at_a_time_and_it_says_which() {
    let (folder, journal, _) = with_faults();
    let error = DiskJournal::open(folder.path()).unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(matches!(&error, JournalError::Locked { holder: it } if *it == holder), "{error:?}");
    drop(journal);
    DiskJournal::open(folder.path()).unwrap();
}

#[tokio::test]
async fn what_cannot_be_a_journal_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = DiskJournal::open(&file).unwrap_err();
    assert!(chain(&error).contains(&*file.to_string_lossy()), "{}", chain(&error));
}

#[tokio::test]
async fn segments_follow_one_another_and_large_pages_get_room_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions::default().segment_size(64 << 10);
    let journal = options.clone().open(folder.path()).unwrap();
    // Texts that cannot be packed.
    let text = |n: u64| {
        let mut state = n + 1;
        let mut letter = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from(state >> 58).unwrap())
        };
        (0..if n == 7 { 300_000 } else { 10_000 }).map(|_| letter()).collect::<String>()
    };
    let all: Vec<String> = (0..20).map(text).collect();
    for text in &all {
        journal.append(page("a", text)).await.unwrap();
    }
    assert_eq!(payloads(&journal, "a").await, all);
    assert!(journal.check().await.unwrap().segments > 3);
    drop(journal);
    let journal = options.open(folder.path()).unwrap();
    assert_eq!(payloads(&journal, "a").await, all);
    assert_eq!(journal.report(), &journal.check().await.unwrap());
    assert_eq!(journal.report().records, 20);
}

#[tokio::test]
async fn bodies_are_compact() {
    let (_folder, journal, _) = with_faults();
    let text = r#"{"account_id":"a","profile":{"name":"customer"}}"#.repeat(1000);
    journal.append(page("a", &text)).await.unwrap();
    let bytes = journal.pull(&pull("a")).await.unwrap().unwrap().bytes;
    assert!(bytes * 10 < text.len() as u64, "{bytes} bytes for {}", text.len());
    assert_eq!(payloads(&*journal, "a").await, [text]);
}

#[tokio::test]
async fn what_is_old_goes_and_leaves_nothing_on_the_disk() {
    let (folder, journal, _) = with_faults();
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let files = files.map(|it| std::fs::read(it.unwrap().path()).unwrap());
        String::from_utf8_lossy(&files.collect::<Vec<_>>().concat()).into_owned()
    };
    journal.append(page("old", "secret-page")).await.unwrap();
    let item = Quarantined::new(None, Layer::Json, "why", payload("secret-item"));
    journal.quarantine(item).await.unwrap();
    journal.put(payload("secret-event")).await.unwrap();
    // From here on time is observed.
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    let seen = std::time::Instant::now();
    assert!(["page", "item", "event"].iter().all(|it| files().contains(&format!("secret-{it}"))));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let between = seen.elapsed();
    journal.append(page("new", "kept")).await.unwrap();
    // A reader that began before sees what it asked for, wherever it is moved meanwhile.
    let reader = journal.pages(&pull("new")).await.unwrap();
    journal.put(payload("young")).await.unwrap();
    let gone = journal.expire(between, &BTreeSet::new()).await.unwrap();
    assert_eq!((&gone.pulls[..], gone.items, gone.events), (&[pull("old")][..], 1, 1));
    assert!(!files().contains("secret"));
    assert_eq!(futures_util::StreamExt::count(reader).await, 1);
    assert_eq!(payloads(&*journal, "new").await, ["kept"]);
    assert_eq!(journal.expire(between, &BTreeSet::new()).await.unwrap(), Expired::default());
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    assert_eq!(payloads(&journal, "new").await, ["kept"]);
    assert_eq!(
        (journal.pulls().await.unwrap().len(), journal.backlog().await.unwrap().events),
        (1, 1)
    );
}

#[tokio::test]
async fn i10_debug_shows_no_payload() {
    let (_folder, journal, _) = with_faults();
    journal.append(page("a", "canary")).await.unwrap();
    assert!(!format!("{journal:?} {:?}", journal.report()).contains("canary"));
}

#[tokio::test]
async fn what_was_handed_on_stays_gone_wherever_its_records_are_moved() {
    let folder = tempfile::tempdir().unwrap();
    let open = || DiskJournal::open(folder.path()).unwrap();
    let large = "y".repeat(100) + &(0..9_000).map(|n| format!("{n:x}")).collect::<String>();
    // Each process writes a segment of its own. The first keeps pages, the second hardly anything.
    let journal = open();
    journal.put(payload("x")).await.unwrap();
    for n in 0..50 {
        journal.append(page("a", &format!("{n}{large}"))).await.unwrap();
    }
    drop(journal);
    let journal = open();
    journal.put(payload(&large)).await.unwrap();
    for event in journal.waiting(0, 9).await.unwrap() {
        journal.ack(&event).await.unwrap();
    }
    drop(journal);
    // It comes again, and is moved behind what had taken it.
    let journal = open();
    journal.put(payload("x")).await.unwrap();
    for n in 50..99 {
        journal.append(page("a", &format!("{n}{large}"))).await.unwrap();
    }
    assert!(journal.compact(50).await.unwrap() > 0);
    drop(journal);
    let journal = open();
    let waiting = journal.waiting(0, 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    journal.ack(&waiting[0]).await.unwrap();
    drop(journal);
    for share in [0, 100] {
        let journal = open();
        assert_eq!(journal.backlog().await.unwrap().events, 0);
        journal.compact(share).await.unwrap();
    }
    assert_eq!(payloads(&open(), "a").await.len(), 99);
}

#[tokio::test]
async fn what_was_handed_on_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.append(page("a", "kept")).await.unwrap();
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    for n in 0..300 {
        journal.put(payload(&n.to_string())).await.unwrap();
    }
    while let Some(event) = journal.waiting(0, 1).await.unwrap().pop() {
        journal.ack(&event).await.unwrap();
    }
    assert!(journal.compact(0).await.unwrap() > 0);
    assert_eq!(journal.check().await.unwrap().records, 1);
    assert_eq!(journal.backlog().await.unwrap().bytes, 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_any_more_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = DiskJournal::open(folder.path()).unwrap();
    for text in ["first", "second", "third"] {
        journal.put(payload(text)).await.unwrap();
    }
    let file = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
    let file = file.into_iter().find(|it| it.extension().is_some_and(|it| it == "log")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|it| it == b"second").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let waiting = journal.waiting(0, 9).await.unwrap();
    assert_eq!(
        waiting.iter().map(|it| it.event.text().as_str().to_owned()).collect::<Vec<_>>(),
        ["first", "third"]
    );
    // Not more at a time than fits into memory, and always something.
    let large = "x".repeat(1 << 20);
    for n in 0..3 {
        journal.put(payload(&format!("{n}{large}"))).await.unwrap();
    }
    assert_eq!(journal.waiting(0, 99).await.unwrap().len(), 3);
    assert_eq!(journal.waiting(waiting[1].number, 99).await.unwrap().len(), 1);
}

/// Whether a pull is old is asked where it is forgotten, and not only where it is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_kept_while_its_pull_expires_is_kept() {
    let (_folder, journal, faults) = with_faults();
    journal.append(page("old", "first")).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    faults.hold_syncs(true);
    let before = faults.syncs();
    let second = {
        let journal = std::sync::Arc::clone(&journal);
        tokio::spawn(async move { journal.append(page("old", "second")).await.unwrap() })
    };
    while faults.syncs() == before {
        tokio::task::yield_now().await;
    }
    // It is on its way, and no reader knows of it yet.
    let expiring = {
        let journal = std::sync::Arc::clone(&journal);
        tokio::spawn(async move { journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap() })
    };
    while journal.stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    faults.hold_syncs(false);
    assert_eq!(second.await.unwrap(), qopen_journal::Appended::New);
    assert_eq!(expiring.await.unwrap(), Expired::default());
    assert_eq!(payloads(&*journal, "old").await, ["first", "second"]);
    // It is forgotten when nothing comes.
    let gone = journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.pulls, [pull("old")]);
}

/// Compaction goes on between appends, and a record that is deleted meanwhile is not moved.
#[tokio::test(flavor = "multi_thread")]
async fn appends_do_not_wait_for_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions::default().segment_size(64 << 10).compaction_rate(1 << 20);
    let journal = std::sync::Arc::new(options.open(folder.path()).unwrap());
    // Half of each segment will be forgotten, and half moved.
    let noise = |n: u32| (0..1500).map(|at| format!("{:08x}", at * n + n)).collect::<String>();
    for n in 1..400 {
        let mark = if n % 2 == 0 { "kept" } else { "gone" };
        journal.append(page(mark, &noise(n))).await.unwrap();
    }
    journal.forget(&pull("gone")).await.unwrap();
    let compacting = {
        let journal = std::sync::Arc::clone(&journal);
        tokio::spawn(async move { journal.compact(0).await.unwrap() })
    };
    // At 1 MiB a second it takes a second and more.
    let mut appended = 0;
    while !compacting.is_finished() {
        journal.append(page("new", &appended.to_string())).await.unwrap();
        appended += 1;
    }
    assert!(compacting.await.unwrap() > 1 << 20);
    assert!(appended > 10, "{appended} appends in all that time");
    assert_eq!(payloads(&*journal, "new").await.len(), appended);
    assert_eq!(payloads(&*journal, "kept").await.len(), 199);
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    assert!(journal.report().damage.is_empty());
    assert_eq!(payloads(&journal, "new").await.len(), appended);
    assert_eq!(payloads(&journal, "kept").await.len(), 199);
    assert!(!journal.knows(&pull("gone")).await.unwrap());
}

/// Only a write tells whether anything can be kept; the journal tries one without a caller.
#[tokio::test]
async fn a_disk_that_takes_nothing_is_unhealthy_until_it_takes_something() {
    let (_folder, journal, faults) = with_faults();
    journal.append(page("a", "1")).await.unwrap();
    faults.fail_syncs(Some(std::io::ErrorKind::StorageFull));
    assert!(journal.append(page("a", "2")).await.is_err());
    let asked = std::time::Instant::now();
    while asked.elapsed() < Duration::from_secs(5) {
        assert!(!journal.stats().healthy);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    faults.fail_syncs(None);
    while !journal.stats().healthy {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    journal.append(page("a", "2")).await.unwrap();
    assert_eq!(payloads(&*journal, "a").await, ["1", "2"]);
}

#[tokio::test]
async fn i16_a_clock_that_is_put_right_makes_nothing_old() {
    let (folder, journal, _) = with_faults();
    let week = Duration::from_secs(7 * 24 * 3600);
    journal.put(payload("event")).await.unwrap();
    journal.append(page("a", "1")).await.unwrap();
    assert_eq!(journal.expire(week, &BTreeSet::new()).await.unwrap(), Expired::default());
    drop(journal);
    // Written by a process whose clock was 30 days behind, or ten years.
    for behind in [30, 3650] {
        amend_ages(folder.path(), |ages| {
            let wall = ages["wall_ms"].as_u64().unwrap();
            ages["wall_ms"] = (wall - behind * 24 * 3_600_000).into();
        });
        let journal = DiskJournal::open(folder.path()).unwrap();
        assert_eq!(journal.expire(week, &BTreeSet::new()).await.unwrap(), Expired::default());
        assert_eq!(journal.backlog().await.unwrap().events, 1);
    }
}

/// Writes the ages of a journal as another process could have.
fn amend_ages(folder: &Path, amend: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.join("ages.json");
    let mut kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    amend(&mut kept["ages"]);
    kept["digest"] = Digest::of(kept["ages"].to_string().as_bytes()).to_string().into();
    std::fs::write(&path, kept.to_string()).unwrap();
}

#[tokio::test]
async fn i16_ages_that_are_damaged_make_nothing_old() {
    let week = Duration::from_secs(7 * 24 * 3600);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ages.json");
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.append(page("a", "1")).await.unwrap();
    assert_eq!(journal.expire(week, &BTreeSet::new()).await.unwrap(), Expired::default());
    drop(journal);
    let amended = |key: &str, value: serde_json::Value| {
        let mut kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        kept["ages"][key] = value;
        kept.to_string()
    };
    let marks = serde_json::json!([[0, u64::MAX]]);
    let damaged = [
        amended("observed_ms", u64::MAX.into()),
        amended("marks", marks),
        amended("wall_ms", "soon".into()),
        "{}".into(),
        String::new(),
        "\u{0}".repeat(300),
    ];
    for (n, damaged) in damaged.into_iter().enumerate() {
        std::fs::write(&path, &damaged).unwrap();
        let journal = DiskJournal::open(folder.path()).unwrap();
        let gone = journal.expire(week, &BTreeSet::new()).await.unwrap();
        assert_eq!(gone, Expired::default(), "{damaged}");
        journal.append(page("b", &n.to_string())).await.unwrap();
        assert_eq!(payloads(&journal, "a").await, ["1"], "{damaged}");
    }
    // What is whole counts: a week that was observed is one.
    let journal = DiskJournal::open(folder.path()).unwrap();
    assert_eq!(journal.expire(week, &BTreeSet::new()).await.unwrap(), Expired::default());
    drop(journal);
    amend_ages(folder.path(), |ages| ages["observed_ms"] = u64::from(u32::MAX).into());
    let journal = DiskJournal::open(folder.path()).unwrap();
    let gone = journal.expire(week, &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.pulls, [pull("a"), pull("b")]);
}

/// Numbers go on where everything that had one is gone: a mark of age must not be one of what comes later.
#[tokio::test]
async fn i16_what_is_kept_after_everything_was_forgotten_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3600);
    let journal = DiskJournal::open(folder.path()).unwrap();
    for n in 0..20 {
        journal.append(page("old", &n.to_string())).await.unwrap();
    }
    let gone = journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.pulls, [pull("old")]);
    drop(journal);
    let logs = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
        files.filter(|it| it.extension().is_some_and(|it| it == "log")).count()
    };
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.compact(0).await.unwrap();
    assert_eq!(logs(), 0, "nothing is left that has a number");
    drop(journal);
    let journal = DiskJournal::open(folder.path()).unwrap();
    journal.append(page("new", "1")).await.unwrap();
    journal.put(payload("event")).await.unwrap();
    let item = Quarantined::new(None, Layer::Json, "why", payload("item"));
    journal.quarantine(item).await.unwrap();
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    assert_eq!(payloads(&journal, "new").await, ["1"]);
}

/// An event that is acknowledged while it expires is deleted once.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_taken_while_it_expires_is_let_go_of_once() {
    let (_folder, journal, faults) = with_faults();
    journal.put(payload("event")).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    let event = journal.waiting(0, 1).await.unwrap().pop().unwrap();
    faults.hold_syncs(true);
    let before = faults.syncs();
    // It is on its way to be taken when it is found to be old.
    let taking = {
        let (journal, event) = (Arc::clone(&journal), event.clone());
        tokio::spawn(async move { journal.ack(&event).await.unwrap() })
    };
    while faults.syncs() == before {
        tokio::task::yield_now().await;
    }
    let expiring = {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move { journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap() })
    };
    while journal.stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    faults.hold_syncs(false);
    taking.await.unwrap();
    // It had been acknowledged: nothing old was left to expire.
    assert_eq!(expiring.await.unwrap(), Expired::default());
}
