//! All robots of the app: `pull --all-robots`, schedules of all robots, and events about robots.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::{Refusal, Schedule, SimulatedRobot};
use serde_json::json;
use tokio::net::TcpStream;

use crate::callbacks::{TOKEN, callback, now, ring, say};
use crate::served::{Served, expected};
use crate::support::{Stage, ids, text};

/// Three scan-code robots, the last one recycled, and two platform robots, one of them a scan-code robot too.
fn robots() -> Vec<SimulatedRobot> {
    let id = |name: &str| name.parse().unwrap();
    let mut all = vec![
        SimulatedRobot::host(id("r1"), "canary-name"),
        SimulatedRobot::host(id("r2"), "canary-name"),
        SimulatedRobot::host(id("r3"), "canary-name"),
        SimulatedRobot::platform(id("p1"), "canary-name"),
        SimulatedRobot::platform(id("r1"), "canary-name"),
    ];
    all[2].enabled = false;
    all
}

fn with_robots(schedule: Schedule) -> Schedule {
    Schedule { robots: robots(), accounts: 30, page_size: 10, ..schedule }
}

fn said(output: &Output) -> String {
    let said = text(&output.stderr);
    assert!(!said.contains("canary"), "{said}");
    said
}

#[test]
fn all_robots_pulls_each_robot_of_both_lists_once_and_leaves_out_recycled_ones() {
    let schedule = with_robots(Schedule::default());
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let output = stage.run(&["--all-robots", "--out", "lists"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("qopen: 1 recycled robot left out: r3\n"), "{told}");
    assert!(told.contains("qopen: pulling 3 robots\n"), "{told}");
    for robot in ["r1", "r2", "p1"] {
        assert_eq!(ids(&stage.read(&format!("lists/{robot}.jsonl"))), expected(&schedule, robot));
        assert_eq!(told.matches(&format!("robot {robot}: complete")).count(), 1, "{told}");
    }
    assert!(!stage.exists("lists/r3.jsonl"), "{told}");
}

#[test]
fn robots_whose_states_are_not_offered_are_all_pulled() {
    let schedule = Schedule { states_not_offered: true, ..with_robots(Schedule::default()) };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let output = stage.run(&["--all-robots", "--out", "lists", "--idle-timeout", "2s"]);
    let told = said(&output);
    // The recycled one answers nothing.
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("the states of the robots are unknown"), "{told}");
    assert!(told.contains("qopen: pulling 4 robots\n"), "{told}");
    assert_eq!(ids(&stage.read("lists/p1.jsonl")), expected(&schedule, "p1"));
}

