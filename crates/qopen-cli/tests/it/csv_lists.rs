//! Lists in CSV: the guards find a lost page, and a last list that is damaged or of other options is kept.

use std::fs;
use std::time::{Duration, Instant};

use qopen::sink::ListChanges;
use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::guards::{Scene, lost_on};
use crate::served::Served;
use crate::support::{Stage, ids, qopen, text};

const PEOPLE: [&str; 4] = ["--bom", "--csv-safe", "--labels", "zh"];

#[test]
fn max_gone_holds_a_list_in_csv_and_a_person_can_accept_it() {
    for options in [&[][..], &PEOPLE] {
        let scene = Scene::of(lost_on(1), "list.csv");
        let pull = |more: &[&str]| scene.pull(&[options, more].concat());
        let (exit, first) = pull(&["--max-gone", "0"]);
        assert_eq!((exit, &first["changes"]["baseline"]), (0, &json!(true)), "{first}");
        let place = scene.folder.path().join("list.csv");
        let earlier = fs::read(&place).unwrap();
        let (exit, summary) = pull(&["--max-gone", "15%"]);
        assert_eq!((exit, &summary["status"]), (3, &json!("incomplete")), "{summary}");
        let why = summary["error"].as_str().unwrap();
        assert!(why.contains("10 of the 60 customers") && why.contains("15%"), "{why}");
        assert_eq!((scene.list("list.csv").len(), scene.list("list.csv.held").len()), (60, 50));
        // A person looks at it.
        let diff = scene.verb(&["diff", "list.csv", "list.csv.held"]);
        assert_eq!(
            text(&diff.stdout),
            "robot r1: 10 gone; 60 customers before, 50 now\n",
            "{}",
            text(&diff.stderr)
        );
        let mark = summary["mark_id"].as_str().unwrap();
        let accepted = scene.verb(&["pulls", "accept", mark]);
        assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
        assert_eq!(scene.list("list.csv").len(), 50);
        assert!(!scene.exists("list.csv.held"));
        // The changes lead from the first list to this one.
        let changes = scene.folder.path().join("list.csv.changes.jsonl");
        let lines = fs::read_to_string(&changes).unwrap();
        assert_eq!(lines.matches("\"change\":\"gone\"").count(), 10);
        let (old, mut later) = (scene.folder.path().join("old"), Vec::new());
        fs::write(&old, earlier).unwrap();
        ListChanges::open(&changes).unwrap().apply(&old, &mut later).unwrap();
        assert!(later == fs::read(&place).unwrap(), "{options:?}");
        let (exit, third) = pull(&["--max-gone", "0"]);
        assert_eq!((exit, &third["changes"]["added"]), (0, &json!(10)), "{third}");
        assert_eq!(third["changes"]["since"], summary["mark_id"]);
    }
}

#[test]
fn verify_gone_and_confirm_find_a_page_that_a_list_in_csv_lacks() {
    let scene = Scene::of(lost_on(1), "list.csv");
    scene.pull(&["--csv-safe"]);
    let (exit, summary) = scene.pull(&["--csv-safe", "--verify-gone", "--retry", "2"]);
    assert_eq!((exit, &summary["accounts"]), (0, &json!(60)), "{summary}");
    assert_eq!((scene.simulator.counts().requests, scene.simulator.counts().by_ids), (3, 1));
    assert!(!scene.exists("list.csv.held"));

    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let scene = Scene::of(moving, "list.csv");
    scene.pull(&["--csv-safe"]);
    let (exit, summary) = scene.pull(&["--csv-safe", "--verify-gone"]);
    assert_eq!((exit, &summary["evidence"]["gone_verified"]), (0, &json!(true)), "{summary}");

    let scene = Scene::of(lost_on(0), "list.csv");
    let (exit, summary) = scene.pull(&["--confirm"]);
    assert_eq!((exit, &summary["accounts"]), (0, &json!(60)), "{summary}");
    assert_eq!(scene.list("list.csv").len(), 60);
}

