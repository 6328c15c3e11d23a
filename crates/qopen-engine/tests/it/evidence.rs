//! What an engine makes of payloads that are no plain pages.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qopen_assembler::Failure;
use qopen_engine::{Accepted, NotKept, RefusalCount, RefusalSource, Refused, Status, export};
use qopen_journal::{DiskJournal, Journal as _, MemoryJournal, Payload};
use qopen_sink::{FileSink, Format};
use qopen_types::EventType;
use tokio::time::Instant;

use crate::support::{builder, engine_on, id, incoming, page, page_of, request, still};

#[tokio::test(start_paused = true)]
async fn what_is_not_the_engines_is_named_and_not_kept() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = builder().journal(Arc::clone(&journal) as _).return_external_pages(true);
    let engine = engine.build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let other = engine.accept(incoming(r#"{"event_type":20001,"text":"hello"}"#)).await.unwrap();
    assert_eq!(other, Accepted::Other(EventType::Code(20001)));
    let external = engine.accept(incoming(page_of("another-mark", 1, false))).await.unwrap();
    assert!(
        matches!(external, Accepted::External(pull) if pull.mark_id.as_str() == "another-mark")
    );
    assert_eq!(engine.stats().unknown_marks(), 1);
    engine.accept(page(1, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete(), "neither is evidence");
    assert!(journal.quarantined(None).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_systems_pulls_are_kept_up_to_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(DiskJournal::open(folder.path()).unwrap());
    let engine = engine_on(&journal);
    let large = |mark: usize| {
        let account = "a".repeat(15 << 20);
        page_of(&format!("another-mark-{mark}"), 1, false).replace("a001", &account)
    };
    for mark in 0..4 {
        let accepted = engine.accept(incoming(large(mark))).await.unwrap();
        assert_eq!(accepted, Accepted::Quarantined);
    }
    let refused = engine.accept(incoming(large(4))).await.unwrap_err();
    assert!(matches!(refused, NotKept::Declined), "{refused}");
    assert_eq!(journal.quarantined(None).await.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn e1_e2_what_no_key_opens_is_kept_and_stands_against_open_pulls() {
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine_on(&journal);
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, false)).await.unwrap();
    let content = Payload::new("not to be opened");
    let accepted = engine.intake().accept_undecrypted(content.clone(), "no key".into()).await;
    assert_eq!(accepted.unwrap(), Accepted::Quarantined);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Incomplete(_)), "{}", outcome.status);
    let kept = journal.quarantined(Some(&id())).await.unwrap();
    assert_eq!((kept.len(), kept[0].payload == content), (1, true));
}

#[tokio::test(start_paused = true)]
async fn e5_an_account_without_a_readable_id_counts_against_completeness_unless_allowed() {
    let nameless = (0..10).map(|number| format!(r#"{{"account_id":[{number}]}}"#));
    let nameless = nameless.collect::<Vec<_>>().join(",");
    let nameless = page_of("mark", 1, true).replace(r#"{"account_id":"a001"}"#, &nameless);
    for (allowed, complete) in [(0, false), (9, false), (10, true)] {
        let engine = builder().build().unwrap();
        let pull = engine.pull(request().allow_unidentified(allowed)).await.unwrap();
        let began = Instant::now();
        assert_eq!(engine.accept(incoming(nameless.clone())).await.unwrap(), Accepted::Page);
        engine.accept(page(2, false)).await.unwrap();
        let outcome = pull.outcome().await.unwrap();
        match outcome.status {
            Status::Complete(basis) => assert_eq!((basis.unidentified, complete), (10, true)),
            Status::Incomplete(ref failure) => {
                assert_eq!(*failure, Failure::UnidentifiedAccounts { accounts: 10 });
                assert!(!complete, "{allowed}");
            }
            other => panic!("{other}"),
        }
        assert_eq!(began.elapsed().as_secs(), if complete { 1 } else { 60 });
        let folder = tempfile::tempdir().unwrap();
        let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
        let published = still(outcome.publish(sink)).await.unwrap();
        let list = &published.lists[0];
        assert_eq!((list.accounts, list.quarantined), (1, 10));
    }
}

#[tokio::test(start_paused = true)]
async fn e1_a_broken_page_is_set_aside_whole_beside_what_could_be_read() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, false)).await.unwrap();
    let broken = page_of("mark", 2, true).replace(r#"[{"account_id":"a002"}]"#, r#""not a list""#);
    assert_eq!(engine.accept(incoming(broken)).await.unwrap(), Accepted::Quarantined);
    let outcome = pull.outcome().await.unwrap();
    let Status::Incomplete(Failure::UnreadablePages) = outcome.status else {
        panic!("{outcome:?}")
    };
    assert_eq!((outcome.progress.figures.pages, outcome.progress.figures.unreadable_pages), (1, 1));
    assert_eq!(engine.stats().unreadable_pages(), 1);
    let folder = tempfile::tempdir().unwrap();
    let sink = |name| Arc::new(FileSink::new(folder.path().join(name), Format::Jsonl));
    let published = still(outcome.publish(sink("published"))).await.unwrap();
    assert_eq!((published.lists[0].accounts, published.lists[0].quarantined), (1, 1));
    // A list that is read once has it, too.
    let read = still(export(vec![outcome.list], sink("read"))).await.unwrap();
    let lines: Vec<String> = read.quarantine.into_lines().unwrap().map(Result::unwrap).collect();
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["reason"], "account_list: expected a list, found a string");
    assert_eq!(line["raw"]["data"]["account_list"], "not a list");
}

#[tokio::test(start_paused = true)]
async fn e3_a_refusal_is_no_quiet_even_at_the_moment_of_settling() {
    let complete_after = async |refused_at: &[Duration]| {
        let refusals = RefusalCount::default();
        let engine = builder().refusals(Arc::new(refusals.clone())).build().unwrap();
        let pull = engine.pull(request()).await.unwrap();
        engine.accept(page(1, false)).await.unwrap();
        let began = Instant::now();
        for at in refused_at {
            tokio::time::sleep_until(began + *at).await;
            refusals.note();
        }
        let outcome = pull.outcome().await.unwrap();
        let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
        (began.elapsed().as_secs(), basis.refusals)
    };
    let millis = Duration::from_millis;
    assert_eq!(complete_after(&[]).await, (1, 0));
    assert_eq!(complete_after(&[millis(1)]).await, (60, 1));
    assert_eq!(complete_after(&[millis(999)]).await, (60, 1));
    assert_eq!(complete_after(&[millis(1), millis(2), millis(500)]).await, (60, 3));
}

/// A source of refusals that never wakes the driver.
struct Silent(RefusalCount);

#[async_trait]
impl RefusalSource for Silent {
    fn refused(&self) -> Refused {
        self.0.refused()
    }

    async fn more_than(&self, _: u64) {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn e3_the_driver_reads_the_refusals_before_anything_settles() {
    let refusals = RefusalCount::default();
    let engine = builder().refusals(Arc::new(Silent(refusals.clone()))).build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    engine.accept(page(1, false)).await.unwrap();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    refusals.note();
    let outcome = pull.outcome().await.unwrap();
    let Status::Complete(basis) = outcome.status else { panic!("{}", outcome.status) };
    assert_eq!((began.elapsed().as_secs(), basis.refusals), (60, 1));
}

#[tokio::test(start_paused = true)]
async fn e7_an_error_report_counts_against_a_pull_that_was_requested_before() {
    let engine = builder().build().unwrap();
    let pull = engine.pull(request()).await.unwrap();
    let report = r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"robot"}"#;
    let early = incoming(report).signed_at(Some(1));
    assert_eq!(engine.accept(early).await.unwrap(), Accepted::Report);
    assert_eq!(engine.stats().stray_reports(), 1);
    assert_eq!(engine.accept(incoming(report)).await.unwrap(), Accepted::Report);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Reported { code: 7, .. }), "{}", outcome.status);
}

#[tokio::test(start_paused = true)]
async fn i10_what_is_shown_of_a_payload_is_its_length() {
    let shown = format!("{:?}", incoming(page_of("secret-mark", 1, true)));
    assert!(!shown.contains("secret") && shown.contains("bytes"), "{shown}");
}
