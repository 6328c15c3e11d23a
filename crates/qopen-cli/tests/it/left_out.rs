//! Robots that a new list of a shared file leaves out, and held lists that a later list supersedes.

use reqwest::Method;
use serde_json::{Value, json};

use qopen_simulator::Schedule;

use crate::guards::Scene;
use crate::served::Served;
use crate::support::{Stage, text};

fn still() -> Schedule {
    Schedule { accounts: 20, page_size: 10, ..Schedule::default() }
}

/// Pulls these robots into one file. Returns the exit code, and what was said.
fn pull(scene: &Scene, robots: &[&str], options: &[&str]) -> (i32, String) {
    let mut all = vec!["pull", "--out", "both.jsonl", "--settle", "1s"];
    robots.iter().for_each(|robot| all.extend(["--robot", robot]));
    all.extend(options);
    let done = scene.verb(&all);
    (done.status.code().unwrap(), text(&done.stderr))
}

fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.folder.path().join(name)).unwrap()
}

/// Lines of a robot.
fn lines_of(text: &str, robot: &str) -> usize {
    text.matches(&format!("\"robot_id\":\"{robot}\",\"account_id\"")).count()
}

#[test]
fn a_robot_that_a_new_list_leaves_out_stays_until_a_person_drops_it() {
    let scene = Scene::new(still());
    assert_eq!(pull(&scene, &["r1", "r2", "r3"], &[]).0, 0);
    let whole = read(&scene, "both.jsonl");
    for options in [&[][..], &["--max-gone", "19"], &["--max-gone", "99.99%"], &["--allow-empty"]] {
        let (exit, said) = pull(&scene, &["r2"], options);
        assert_eq!(exit, 3, "{options:?}: {said}");
        for part in ["robot r1 (20 customers)", "robot r3 (20 customers)", "--new-baseline"] {
            assert!(said.contains(part), "{options:?}: {said}");
        }
        assert_eq!(read(&scene, "both.jsonl"), whole, "{options:?}");
        assert_eq!(lines_of(&read(&scene, "both.jsonl.held"), "r2"), 20, "{options:?}");
    }
    let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
    let pulls = listed.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let held: Vec<Value> = pulls.filter(|it| it["held"] == true).collect();
    let mark = held.last().unwrap()["mark_id"].as_str().unwrap().to_owned();
    let shown = text(&scene.verb(&["pulls", "show", &mark]).stdout);
    assert!(shown.contains("it leaves out 2 robots of the last list: r1, r3"), "{shown}");
    let accepted = scene.verb(&["pulls", "accept", &mark]);
    let said = text(&accepted.stderr);
    assert_eq!(accepted.status.code(), Some(0), "{said}");
    assert!(said.contains("robot r1 is left out: its 20 customers are gone from"), "{said}");
    let list = read(&scene, "both.jsonl");
    assert_eq!((lines_of(&list, "r1"), lines_of(&list, "r2"), lines_of(&list, "r3")), (0, 20, 0));
    let changes = read(&scene, "both.jsonl.changes.jsonl");
    assert_eq!(changes.matches("\"change\":\"gone\"").count(), 40, "{changes}");
    // The next list has the same robots, and one that comes back is added.
    assert_eq!(pull(&scene, &["r2"], &[]).0, 0);
    assert_eq!(pull(&scene, &["r1", "r2"], &[]).0, 0);
    assert_eq!(lines_of(&read(&scene, "both.jsonl"), "r1"), 20);
}

#[test]
fn a_robot_that_a_new_list_in_csv_leaves_out_stays_too() {
    let scene = Scene::new(still());
    let pull = |more: &[&str]| {
        let all =
            [&["pull", "--out", "both.csv", "--settle", "1s", "--robot", "r2"], more].concat();
        let done = scene.verb(&all);
        (done.status.code(), text(&done.stderr))
    };
    assert_eq!(pull(&["--robot", "r1"]).0, Some(0));
    let whole = read(&scene, "both.csv");
    let (exit, said) = pull(&[]);
    assert!(exit == Some(3) && said.contains("robot r1 (20 customers)"), "{said}");
    assert_eq!(read(&scene, "both.csv"), whole);
    assert_eq!(read(&scene, "both.csv.held").lines().count(), 21);
    let (exit, said) = pull(&["--new", "--max-gone", "100%"]);
    assert_eq!(exit, Some(0), "{said}");
    assert_eq!(read(&scene, "both.csv").lines().count(), 21);
    let changes = read(&scene, "both.csv.changes.jsonl");
    assert_eq!(changes.matches("\"change\":\"gone\"").count(), 20, "{changes}");
}

