//! The client over the journal on disk: it acknowledges nothing before the sync, and loses nothing
//! that it acknowledged.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::http::Forwarder;
use qopen::journal::{
    Changes, DiskJournal, DiskOptions, EndState, Faults, Journal, Note, PageRecord, Payload,
    PullId, Started,
};
use qopen::sink::{FileSink, Format, ListKind};
use qopen::{Client, Outcome, PublishError, PullError, PullRequest, Status, publish};
use qopen_simulator::{Chance, Dataset, ErrorFault, Schedule};

use crate::harness::{Harness, ROBOT, robot, timing, written};

fn open(folder: &Path, faults: &Faults) -> Arc<DiskJournal> {
    Arc::new(DiskOptions::default().faults(faults.clone()).open(folder).unwrap())
}

fn small() -> Schedule {
    Schedule { accounts: 60, page_size: 10, max_attempts: 500, ..Schedule::default() }
}

async fn client_without_platform(journal: Arc<DiskJournal>) -> Client {
    let sender = qopen::http::Sender::builder("http://127.0.0.1:9").access_token("token");
    let builder = Client::builder(sender.build().unwrap(), crate::harness::ring());
    builder.timing(timing()).journal(journal).build().unwrap()
}

fn id() -> PullId {
    PullId { robot_id: robot(), mark_id: "mark".parse().unwrap() }
}

fn started() -> Note {
    let timing = timing();
    Note::Started(Started::new(timing.settle, timing.idle_timeout, timing.deadline))
}

/// Every page of the schedule's list, as a platform would send it.
fn pages(schedule: &Schedule) -> Vec<PageRecord> {
    let pages = Dataset::new(schedule, &robot(), false).pages(&id().mark_id);
    pages.into_iter().map(|it| PageRecord::new(id(), Payload::new(it.payload))).collect()
}

/// Keeps a pull with all of its pages but the first, and returns that one.
async fn all_but_one(journal: &DiskJournal) -> PageRecord {
    journal.note(&id(), started()).await.unwrap();
    let mut all = pages(&small());
    let late = all.remove(0);
    for page in all {
        journal.append(page).await.unwrap();
    }
    late
}

