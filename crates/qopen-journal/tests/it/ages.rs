//! Ages in the journal on disk: no clock makes anything old.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use qopen_journal::{DiskJournal, Expired, Journal, Layer, Maintenance as _, Outbox, Quarantined};
use qopen_types::Digest;

use crate::disk::with_faults;
use crate::support::{page, payload, payloads, pull};

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