#[test]
fn a_guard_that_allows_all_customers_to_go_allows_a_robot_to_be_left_out() {
    for options in [&["--max-gone", "100%"][..], &["--max-gone", "20"], &["--new-baseline"]] {
        let scene = Scene::new(still());
        assert_eq!(pull(&scene, &["r1", "r2"], &[]).0, 0);
        let (exit, said) = pull(&scene, &["r2"], options);
        assert_eq!(exit, 0, "{options:?}: {said}");
        let is_compared = options[0] == "--max-gone";
        assert_eq!(said.contains("robot r1 is left out"), is_compared, "{said}");
        assert_eq!(lines_of(&read(&scene, "both.jsonl"), "r1"), 0);
    }
}

#[test]
fn a_person_who_accepts_a_list_drops_only_robots_that_it_was_held_for() {
    let scene = Scene::new(still());
    assert_eq!(pull(&scene, &["r1", "r2"], &[]).0, 0);
    assert_eq!(pull(&scene, &["r2"], &[]).0, 3);
    let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
    let pulls = listed.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let held: Vec<Value> = pulls.filter(|it| it["held"] == true).collect();
    let mark = held[0]["mark_id"].as_str().unwrap();
    // Since then the file has another robot.
    assert_eq!(pull(&scene, &["r4"], &["--new-baseline"]).0, 0);
    let whole = read(&scene, "both.jsonl");
    let accepted = scene.verb(&["pulls", "accept", mark]);
    assert_ne!(accepted.status.code(), Some(0));
    assert!(text(&accepted.stderr).contains("r4"), "{}", text(&accepted.stderr));
    assert_eq!(read(&scene, "both.jsonl"), whole);
}

#[test]
fn a_held_list_that_a_later_list_superseded_is_not_offered_to_be_accepted() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    for flags in [&["--max-gone", "0"][..], &["--confirm"]] {
        let scene = Scene::new(moving.clone());
        if flags[0] == "--max-gone" {
            scene.pull(&[]);
        }
        let (exit, held) = scene.pull(flags);
        assert_eq!(exit, 3, "{held}");
        let mark = held["mark_id"].as_str().unwrap();
        assert_eq!(scene.pull(&[]).0, 0);
        assert!(!scene.exists("list.jsonl.held"));
        let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
        let pulls: Vec<Value> =
            listed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        assert!(pulls.iter().all(|it| it["held"] == false), "{listed}");
        let own = pulls.iter().find(|it| it["mark_id"] == mark).unwrap();
        assert_eq!(own["superseded"], true, "{own}");
        for verb in [&["pulls", "list"][..], &["pulls", "show", mark]] {
            let shown = text(&scene.verb(verb).stdout);
            assert!(!shown.contains("pulls accept"), "{shown}");
            assert!(shown.contains("superseded by the list of a later pull"), "{shown}");
        }
        let before = std::fs::read(scene.folder.path().join("list.jsonl")).unwrap();
        let refused = scene.verb(&["pulls", "accept", mark]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("superseded"), "{said}");
        assert_eq!(std::fs::read(scene.folder.path().join("list.jsonl")).unwrap(), before);
        // Neither does the same command resume it.
        assert_eq!(scene.pull(&[]).0, 0);
    }
}

#[test]
fn a_list_that_is_held_for_another_file_is_still_offered() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let mut scene = Scene::new(moving);
    scene.pull(&[]);
    let (exit, held) = scene.pull(&["--max-gone", "0"]);
    assert_eq!(exit, 3, "{held}");
    scene.out = "other.jsonl".to_owned();
    assert_eq!(scene.pull(&[]).0, 0);
    let mark = held["mark_id"].as_str().unwrap();
    let accepted = scene.verb(&["pulls", "accept", mark]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(scene.list("list.jsonl").len(), 53);
}

