//! A service: each pull is claimed, followed and published, whatever goes wrong meanwhile.

mod ends;
mod kept;
mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use qopen_engine::ServiceOptions;
use qopen_journal::{EndState, Maintenance as _, Note, Noted, PullId, Started};

use crate::support::{incoming, page_of};
use scene::{Next, Scene};

const SECOND: Duration = Duration::from_secs(1);

fn list(mark: &str, revision: u32, complete: bool, accounts: usize) -> scene::List {
    (mark.to_owned(), revision, complete, accounts)
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_claimed_followed_and_published() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.followed(&id).await;
    assert_eq!(scene.service.open_pulls(), BTreeSet::from([id.clone()]));
    scene.page("m", 1, true).await;
    scene.page("m", 2, false).await;
    scene.told.wait_for("published m", 1).await;
    assert_eq!(scene.shelf.lists(), [list("m", 1, true, 2)]);
    assert_eq!(scene.requested(), ["m"]);
    assert_eq!(scene.told.texts(), ["publishing m", "published m"]);
    assert!(scene.has_noted(&id, |note| matches!(note, Note::Published { .. })).await);
    assert!(scene.service.open_pulls().is_empty());
    let mut followed = scene.service.find(&id).unwrap();
    let figures = followed.figures().unwrap();
    assert!(!followed.is_open() && figures.ended.unwrap().is_complete());
    assert_eq!(figures.progress.figures.accounts, 2);
    assert!(followed.changed().await, "the figures were not seen yet");
    assert!(!followed.changed().await, "the service has stopped following it");
}

#[tokio::test(start_paused = true)]
async fn e9_a_page_that_comes_after_a_failure_completes_the_list() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.told.wait_for("ended m: failed", 1).await;
    assert!(scene.shelf.lists().is_empty());
    scene.page("m", 1, false).await;
    scene.told.wait_for("published m", 1).await;
    assert_eq!(scene.shelf.lists(), [list("m", 1, true, 1)]);
    assert!(scene.service.find(&id).unwrap().figures().unwrap().ended.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_fails_is_repeated_after_twice_the_time_up_to_a_minute() {
    let scene = Scene::new();
    (0..8).for_each(|_| scene.shelf.then(Next::Fails));
    scene.enqueue("m").await;
    scene.page("m", 1, false).await;
    scene.told.wait_for("published m", 1).await;
    let begun = scene.told.times_of("publishing m");
    let pauses = begun.windows(2).map(|pair| (pair[1] - pair[0]).as_millis());
    // Tokio's timers have a resolution of one millisecond.
    let pauses: Vec<u128> = pauses.map(|millis| (millis + 1) / 1000).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(scene.told.times_of("not published m").len(), 8);
    assert_eq!(scene.shelf.lists(), [list("m", 1, true, 1)]);
}

#[tokio::test(start_paused = true)]
async fn one_list_at_a_time_is_published_to_a_place() {
    let scene = Scene::new();
    let (_, release) = scene.hang_at("first").await;
    let second = scene.enqueue("second").await;
    scene.page("second", 1, false).await;
    scene.followed(&second).await;
    tokio::time::sleep(60 * SECOND).await;
    assert!(!scene.service.find(&second).unwrap().is_open(), "it waits for its turn only");
    assert!(scene.told.times_of("publishing second").is_empty());
    scene.told.stop_the_clock();
    drop(release);
    scene.told.wait_for("published second", 1).await;
    assert_eq!(scene.shelf.lists(), [list("first", 1, true, 1), list("second", 1, true, 1)]);
}

#[tokio::test(start_paused = true)]
async fn e11_a_list_that_a_later_one_supersedes_is_not_published() {
    let scene = Scene::new();
    let first = scene.enqueue("first").await;
    scene.followed(&first).await;
    scene.enqueue("second").await;
    scene.page("second", 1, false).await;
    scene.told.wait_for("published second", 1).await;
    scene.page("first", 1, false).await;
    scene.told.wait_for("not published first for good", 1).await;
    tokio::time::sleep(3600 * SECOND).await;
    assert_eq!(scene.told.times_of("publishing first").len(), 1, "once is enough");
    assert!(scene.state(&first).await.is_superseded());
    assert_eq!(scene.shelf.lists(), [list("second", 1, true, 1)]);
}

#[tokio::test(start_paused = true)]
async fn i6_a_late_page_makes_a_revision_that_is_published() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.followed(&id).await;
    scene.page("m", 1, false).await;
    scene.told.wait_for("published m", 1).await;
    scene.page("m", 2, true).await;
    scene.told.wait_for("published m", 2).await;
    assert_eq!(scene.shelf.lists(), [list("m", 1, true, 1), list("m", 2, true, 2)]);
    assert_eq!(scene.requested(), ["m"], "nothing is requested again");
}

