//! Pulls that are ended, resumed and deleted, and services that stop.

use qopen_engine::{PullError, ServiceOptions};
use qopen_journal::{Journal as _, Note};

use tokio::time::Instant;

use super::scene::Scene;
use super::{SECOND, list};

#[tokio::test(start_paused = true)]
async fn a_cancelled_pull_ends_with_what_there_is() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.page("m", 1, true).await;
    scene.followed(&id).await;
    let asked = Instant::now();
    scene.service.cancel(&id).await.unwrap();
    scene.told.wait_for("published m", 1).await;
    assert_eq!(scene.told.times_of("publishing m"), [asked], "at once");
    assert_eq!(scene.shelf.lists(), [list("m", 0, false, 1)], "a partial list");
    assert!(scene.has_noted(&id, |note| *note == Note::CancelRequested).await);
    let empty = scene.enqueue("empty").await;
    scene.followed(&empty).await;
    scene.service.cancel(&empty).await.unwrap();
    scene.told.wait_for("ended empty: incomplete", 1).await;
    assert_eq!(scene.shelf.lists().len(), 1, "nothing came, so that nothing is published");
}

#[tokio::test(start_paused = true)]
async fn an_open_pull_is_deleted_without_a_list() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.page("m", 1, true).await;
    scene.followed(&id).await;
    assert!(matches!(scene.service.purge(&id).await, Err(PullError::UnderWay)));
    assert!(scene.service.end_unpublished(&id).await.unwrap());
    assert!(scene.service.purge(&id).await.unwrap());
    assert_eq!(scene.journal.pull(&id).await.unwrap(), None);
    assert!(scene.service.find(&id).is_none());
    // Its names are free for another pull, whose list is published.
    scene.enqueue("m").await;
    scene.page("m", 2, false).await;
    scene.told.wait_for("published m", 1).await;
    assert_eq!(scene.shelf.lists(), [list("m", 1, true, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_waits_for_a_publication_to_its_place() {
    let scene = Scene::new();
    let (id, release) = scene.hang_at("m").await;
    let began = Instant::now();
    assert!(!scene.service.purge(&id).await.unwrap());
    assert_eq!(began.elapsed().as_secs(), 5);
    scene.told.stop_the_clock();
    drop(release);
    scene.told.wait_for("published m", 1).await;
    assert!(scene.service.purge(&id).await.unwrap());
    assert_eq!(scene.journal.pull(&id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_pull_is_published_again_or_waits_for_what_is_missing() {
    let scene = Scene::new();
    let complete = scene.enqueue("complete").await;
    scene.page("complete", 1, false).await;
    scene.told.wait_for("published complete", 1).await;
    scene.service.resume(&scene.state(&complete).await).await.unwrap();
    scene.told.wait_for("published complete", 2).await;
    assert_eq!(scene.shelf.lists(), [list("complete", 1, true, 1), list("complete", 1, true, 1)]);
    let silent = scene.enqueue("silent").await;
    scene.told.wait_for("ended silent: failed", 1).await;
    scene.service.resume(&scene.state(&silent).await).await.unwrap();
    scene.page("silent", 1, false).await;
    scene.told.wait_for("published silent", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_gives_a_publication_three_seconds_and_leaves_the_rest() {
    let scene = Scene::new();
    let (_, release) = scene.hang_at("m").await;
    let (journal, shelf, took) = scene.stop().await;
    assert_eq!(took.as_secs(), 3);
    assert!(shelf.lists().is_empty());
    let next = Scene::on(journal, shelf, ServiceOptions::default());
    next.told.wait_for("published m", 1).await;
    assert_eq!(next.shelf.lists(), [list("m", 1, true, 1)]);
    assert!(next.requested().is_empty());
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_leaves_open_pulls_to_the_next() {
    let scene = Scene::new();
    let id = scene.enqueue("m").await;
    scene.page("m", 1, true).await;
    scene.followed(&id).await;
    let (journal, shelf, took) = scene.stop().await;
    assert_eq!(took.as_secs(), 0);
    let next = Scene::on(journal, shelf, ServiceOptions::default());
    next.followed(&id).await;
    next.page("m", 2, false).await;
    next.told.wait_for("published m", 1).await;
    assert_eq!(next.told.texts(), ["publishing m", "published m"]);
    assert_eq!(next.shelf.lists(), [list("m", 1, true, 2)]);
    assert!(next.requested().is_empty(), "the platform has accepted it");
}

/// A pull that a service left when it stopped, in another process.
async fn interrupted(options: ServiceOptions) -> Scene {
    let scene = Scene::new();
    let id = scene.enqueue_with("m", |request| request.need_tag_info(true)).await;
    scene.followed(&id).await;
    tokio::time::sleep(SECOND).await;
    let (journal, shelf, _) = scene.stop().await;
    Scene::on(journal, shelf, options)
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_interrupted_pull_fails_is_requested_anew_once() {
    let scene = interrupted(ServiceOptions::default()).await;
    scene.told.wait_for("ended m: failed", 1).await;
    assert_eq!(scene.told.texts(), ["requested anew m", "ended m: failed"]);
    tokio::time::sleep(SECOND).await;
    let requests = scene.platform.requests();
    let [(anew, true)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(anew.robot_id, crate::support::id().robot_id);
    scene.page(anew.mark_id.as_str(), 1, false).await;
    scene.told.wait_for(&format!("published {}", anew.mark_id), 1).await;
    // The new pull was not interrupted.
    tokio::time::sleep(3600 * SECOND).await;
    assert_eq!(scene.told.times_of("requested anew m").len(), 1);
    assert_eq!(scene.platform.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_only_quiet_completes_is_requested_anew_where_callbacks_were_lost() {
    for lone in [false, true] {
        let scene = interrupted(ServiceOptions::default().lone_receiver(lone)).await;
        scene.page("m", 1, false).await;
        scene.told.wait_for("published m", 1).await;
        assert_eq!(scene.told.times_of("requested anew m").len(), usize::from(lone));
        tokio::time::sleep(SECOND).await;
        assert_eq!(scene.requested().len(), usize::from(lone));
    }
}