#[test]
fn a_last_list_in_csv_that_is_damaged_or_of_other_options_is_not_replaced_unasked() {
    let scene = Scene::of(Schedule { accounts: 60, ..Schedule::default() }, "list.csv");
    let place = scene.folder.path().join("list.csv");
    scene.pull(&[]);
    let whole = fs::read_to_string(&place).unwrap();
    let half: String = whole.split_inclusive('\n').take(30).collect();
    let head = format!("{}\n", whole.lines().next().unwrap());
    for damaged in [&half, "no list\n", "", &head, &whole[..whole.len() - 9]] {
        fs::write(&place, damaged).unwrap();
        let (exit, summary) = scene.pull(&[]);
        let why = summary["error"].as_str().unwrap_or_default();
        assert!(exit == 7 && why.contains("--new-baseline"), "{damaged:?}: {summary}");
        assert_eq!(fs::read_to_string(&place).unwrap(), damaged);
    }
    fs::write(&place, &whole).unwrap();
    for (options, said) in [
        (&["--bom"][..], "does not have the byte order mark of --bom"),
        (&["--csv-safe"], "does not have the apostrophes of --csv-safe"),
        (&["--labels", "en"], "has field names (without --labels)"),
        (&PEOPLE, "is in Chinese (--labels zh)"),
    ] {
        let (exit, summary) = scene.pull(options);
        let why = summary["error"].as_str().unwrap_or_default();
        assert!(exit == 7 && why.contains("--new-baseline") && why.contains(said), "{summary}");
        assert_eq!(fs::read_to_string(&place).unwrap(), whole);
    }
    let (exit, summary) = scene.pull(&[&PEOPLE[..], &["--new-baseline"]].concat());
    assert_eq!((exit, &summary["changes"]["baseline"]), (0, &json!(true)), "{summary}");
    let (exit, summary) = scene.pull(&PEOPLE);
    assert_eq!((exit, &summary["changes"]["changed"]), (0, &json!(0)), "{summary}");
    assert_eq!(summary["changes"]["baseline"], false);
}

