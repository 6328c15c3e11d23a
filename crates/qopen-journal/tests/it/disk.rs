//! What only the journal on disk does: sharing syncs, waiting for them, failing and going on.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::Maintenance as _;
use qopen_journal::{
    Appended, DiskJournal, DiskOptions, Expired, Faults, Journal, JournalError, Layer, Note,
    Outbox, Quarantined,
};
use tempfile::TempDir;

use crate::support::{page, payload, payloads, pull};

pub(crate) fn with_faults() -> (TempDir, Arc<DiskJournal>, Faults) {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let options = DiskOptions::default().faults(faults.clone());
    let journal = options.open(folder.path()).unwrap();
    (folder, Arc::new(journal), faults)
}

pub(crate) fn chain(error: &JournalError) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out = format!("{out}: {error}");
        cause = error.source();
    }
    out
}

pub(crate) async fn until(mut done: impl FnMut() -> bool) {
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
