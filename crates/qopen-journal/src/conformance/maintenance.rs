//! Expiry, checks and figures.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::claim_queue::claim_for;
use super::subject::{Subject, page, payload, pull};
use crate::{Expired, Fencing, Layer, Note, Noted, Quarantined, Store};

/// Pulls that were noted long ago, as a copied journal has them.
async fn restore(journal: &dyn Store, marks: &[&str]) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    for mark in marks {
        let noted = Noted { at, note: Note::Resumed };
        journal.restore(&pull(mark), noted.clone()).await.unwrap();
        assert_eq!(journal.pull(&pull(mark)).await.unwrap().unwrap().notes, [noted]);
    }
}

pub(super) async fn restored_notes_keep_their_time(Subject { journal, .. }: Subject) {
    restore(&*journal, &["old"]).await;
}

pub(super) async fn a_summary_counts_pulls(Subject { journal, .. }: Subject) {
    restore(&*journal, &["old"]).await;
    journal.append(page("new", "x")).await.unwrap();
    let item = Quarantined::new(Some(pull("new")), Layer::Shape, "why", payload("?"));
    journal.quarantine(item).await.unwrap();
    let summary = journal.summary().await.unwrap();
    assert_eq!((summary.pulls, summary.quarantined), (2, 1));
    journal.forget(&pull("new")).await.unwrap();
    let summary = journal.summary().await.unwrap();
    assert_eq!((summary.pulls, summary.quarantined), (1, 0));
}

pub(super) async fn a_clock_makes_no_record_old(Subject { journal, .. }: Subject) {
    restore(&*journal, &["old"]).await;
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.expire(hour, &BTreeSet::new()).await.unwrap(), Expired::default());
    assert!(journal.knows(&pull("old")).await.unwrap());
}

pub(super) async fn old_pulls_expire_unless_spared_or_claimed(Subject { journal, .. }: Subject) {
    restore(&*journal, &["old", "spared"]).await;
    let spare = BTreeSet::from([pull("spared")]);
    journal.append(page("claimed", "x")).await.unwrap();
    let lease = Duration::from_secs(3600);
    let claim = claim_for(&*journal, "a", lease).await;
    assert_eq!(claim.pull, pull("claimed"));
    let gone = journal.expire(Duration::ZERO, &spare).await.unwrap();
    assert_eq!(gone.pulls, [pull("old")]);
    assert_eq!(journal.complete(&claim).await.unwrap(), Fencing::Held);
    let state = journal.pull(&pull("claimed")).await.unwrap().unwrap();
    assert_eq!((state.pages, journal.pulls().await.unwrap().len()), (1, 2));
    let gone = journal.expire(Duration::ZERO, &spare).await.unwrap();
    assert_eq!(gone.pulls, [pull("claimed")]);
    assert!(!journal.knows(&pull("claimed")).await.unwrap());
    assert!(journal.knows(&pull("spared")).await.unwrap());
}

pub(super) async fn a_check_reads_everything(Subject { journal, .. }: Subject) {
    restore(&*journal, &["old"]).await;
    journal.forget(&pull("old")).await.unwrap();
    journal.compact(0).await.unwrap();
    for text in ["x", "y"] {
        journal.append(page("last", text)).await.unwrap();
    }
    let report = journal.check().await.unwrap();
    assert!(report.damage.is_empty() && report.records >= 2, "{report:?}");
    assert!(journal.stats().healthy && journal.stats().records >= 2);
}