#[test]
fn robots_of_one_csv_file_are_compared_and_held_together() {
    let scene = Scene::new(lost_on(1));
    let pull = |more: &[&str]| {
        let robots = ["pull", "--robot", "r1", "--robot", "r2", "--out", "both.csv"];
        let output = scene.verb(&[&robots[..], &["--settle", "1s", "--json"], more].concat());
        let said = text(&output.stdout);
        let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lists = lines.filter(|it| it["type"] == "summary");
        (output.status.code(), lists.collect::<Vec<_>>())
    };
    assert_eq!(pull(&[]).0, Some(0));
    let (exit, lists) = pull(&["--max-gone", "9"]);
    assert_eq!((exit, lists.len()), (Some(3), 2), "{lists:?}");
    assert_eq!((scene.list("both.csv").len(), scene.list("both.csv.held").len()), (120, 100));
    let mark = lists[0]["mark_id"].as_str().unwrap();
    let accepted = scene.verb(&["pulls", "accept", mark]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(scene.list("both.csv").len(), 100);
    let (exit, lists) = pull(&["--max-gone", "0"]);
    let added: Vec<_> = lists.iter().map(|it| it["changes"]["added"].as_u64()).collect();
    assert_eq!((exit, added), (Some(0), vec![Some(10), Some(10)]), "{lists:?}");
}

/// A list in CSV of a schedule has the guards of its service.
#[tokio::test]
async fn a_schedule_that_writes_csv_is_guarded() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let stage = Stage::new(&moving);
    fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let settings = "[[schedule]]\ncron = '* * * * *'\nrobots = ['r1']\nout = 'lists'\nformat = 'csv'\n\
        labels = 'en'\ntime_zone = 'UTC'\n";
    fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    // The last list, by the command line.
    let pull = ["--robot", "r1", "--out", "lists", "--format", "csv", "--labels", "en"];
    let first = stage.run(&pull);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let served = Served::spawn(Served::command(&stage, &["--max-gone", "5"]));
    let began = Instant::now();
    let held = loop {
        let pulls = served.get_json("/v1/pulls").await;
        let pulls = pulls["pulls"].as_array().unwrap();
        if let Some(held) = pulls.iter().find(|it| it["held"] == true) {
            break held.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{pulls:?}\n{}", served.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(ids(&stage.read("lists/r1.csv")).len(), 60);
    assert_eq!(ids(&stage.read("lists/r1.csv.held")).len(), 53);
    let mark = held["mark_id"].as_str().unwrap();
    let accepted = stage.verb("pulls", &["accept", mark]).output().unwrap();
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    served.until(mark, |it| it["output"].is_string()).await;
    let changes = served.get("/v1/robots/r1/changes").await.text().await.unwrap();
    assert_eq!(changes.matches("\"change\":\"gone\"").count(), 7, "{changes}");
    assert_eq!(served.stop().code(), Some(0));
}

#[test]
fn two_lists_in_csv_are_compared_and_a_list_in_another_format_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, options: &[&str]| {
        let demo = ["demo", "--accounts", "10", "--out", name];
        let output = qopen(folder.path(), &[&demo[..], options].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    write("a.csv", &[]);
    write("a.jsonl", &[]);
    let list = fs::read_to_string(folder.path().join("a.csv")).unwrap();
    let edit = |name: &str, list: &str| fs::write(folder.path().join(name), list).unwrap();
    let mut lines: Vec<&str> = list.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| line.contains(",false,false,")).unwrap();
    let lost = lines[at].replacen(",false,false,", ",true,false,", 1);
    lines[at] = &lost;
    let gone = lines.remove(if at == 3 { 4 } else { 3 });
    edit("b.csv", &lines.concat());
    let diff = |old: &str, new: &str, more: &[&str]| {
        qopen(folder.path(), &[&["diff", old, new], more].concat()).output().unwrap()
    };
    let done = diff("a.csv", "b.csv", &[]);
    let said = "robot demo-robot: 1 gone, 1 lost; 10 customers before, 9 now\n";
    assert_eq!(text(&done.stdout), said, "{}", text(&done.stderr));
    let done = diff("a.csv", "b.csv", &["--json"]);
    let id = gone.split(',').nth(1).unwrap();
    assert!(text(&done.stdout).contains(&format!("\"account_id\":\"{id}\",\"change\":\"gone\"")));
    edit("changes", &text(&done.stdout));
    let changes = ListChanges::open(folder.path().join("changes")).unwrap();
    let mut later = Vec::new();
    changes.apply(folder.path().join("a.csv"), &mut later).unwrap();
    assert_eq!(text(&later), lines.concat());

    edit("crlf.csv", &list.replace('\n', "\r\n"));
    edit("bom.csv", &format!("\u{feff}{list}"));
    edit("less.csv", &list.replacen("robot_id,account_id,", "robot_id,secret,", 1));
    edit("empty", "");
    for (new, said) in [
        ("a.jsonl", "a.csv cannot be compared: it is in CSV, and the other list in JSON Lines"),
        ("crlf.csv", "crlf.csv cannot be compared: another program saved it"),
        ("bom.csv", "does not have the byte order mark of --bom, and the other list has it"),
        (
            "less.csv",
            "less.csv cannot be compared: its header differs from the header of a list in CSV",
        ),
        ("empty", "empty cannot be compared: it is empty"),
    ] {
        for (one, two) in [("a.csv", new), (new, "a.csv")] {
            let done = diff(one, two, &[]);
            let stderr = text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{stderr}");
            let is_said = stderr.contains(said) || one == new && stderr.contains("the other list");
            assert!(is_said && !stderr.contains("secret"), "{stderr}");
        }
    }
}
