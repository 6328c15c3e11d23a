//! Files beside the place of a list after the pull was deleted.

use qopen_simulator::Schedule;
use reqwest::Method;
use serde_json::Value;

use crate::guards::Scene;
use crate::served::Served;
use crate::support::{Stage, text};

/// The files of a folder whose names begin with the name of the list.
fn files(scene: &Scene, name: &str) -> Vec<String> {
    let found = std::fs::read_dir(scene.folder.path()).unwrap();
    let names = found.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|it| it.starts_with(name)).collect();
    names.sort();
    names
}

fn mark(summary: &Value) -> &str {
    summary["mark_id"].as_str().unwrap()
}

fn purge(scene: &Scene, mark: &str) -> String {
    let purged = scene.verb(&["pulls", "purge", mark]);
    assert_eq!(purged.status.code(), Some(0), "{}", text(&purged.stderr));
    text(&purged.stderr)
}

#[test]
fn a_held_list_goes_with_its_pull_and_a_later_one_stays() {
    let scene = Scene::new(Schedule { accounts: 60, gone_each: 7, ..Schedule::default() });
    scene.pull(&[]);
    let held = [scene.pull(&["--max-gone", "0"]).1, scene.pull(&["--max-gone", "0"]).1];
    let list = ["list.jsonl", "list.jsonl.changes.jsonl"];
    purge(&scene, mark(&held[0]));
    assert_eq!(files(&scene, "list"), [list[0], list[1], "list.jsonl.held"]);
    let said = purge(&scene, mark(&held[1]));
    assert!(said.contains("list.jsonl.held"), "{said}");
    assert_eq!(files(&scene, "list"), list);
    assert_eq!(scene.list("list.jsonl").len(), 60);
}

#[test]
fn a_partial_list_and_its_quarantine_go_with_their_pull() {
    let schedule =
        Schedule { accounts: 30, page_size: 10, broken_page: Some(1), ..Schedule::default() };
    let scene = Scene::new(schedule);
    let options = ["--idle-timeout", "2s"];
    let (exit, first) = scene.pull(&options);
    let (_, second) = scene.pull(&[&options[..], &["--new"]].concat());
    let beside = ["list.jsonl.partial", "list.jsonl.quarantine.jsonl"];
    assert_eq!((exit, files(&scene, "list")), (3, beside.map(str::to_owned).to_vec()), "{first}");
    purge(&scene, mark(&first));
    assert_eq!(files(&scene, "list"), beside, "they are of the later pull");
    let said = purge(&scene, mark(&second));
    assert!(beside.iter().all(|it| said.contains(it)), "{said}");
    assert_eq!(files(&scene, "list"), [""; 0]);
}

#[test]
fn a_published_list_and_its_quarantine_stay() {
    let scene = Scene::new(Schedule { accounts: 30, ..Schedule::default() });
    let (exit, published) = scene.pull(&[]);
    assert_eq!(exit, 0, "{published}");
    let line = format!("{{\"robot_id\":\"r1\",\"mark_id\":\"{}\"}}\n", mark(&published));
    let quarantine = scene.folder.path().join("list.jsonl.quarantine.jsonl");
    std::fs::write(quarantine, line).unwrap();
    let before = files(&scene, "list");
    assert_eq!(before.len(), 3, "{before:?}");
    purge(&scene, mark(&published));
    assert_eq!(files(&scene, "list"), before);
}

#[cfg(unix)]
#[test]
fn all_files_of_a_list_lie_beside_the_file_that_a_link_leads_to() {
    use std::os::unix::fs::symlink;

    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let broken = Schedule { accounts: 30, page_size: 10, broken_page: Some(1), ..moving.clone() };
    for (schedule, pulls, suffixes) in [
        (
            moving,
            &[
                (0, &[][..]),
                (3, &["--max-gone", "0"]),
                (3, &["--expect-accounts", "900", "--idle-timeout", "2s"]),
            ][..],
            &["", ".changes.jsonl", ".held", ".partial"][..],
        ),
        (broken, &[(3, &["--idle-timeout", "2s"])], &[".partial", ".quarantine.jsonl"]),
    ] {
        let mut scene = Scene::new(schedule);
        let folder = scene.folder.path().to_owned();
        std::fs::create_dir(folder.join("real")).unwrap();
        symlink("second", folder.join("link")).unwrap();
        symlink("real/list.jsonl", folder.join("second")).unwrap();
        scene.out = "link".to_owned();
        let mut last = Value::Null;
        for (exit, options) in pulls {
            let pulled = scene.pull(&[&["--format", "jsonl"], *options].concat());
            assert_eq!(pulled.0, *exit, "{}", pulled.1);
            last = pulled.1;
        }
        let in_place = |name: &str| scene.exists(&format!("real/list.jsonl{name}"));
        let missing: Vec<_> = suffixes.iter().filter(|it| !in_place(it)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for link in ["link", "second"] {
            assert_eq!(files(&scene, link), [link]);
            assert!(std::fs::symlink_metadata(folder.join(link)).unwrap().is_symlink());
        }
        let said = purge(&scene, mark(&last));
        assert!(said.contains("real/list.jsonl.partial"), "{said}");
        assert!(!in_place(".partial") && !in_place(".quarantine.jsonl"));
    }
}

#[tokio::test]
async fn a_service_deletes_the_held_list_of_a_pull_with_it() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let stage = Stage::new(&moving);
    let served = Served::with_lists(&stage, &["--max-gone", "5"]);
    served.published("r1").await;
    let second = served.start_pull("r1").await;
    served.until(&second, |it| it["held"] == true).await;
    assert!(stage.exists("lists/r1.jsonl.held"));
    let deleted = served.ask(Method::DELETE, &format!("/v1/pulls/{second}?purge=true")).await;
    assert_eq!(deleted.status(), 204);
    assert!(!stage.exists("lists/r1.jsonl.held") && stage.exists("lists/r1.jsonl"));
    assert_eq!(served.stop().code(), Some(0));
}