#[test]
fn a_list_of_robots_that_does_not_come_creates_nothing_and_says_why() {
    let refused = Some(Refusal { code: 48002, message: "no permission".to_owned() });
    let recycled = |mut robot: SimulatedRobot| {
        robot.enabled = false;
        robot
    };
    let recycled = robots().into_iter().map(recycled).collect();
    for (schedule, code, parts) in [
        (Schedule::default(), 2, ["lists no robot of this app", "--robots-file"]),
        (Schedule { robots: recycled, ..Schedule::default() }, 2, ["is recycled", "--robot"]),
        (
            Schedule { robots_refused: refused, ..with_robots(Schedule::default()) },
            5,
            ["48002", "no permission"],
        ),
        (
            Schedule { robots_not_offered: true, ..with_robots(Schedule::default()) },
            5,
            ["does not offer the list", "QOPEN_BASE_URL"],
        ),
        (
            Schedule { refuse_credentials: true, ..with_robots(Schedule::default()) },
            5,
            ["40013", "QOPEN_APP_SECRET"],
        ),
    ] {
        let stage = Stage::new(&schedule);
        let output = stage.run(&["--all-robots", "--out", "list.jsonl"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{parts:?} in {told}");
        assert!(told.contains("--all-robots: "), "{told}");
        assert!(!stage.exists("qopen-data") && !stage.exists("list.jsonl"), "{told}");
    }
    let stage = Stage::new(&Schedule::default());
    let mut command = stage.pull(&["--all-robots", "--out", "list.jsonl"]);
    let output = command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be listed") && told.contains("QOPEN_BASE_URL"), "{told}");
    assert!(!stage.exists("qopen-data"), "{told}");
}

#[test]
fn all_robots_is_no_addition_to_named_ones_and_named_ones_are_not_asked_for() {
    let refused = Some(Refusal { code: 48002, message: "no permission".to_owned() });
    let stage =
        Stage::new(&Schedule { robots_refused: refused, ..with_robots(Schedule::default()) });
    std::fs::write(stage.folder.path().join("robots.txt"), "r1\n").unwrap();
    for other in [["--robot", "r1"], ["--robots-file", "robots.txt"], ["--resume", "mark"]] {
        let output = stage.run(&["--all-robots", other[0], other[1], "--out", "list.jsonl"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("--all-robots") && told.contains(other[0]), "{told}");
    }
    let output = stage.run(&["--robot", "r1", "--out", "list.jsonl"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(!told.contains("48002") && !told.contains("permission"), "{told}");
}

/// A service with these schedules in its settings file.
fn serve(stage: &Stage, schedules: &str, arguments: &[&str]) -> Served {
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    std::fs::write(stage.folder.path().join("qopen.toml"), schedules).unwrap();
    Served::new(stage, arguments, None)
}

async fn until(served: &Served, seconds: u64, done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(seconds), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_schedule_of_all_robots_asks_for_them_at_each_time_and_survives_a_failed_answer() {
    let schedule = with_robots(Schedule::default());
    let stage = Stage::new(&schedule);
    let all = "[[schedule]]
        cron = '* * * * *'\nrobots = 'all'\nexcept = ['r2', 'r9']\nout = 'lists'
        [[schedule]]
        cron = '*/1 * * * *'\nrobots = 'all'\nexcept = ['r1', 'r2', 'r3', 'p1', 'r9']\nout = 'lists'";
    let served = serve(&stage, all, &[]);
    let log = served.log();
    assert!(log.contains("; all robots of the app except r2, r9; to "), "{log}");
    let refused = Some(Refusal { code: 48002, message: "no permission".to_owned() });
    let refusing =
        Stage::new(&Schedule { robots_refused: refused, ..with_robots(Schedule::default()) });
    let mixed = "[[schedule]]
        cron = '* * * * *'\nrobots = 'all'\nout = 'lists'
        [[schedule]]
        cron = '* * * * *'\nrobots = ['r2']\nout = 'lists'";
    let failing = serve(&refusing, mixed, &[]);

    until(&served, 75, async || {
        served.figure("qopen_schedule_failed_total").await >= 1.0
            && stage.exists("lists/r1.jsonl")
            && stage.exists("lists/p1.jsonl")
    })
    .await;
    let log = served.log();
    assert_eq!(ids(&stage.read("lists/p1.jsonl")), expected(&schedule, "p1"));
    assert!(!stage.exists("lists/r2.jsonl") && !stage.exists("lists/r3.jsonl"), "{log}");
    assert!(log.contains("\"* * * * *\": 1 recycled robot left out: r3\n"), "{log}");
    assert!(log.contains("no pull started: `except` names every robot of the app\n"), "{log}");
    // Both schedules name it, and it is said once.
    assert_eq!(log.matches("`except` names no robot of the app: r9; ").count(), 1, "{log}");
    assert!(!log.contains("canary"), "{log}");

    until(&failing, 140, async || failing.figure("qopen_schedule_failed_total").await >= 2.0).await;
    let cause = "no pull started: the robots of the app cannot be listed: the platform refused the request (48002";
    failing.until_it_says(2, cause).await;
    let log = failing.log();
    assert_eq!(log.matches(cause).count(), 2, "{log}");
    // The other schedule goes on.
    assert!(refusing.exists("lists/r2.jsonl"), "{log}");
    // Meanwhile the first service has asked again.
    until(&served, 75, async || served.figure("qopen_schedule_started_total").await >= 4.0).await;
    assert_eq!(served.log().matches("names no robot of the app").count(), 1);
    assert!(served.stop().success() && failing.stop().success());
}

/// A pull of one robot of the app, and its words.
fn pull_one(schedule: Schedule, robot: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let stage = Stage::new(&schedule);
    let all =
        [&["--robot", robot, "--out", "list.jsonl", "--idle-timeout", "2s"], arguments].concat();
    let output = stage.run(&all);
    (output.status.code(), said(&output) + &text(&output.stdout))
}

#[test]
fn a_pull_without_a_whole_list_says_the_state_of_its_robot_and_guesses_nothing() {
    let mut robots = robots();
    robots[1].is_online = false;
    let schedule = Schedule { robots, ..with_robots(Schedule::default()) };
    let (code, told) = pull_one(schedule.clone(), "r2", &[]);
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("\n  the robot is offline; no page came: "), "{told}");
    let (code, told) = pull_one(schedule.clone(), "r3", &["--json"]);
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("\"the robot is recycled; no page came: "), "{told}");
    // An online robot, and one whose state is not told.
    let lossy = Schedule { lost_last_page: true, ..schedule.clone() };
    for (schedule, robot, code) in [
        (lossy.clone(), "r1", 3),
        (lossy, "p1", 3),
        (Schedule { states_not_offered: true, ..schedule.clone() }, "r2", 4),
        (schedule, "p1", 0),
    ] {
        let (exit, told) = pull_one(schedule, robot, &[]);
        assert_eq!(exit, Some(code), "{told}");
        assert!(!told.contains("the robot is") && !told.contains("logged out"), "{told}");
    }
}

/// A logout of the robot, sealed.
fn logout(robot: &str, kind: u8, nonce: &str) -> Vec<u8> {
    let event = json!({
        "event_type": 41002, "robot_id": robot, "robot_name": "canary-name", "message": "canary",
        "robot_device": 2, "logout_type": kind,
    });
    callback(&ring(TOKEN), &event.to_string(), nonce, now())
}

pub(crate) fn new_customer(robot: &str, nonce: &str) -> Vec<u8> {
    let profile = json!({ "name": "canary-name" });
    let event = json!({
        "event_type": 20001, "robot_id": robot, "account_id": "canary-id", "account_type": 2,
        "mark_id_list": [], "profile": profile,
    });
    callback(&ring(TOKEN), &event.to_string(), nonce, now())
}

/// Posts events to a listener as soon as it listens.
pub(crate) async fn post(stage: &Stage, events: &[Vec<u8>]) {
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(&stage.listen).await {
            Ok(stream) => break stream,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let answers = say(&mut stream, events).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
}

#[tokio::test]
async fn a_logout_during_a_pull_is_part_of_its_explanation() {
    let mut robots = robots();
    robots[1].is_online = false;
    let schedule = Schedule { robots, ..with_robots(Schedule::default()) };
    let stage = Stage::new(&schedule);
    let mut command = stage.pull(&["--robot", "r2", "--out", "list.jsonl", "--idle-timeout", "6s"]);
    let process = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    post(&stage, &[logout("r2", 2, "n1")]).await;
    let output = tokio::task::spawn_blocking(|| process.wait_with_output().unwrap()).await.unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("\n  the robot is offline since 2"), "{told}");
    assert!(told.contains("Z (connection lost); no page "), "{told}");
}

#[tokio::test]
async fn serve_shows_logouts_without_names_and_explains_its_pulls_by_them() {
    let mut robots = robots();
    robots[1].is_online = false;
    let schedule = Schedule { robots, ..with_robots(Schedule::default()) };
    let stage = Stage::new(&schedule);
    let served = serve(&stage, "", &["--out", "lists"]);
    // The second one is a repetition.
    let odd = json!({ "event_type": 41002, "robot_id": [1], "logout_type": 9 }).to_string();
    let odd = callback(&ring(TOKEN), &odd, "n4", now());
    let events = [logout("r2", 2, "n1"), logout("r2", 2, "n2"), logout("p1", 1, "n3"), odd];
    post(&stage, &events).await;
    served.until_metrics("qopen_robots_logged_out_total 3\n").await;
    let mark = served.start_pull("r2").await;
    let line = format!("robot r2, mark {mark}: failed; ");
    served.until_it_says(1, &line).await;
    let mark = served.start_pull("p1").await;
    served.until(&mark, |it| it["output"].is_string()).await;
    let log = served.log();
    assert_eq!(log.matches("robot r2 was logged out: connection lost\n").count(), 1, "{log}");
    assert!(log.contains("robot p1 was logged out: asked for\n"), "{log}");
    assert!(
        log.contains("a robot without a readable id was logged out: unknown reason 9\n"),
        "{log}"
    );
    let line = log.lines().find(|it| it.contains(&line)).unwrap();
    assert!(line.contains("; the robot is offline since 2"), "{line}");
    assert!(line.contains("Z (connection lost); no page "), "{line}");
    // A complete list needs no explanation.
    let complete = log.lines().find(|it| it.contains("robot p1, mark")).unwrap();
    assert!(!complete.contains("logged out") && !complete.contains("offline"), "{complete}");
    assert!(!log.contains("canary"), "{log}");
    assert!(served.stop().success());
}

#[tokio::test]
async fn a_new_customer_makes_one_pull_due_that_long_after_the_first_event() {
    let schedule = with_robots(Schedule::default());
    let stage = Stage::new(&schedule);
    let entry = "[[schedule]]\ncron = '0 0 1 1 *'\nrobots = 'all'\nexcept = ['r2']\nout = 'lists'
        pull_on_new_customer = '4s'";
    let served = serve(&stage, entry, &[]);
    assert!(served.log().contains(", and 4s after a new customer; all robots"), "{}", served.log());
    let first = Instant::now();
    post(&stage, &[new_customer("r1", "n1"), new_customer("r2", "n2")]).await;
    // Each further event would move a pull that waits for quiet.
    for n in 0..7 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        post(&stage, &[new_customer("r1", &format!("m{n}"))]).await;
        if first.elapsed() < Duration::from_secs(4) {
            assert_eq!(served.figure("qopen_schedule_started_total").await, 0.0);
        }
    }
    // Only a page edits a list.
    assert!(!stage.exists("lists/r1.jsonl") || first.elapsed() > Duration::from_secs(4));
    until(&served, 30, async || stage.exists("lists/r1.jsonl")).await;
    assert!(first.elapsed() >= Duration::from_secs(4));
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&schedule, "r1"));
    let log = served.log();
    let started = "new customer, schedule \"0 0 1 1 *\": robot r1 mark ";
    assert!(log.contains(started) && !log.contains("robot r2 mark"), "{log}");
    assert!(!log.contains("canary"), "{log}");
    assert!(served.stop().success());
}

#[tokio::test]
async fn a_new_customer_of_a_robot_whose_pull_is_open_starts_nothing() {
    let stage = Stage::new(&Schedule { silent: true, ..with_robots(Schedule::default()) });
    let entry = "[[schedule]]\ncron = '0 0 1 1 *'\nrobots = ['r1']\nout = 'lists'
        pull_on_new_customer = '1s'";
    let served = serve(&stage, entry, &["--idle-timeout", "10m"]);
    let open = served.start_pull("r1").await;
    post(&stage, &[new_customer("r1", "n1"), new_customer("p1", "n2")]).await;
    until(&served, 30, async || served.figure("qopen_schedule_skipped_total").await == 1.0).await;
    served.until_it_says(1, &format!(" skipped: mark {open} is open\n")).await;
    let log = served.log();
    assert_eq!(served.figure("qopen_schedule_started_total").await, 0.0, "{log}");
    let pulls = served.get_json("/v1/pulls").await;
    assert_eq!(pulls["pulls"].as_array().unwrap().len(), 1, "{pulls}");
    assert_eq!(std::fs::read_dir(stage.folder.path().join("lists")).unwrap().count(), 0);
    assert!(served.stop().success());
}

#[tokio::test]
async fn a_new_customer_of_a_robot_that_the_app_does_not_have_starts_nothing() {
    let schedule = with_robots(Schedule::default());
    let stage = Stage::new(&schedule);
    let entry = "[[schedule]]\ncron = '0 0 1 1 *'\nrobots = 'all'\nexcept = ['r2']\nout = 'lists'
        pull_on_new_customer = '1s'";
    let served = serve(&stage, entry, &[]);
    // Strangers, an excepted and a recycled robot, and one robot of the app.
    let strangers = (0..300).map(|n| new_customer(&format!("stranger{n}"), &format!("s{n}")));
    let robots = ["r2", "r3", "p1"].map(|robot| new_customer(robot, robot));
    post(&stage, &strangers.chain(robots).collect::<Vec<_>>()).await;
    until(&served, 30, async || stage.exists("lists/p1.jsonl")).await;
    // The first stranger has the app's robots listed, which decides about it. Those that come after that list
    // wait for the next one.
    assert!(served.figure("qopen_schedule_unlisted_total").await >= 1.0, "{}", served.log());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(served.figure("qopen_schedule_started_total").await, 1.0, "{}", served.log());
    let pulls = served.get_json("/v1/pulls").await;
    assert_eq!(pulls["pulls"].as_array().unwrap().len(), 1, "{pulls}");
    assert!(served.stop().success());
}