async fn outcome(client: &Client) -> Outcome {
    let pull = client.resume(&id()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), pull.outcome()).await.expect("it ends").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_no_success_leaves_while_the_sync_is_held_back() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let journal = open(folder.path(), &faults);
    let harness = Harness::start_with(small(), |builder| {
        builder.journal(journal).timing(timing().idle_timeout(Duration::from_secs(30)))
    })
    .await;
    harness.door.send_replace(false);
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    faults.hold_syncs(true);
    harness.door.send_replace(true);
    while pull.progress().await.unwrap().figures.owed_pages < 4 {}
    assert_eq!(harness.client.stats().receiver().accepted(), 0);
    assert_eq!(harness.simulator.counts().acknowledged, 0);
    faults.hold_syncs(false);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(harness.simulator.counts().acknowledged, 6);
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let journal = open(folder.path(), &faults);
    let harness = Harness::start_with(small(), |builder| builder.journal(journal)).await;
    harness.door.send_replace(false);
    let mut pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    faults.fail_writes(Some(ErrorKind::StorageFull));
    harness.door.send_replace(true);
    // The pull waits, and says what for.
    while pull.progress().await.unwrap().figures.owed_pages < 4 {}
    assert_eq!(harness.simulator.counts().acknowledged, 0);
    faults.fail_writes(None);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_now_and_then_costs_nothing() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let journal = open(folder.path(), &faults);
    let schedule =
        Schedule { accounts: 600, max_delay_ms: 30, duplicates: Chance::new(50), ..small() };
    let harness = Harness::start_with(schedule, |builder| builder.journal(journal)).await;
    let pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    let fails = tokio::spawn(async move {
        for n in 0..30 {
            let fail = (n % 3 != 2).then_some(ErrorKind::StorageFull);
            if n % 2 == 0 {
                faults.fail_writes(fail)
            } else {
                faults.fail_syncs(fail)
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        faults.fail_writes(None);
        faults.fail_syncs(None);
    });
    let outcome = pull.outcome().await.unwrap();
    fails.await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
    // The next process finds the same.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let found = DiskJournal::open(copy.path()).unwrap();
    assert!(found.report().damage.iter().all(|it| it.unfinished), "{:?}", found.report());
    assert_eq!(found.pull(outcome.list.id()).await.unwrap().unwrap().pages, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_goes_on_from_what_another_process_has_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    journal.note(&id(), Note::Accepted { serial_no: None }).await.unwrap();
    let mut all = pages(&small());
    let last = all.remove(2);
    for page in all {
        journal.append(page).await.unwrap();
    }
    // One page is in flight; it comes when the pull is open again.
    let client = client_without_platform(Arc::clone(&journal)).await;
    let pull = client.resume(&id()).await.unwrap();
    assert!(matches!(client.resume(&id()).await, Err(PullError::Start(_))));
    assert!(post(&client, &text(&last)).await);
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    let expected = Dataset::new(&small(), &robot(), false).expected();
    assert_eq!(written(&outcome).await.0, expected);
    drop((client, outcome));

    // The resumed pull is complete at once, and one more page makes one more revision.
    let client = client_without_platform(Arc::clone(&journal)).await;
    let first = outcome_now(&client).await;
    assert_eq!((first.progress.figures.revision, first.progress.figures.accounts), (1, 60));
    // A page that is kept while the list is published is not published with it.
    let more = Schedule { seed: 2, accounts: 61, ..small() };
    journal.append(pages(&more).remove(6)).await.unwrap();
    let (list, published) = written(&first).await;
    assert_eq!((list, published.lists[0].revision), (expected, 1));
    assert!(journal.pull(&id()).await.unwrap().unwrap().has_newer_pages());
    drop(first);
    // Other contents of a known customer: of several, one is sure to win.
    let known = pages(&small()).remove(0);
    for n in 0..20 {
        let other = text(&known).replacen("\"name\":\"", &format!("\"name\":\"{n}"), 1);
        assert_ne!(other, text(&known));
        journal.append(PageRecord::new(id(), Payload::new(other))).await.unwrap();
    }
    let client = client_without_platform(Arc::clone(&journal)).await;
    let second = outcome_now(&client).await;
    assert!(second.progress.figures.revising && second.progress.figures.revision == 1);
    // Late pages make a revision when no more come.
    second.list.settled().await;
    let second = second.refreshed();
    assert_eq!((second.progress.figures.revision, second.progress.figures.accounts), (2, 61));
    let (_, published) = written(&second).await;
    assert_eq!(published.lists[0].changes, Some(Changes { added: 1, changed: 1 }));
    let state = journal.pull(&id()).await.unwrap().unwrap();
    let ends = state.notes.iter().filter(|it| matches!(it.note, Note::Ended { .. })).count();
    assert_eq!(ends, 1, "what has ended does not end again");
    assert!(!state.has_newer_pages());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_published_is_not_published_otherwise_under_the_same_number() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    let late = all_but_one(&journal).await;
    let (status, why) = (EndState::Complete, String::new());
    let ended = Note::Ended { status, why, accounts: 50, pages: 5 };
    journal.note(&id(), ended).await.unwrap();
    // The process died before it could note that it had published the list.
    let client = client_without_platform(Arc::clone(&journal)).await;
    assert_eq!(outcome_now(&client).await.progress.figures.revision, 1);
    drop(client);
    journal.append(late).await.unwrap();
    let client = client_without_platform(Arc::clone(&journal)).await;
    let outcome = outcome_now(&client).await;
    outcome.list.settled().await;
    let outcome = outcome.refreshed();
    assert_eq!(outcome.progress.figures.revision, 2);
    assert_eq!(written(&outcome).await.0.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_revision_never_has_less_than_what_it_revises() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    let late = all_but_one(&journal).await;
    let client = client_without_platform(Arc::clone(&journal)).await;
    let outcome = outcome(&client).await;
    assert_eq!(written(&outcome).await.0.len(), 50);
    // The journal's owner has deleted the pages, and the client was not told.
    journal.forget(&id()).await.unwrap();
    assert!(post(&client, &text(&late)).await);
    assert_eq!(outcome.list.revised_after(1).await, Some(2));
    let sink = Arc::new(FileSink::new(folder.path().join("list"), Format::Jsonl));
    let published = publish(vec![outcome.list], sink, ListKind::Complete).await;
    assert!(matches!(published, Err(PublishError::PagesMissing { expected: 50, found: 10 })));
}

async fn outcome_now(client: &Client) -> Outcome {
    let began = Instant::now();
    let outcome = outcome(client).await;
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert!(began.elapsed() < timing().settle, "it was complete before");
    outcome
}

/// Posts a sealed payload, as the platform does; returns whether the answer is `success`.
async fn post(client: &Client, payload: &str) -> bool {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let router = client.callback_router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let envelope = crate::harness::ring().seal(payload, "nonce", 1);
    let body = serde_json::to_vec(&envelope).unwrap();
    let answer = Forwarder::new(&url).unwrap().forward(&body).await;
    server.abort();
    answer.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_never_seen_is_sent_again_under_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    let harness =
        Harness::start_with(small(), |builder| builder.journal(Arc::clone(&journal) as _)).await;
    let outcome = outcome(&harness.client).await;
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    assert_eq!(outcome.list.id(), &id());
    assert_eq!(harness.simulator.counts().requests, 1);
    assert_eq!(written(&outcome).await.0, harness.dataset().expected());
    drop((outcome, harness));

    // An accepted request is not sent again, whatever came of it.
    let accepted = PullId { mark_id: "other".parse().unwrap(), ..id() };
    let mut quick = Started::new(timing().settle, Duration::from_millis(300), timing().deadline);
    quick.label = Some("where".into());
    journal.note(&accepted, Note::Started(quick)).await.unwrap();
    journal.note(&accepted, Note::Accepted { serial_no: None }).await.unwrap();
    let harness = Harness::start_with(small(), |builder| builder.journal(journal)).await;
    let outcome = harness.client.resume(&accepted).await.unwrap().outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::NoCallback), "{:?}", outcome.status);
    assert_eq!(harness.simulator.counts().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_was_reported_before_the_crash_ends_the_pull_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    let (code, message) = (40_001, "the robot is offline".to_owned());
    journal
        .note(&id(), Note::Reported { code, message, digest: None, signed_at: None })
        .await
        .unwrap();
    let client = client_without_platform(Arc::clone(&journal)).await;
    let ended = outcome(&client).await;
    assert!(matches!(ended.status, Status::Reported { code: 40_001, .. }), "{:?}", ended.status);

    // The receiver notes it.
    let error = ErrorFault { code: 7, message: "no".into(), with_data: true, after_pages: 1 };
    let schedule = Schedule { error: Some(error), ..small() };
    let harness =
        Harness::start_with(schedule, |builder| builder.journal(Arc::clone(&journal) as _)).await;
    let ended = harness.pull().await;
    assert!(matches!(ended.status, Status::Reported { code: 7, .. }), "{:?}", ended.status);
    let state = journal.pull(ended.list.id()).await.unwrap().unwrap();
    assert_eq!(state.reported(), Some((7, "no")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_in_the_journal_stands_against_completeness() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    let all = pages(&small());
    for page in &all {
        journal.append(page.clone()).await.unwrap();
    }
    drop(journal);
    let file = folder.path().join("00000001.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let journal = open(folder.path(), &Faults::default());
    let client = client_without_platform(Arc::clone(&journal)).await;
    let ended = outcome(&client).await;
    assert!(matches!(ended.status, Status::Incomplete(_)), "{:?}", ended.status);
    drop((ended, client));
    // The platform, or a capture, still has it: then nothing is missing.
    for page in all {
        journal.append(page).await.unwrap();
    }
    let client = client_without_platform(journal).await;
    let ended = outcome(&client).await;
    assert!(matches!(ended.status, Status::Complete(_)), "{:?}", ended.status);
    assert_eq!(written(&ended).await.0, Dataset::new(&small(), &robot(), false).expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_the_journal_knows_are_not_used_again_and_strange_ones_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    let client = client_without_platform(journal).await;
    let again = PullRequest::new(ROBOT.parse().unwrap()).mark_id(id().mark_id);
    assert!(matches!(client.pull(again).await, Err(PullError::InJournal)));
    let strange = PullId { mark_id: "strange".parse().unwrap(), ..id() };
    assert!(matches!(client.resume(&strange).await, Err(PullError::NotInJournal)));
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_page_of_a_pull_that_is_not_under_way_is_kept_where_the_journal_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    let client = client_without_platform(Arc::clone(&journal)).await;
    let page = pages(&small()).remove(0);
    assert!(post(&client, &text(&page)).await);
    assert_eq!(journal.pull(&id()).await.unwrap().unwrap().pages, 1);
    let stranger = text(&page).replace("\"mark\"", "\"another\"");
    assert!(post(&client, &stranger).await);
    assert_eq!(journal.pulls().await.unwrap().len(), 1);
    assert_eq!(client.stats().engine().unknown_marks(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_pull_that_was_let_go_is_a_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    let late = all_but_one(&journal).await;
    let client = client_without_platform(Arc::clone(&journal)).await;
    let pull = client.resume(&id()).await.unwrap();
    assert!(matches!(client.forget(&id()).await, Err(PullError::UnderWay)));
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)), "{:?}", outcome.status);
    client.forget(&id()).await.unwrap();
    assert!(post(&client, &text(&late)).await);
    assert_eq!(journal.pulls().await.unwrap(), []);
    assert_eq!(client.stats().engine().unknown_marks(), 1);
    // The name is free again.
    client.forget(&id()).await.unwrap();
    let again = PullRequest::new(robot()).mark_id(id().mark_id);
    client.pull(again).await.unwrap().cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_page_or_a_report_of_a_pull_that_is_not_under_way_is_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    journal.append(pages(&small()).pop().unwrap()).await.unwrap();
    let client = client_without_platform(Arc::clone(&journal)).await;
    let unreadable = format!(
        r#"{{"event_type":42016,"err_code":0,"robot_id":"{ROBOT}","data":{{"mark_id":"mark","has_more":true,"account_list":7}}}}"#
    );
    assert!(post(&client, &unreadable).await);
    assert_eq!(journal.pull(&id()).await.unwrap().unwrap().quarantined, 1);
    // The last page is there, and the list is not complete: one of its pages is unread.
    let ended = outcome(&client).await;
    assert!(matches!(ended.status, Status::Incomplete(_)), "{:?}", ended.status);

    let other = PullId { mark_id: "other".parse().unwrap(), ..id() };
    journal.note(&other, started()).await.unwrap();
    let report = format!(
        r#"{{"event_type":42016,"err_code":9,"err_msg":"no","robot_id":"{ROBOT}","data":{{"mark_id":"other"}}}}"#
    );
    assert!(post(&client, &report).await);
    let ended = client.resume(&other).await.unwrap().outcome().await.unwrap();
    assert!(matches!(ended.status, Status::Reported { code: 9, .. }), "{:?}", ended.status);
    assert!(post(&client, &report.replace("other", "strange")).await);
    assert_eq!(journal.pulls().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_left_is_sent_when_the_pull_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    let client = client_without_platform(Arc::clone(&journal)).await;
    let request = PullRequest::new(robot()).mark_id(id().mark_id);
    let ended = client.pull(request).await.unwrap().outcome().await.unwrap();
    assert!(matches!(ended.status, Status::NotSent(_)), "{:?}", ended.status);
    drop((ended, client));
    let harness = Harness::start_with(small(), |builder| builder.journal(journal)).await;
    let ended = outcome(&harness.client).await;
    assert!(matches!(ended.status, Status::Complete(_)), "{:?}", ended.status);
    assert_eq!(harness.simulator.counts().requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_up_may_be_given_up_at_any_point_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &Faults::default());
    journal.note(&id(), started()).await.unwrap();
    journal.note(&id(), Note::Accepted { serial_no: None }).await.unwrap();
    for page in pages(&small()) {
        journal.append(page).await.unwrap();
    }
    // Polled this often and then dropped: before it returns a handle, or with one just made.
    for polls in 0..5 {
        let client = client_without_platform(Arc::clone(&journal)).await;
        let id = id();
        let mut resume = Box::pin(client.resume(&id));
        for _ in 0..polls {
            let ready = std::future::poll_fn(|context| {
                std::task::Poll::Ready(resume.as_mut().poll(context).is_ready())
            });
            if ready.await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let client = client_without_platform(journal).await;
    let ended = outcome(&client).await;
    assert!(matches!(ended.status, Status::Complete(_)), "{:?}", ended.status);
}

fn text(page: &PageRecord) -> String {
    page.payload.text().as_str().to_owned()
}