#[tokio::test(start_paused = true)]
async fn a_list_without_a_place_stays_in_the_journal() {
    let scene = Scene::new();
    for (mark, told) in [
        ("nowhere", vec!["ended nowhere: complete"]),
        ("refused", vec!["refused refused: the shelf is too short", "ended refused: complete"]),
    ] {
        let id = scene.enqueue_with(mark, |request| request.label(mark)).await;
        scene.page(mark, 1, false).await;
        scene.told.wait_for(told.last().unwrap(), 1).await;
        let texts = scene.told.texts();
        assert_eq!(texts[texts.len() - told.len()..], told);
        assert_eq!(scene.state(&id).await.pages, 1);
        assert!(scene.state(&id).await.ended().is_some());
    }
    assert!(scene.shelf.lists().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_another_system_requested_is_collected() {
    let scene = Scene::new();
    scene.engine.accept(incoming(page_of("theirs", 1, false))).await.unwrap();
    scene.told.wait_for("published theirs", 1).await;
    assert_eq!(scene.told.texts(), ["external theirs", "publishing theirs", "published theirs"]);
    assert!(scene.requested().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_allowance_of_the_service_is_the_least_that_each_list_has() {
    let options = ServiceOptions::default().allow_unidentified(2);
    let scene = Scene::on(Default::default(), Default::default(), options);
    for (asked, has) in [(0, 2), (5, 5)] {
        let mark = format!("allows-{asked}");
        let id = scene.enqueue_with(&mark, |request| request.allow_unidentified(asked)).await;
        let state = scene.state(&id).await;
        assert_eq!(state.started().unwrap().1.allow_unidentified, has);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_in_the_journal_is_requeued() {
    let scene = Scene::new();
    // As a journal of an earlier process has it: no worker is told of what is restored.
    let restore = async |mark: &str, notes: &[Note]| {
        let id = PullId { mark_id: mark.parse().unwrap(), ..crate::support::id() };
        for note in notes {
            let noted = Noted { at: std::time::SystemTime::now(), note: note.clone() };
            scene.journal.restore(&id, noted).await.unwrap();
        }
        id
    };
    let ended = |status: EndState| Note::Ended {
        status,
        why: String::new(),
        accounts: 0,
        pages: 0,
        evidence: None,
        reason: None,
    };
    let started = Note::Started(Started::new(SECOND, 60 * SECOND, 600 * SECOND));
    let open = restore("open", &[started.clone(), Note::Requested]).await;
    restore("unpublished", &[started.clone(), ended(EndState::Complete)]).await;
    let failed = restore("failed", &[started, ended(EndState::Failed)]).await;
    tokio::time::sleep(10 * SECOND).await;
    assert!(scene.service.find(&open).is_none(), "nothing says that it is wanted");
    assert_eq!(scene.service.requeue_unfinished().await.unwrap(), 1);
    scene.told.wait_for("published unpublished", 1).await;
    scene.followed(&open).await;
    assert_eq!(scene.service.requeue_unfinished().await.unwrap(), 0, "it is followed");
    assert!(scene.service.find(&failed).is_none());
}