#[test]
fn an_accepted_list_takes_the_complete_list_of_another_robot_with_it() {
    for has_last in [false, true] {
        // The first robot's two lists agree. Of the second robot's three lists, two lack a page: it was pulled
        // twice before.
        let first = usize::from(has_last);
        let lost = vec![first + 2, first + 4];
        let schedule = Schedule {
            accounts: 60,
            page_size: 10,
            lost_pages: vec![2],
            lost_pages_on: Some(lost),
            ..Schedule::default()
        };
        let scene = Scene::new(schedule);
        for _ in 0..2 {
            let other = ["pull", "--robot", "r2", "--out", "other.jsonl", "--settle", "1s"];
            assert_eq!(scene.verb(&other).status.code(), Some(0));
        }
        if has_last {
            assert_eq!(pull(&scene, &["r1", "r2"], &[]).0, 0);
        }
        let last = std::fs::read(scene.folder.path().join("both.jsonl")).ok();
        let (exit, said) = pull(&scene, &["r1", "r2"], &["--confirm", "--concurrency", "1"]);
        assert_eq!(exit, 3, "{said}");
        let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
        let pulls: Vec<Value> =
            listed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        let held: Vec<_> = pulls.iter().filter(|it| it["held"] == true).collect();
        assert!(held.len() == 3 && held.iter().all(|it| it["robot_id"] == "r2"), "{listed}");
        assert_eq!(std::fs::read(scene.folder.path().join("both.jsonl")).ok(), last);

        let whole = held.iter().find(|it| it["accounts"] == 60).unwrap();
        let accepted = scene.verb(&["pulls", "accept", whole["mark_id"].as_str().unwrap()]);
        let said = text(&accepted.stderr);
        assert_eq!(accepted.status.code(), Some(0), "{said}");
        for robot in ["r1", "r2"] {
            assert!(said.contains(&format!("robot {robot} mark ")), "{said}");
            assert_eq!(lines_of(&read(&scene, "both.jsonl"), robot), 60, "{robot}");
        }
        assert!(!scene.exists("both.jsonl.partial") && !scene.exists("both.jsonl.held"));
        // Of the second robot, the earlier list is superseded; a later one can still be accepted.
        let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
        let pulls = listed.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let (mut is_held, mut is_superseded) = (0, 0);
        for line in pulls {
            is_held += usize::from(line["held"] == true);
            is_superseded += usize::from(line["superseded"] == true);
        }
        assert_eq!((is_held, is_superseded), (1, 1), "{listed}");
        // The next pull of both resumes neither.
        let before = scene.simulator.counts().requests;
        assert_eq!(pull(&scene, &["r1", "r2"], &[]).0, 0);
        assert_eq!(scene.simulator.counts().requests, before + 2);
    }
}

#[tokio::test]
async fn a_service_shows_a_superseded_list_and_refuses_to_accept_it() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let stage = Stage::new(&moving);
    let served = Served::with_lists(&stage, &["--max-gone", "5"]);
    served.published("r1").await;
    let held = served.start_pull("r1").await;
    served.until(&held, |it| it["held"] == true).await;
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &["--out", "lists"], None);
    served.published("r1").await;
    let line = served.until(&held, |it| it["superseded"] == true).await;
    assert_eq!(line["held"], json!(false), "{line}");
    let refused = served.ask(Method::POST, &format!("/v1/pulls/{held}/accept")).await;
    assert_eq!(refused.status(), 409);
    let why = refused.text().await.unwrap();
    assert!(why.contains("superseded"), "{why}");
    let beside = stage.verb("pulls", &["accept", &held]).output().unwrap();
    assert_eq!(beside.status.code(), Some(2), "{}", text(&beside.stderr));
    assert!(text(&beside.stderr).contains("superseded"), "{}", text(&beside.stderr));
    assert_eq!(served.stop().code(), Some(0));
}
