//! The client over the journal on disk: nothing acknowledged before it is synced, and nothing that
//! was acknowledged lost.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qopen::http::Forwarder;
use qopen::journal::{
    DiskJournal, DiskOptions, Faults, Journal, Note, PageRecord, Payload, PullId, Started,
};
use qopen::{Client, Outcome, PullError, PullRequest, Status};
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

/// Every page of the schedule's list, as a platform would have sent it.
fn pages(schedule: &Schedule) -> Vec<PageRecord> {
    let pages = Dataset::new(schedule, &robot(), false).pages(&id().mark_id);
    pages.into_iter().map(|it| PageRecord::new(id(), Payload::new(it.payload))).collect()
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
    // The pull waits, and says for what.
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
    // As the next process would find it.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let found = DiskJournal::open(copy.path()).unwrap();
    assert!(found.report().damage.iter().all(|it| it.unfinished), "{:?}", found.report());
    assert_eq!(found.pull(outcome.list.id()).await.unwrap().unwrap().pages, 60);
}

/// Posts a payload as the platform does, sealed; true where the answer is `success`.
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

    // And it is the receiver that notes it.
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
    // No page comes over the network: what is kept is complete, or not, after a short silence.
    let idle = Duration::from_millis(100);
    let quick = Started::new(idle, idle, timing().deadline);
    journal.note(&id(), Note::Started(quick)).await.unwrap();
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

fn text(page: &PageRecord) -> String {
    page.payload.text().as_str().to_owned()
}
