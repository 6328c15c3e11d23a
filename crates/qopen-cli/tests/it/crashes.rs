//! Processes that are killed, and what the next one makes of what they left.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use qopen_simulator::{Chance, Schedule};

use crate::served::expected;
use crate::support::{Stage, ids, qopen, text, with_settings};

/// Processes that are killed, over all rounds.
const KILLS: u32 = 100;

/// Numbers that look random and come again with the same seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    /// The seed is QOPEN_CRASH_SEED where that is set.
    pub(crate) fn from_environment() -> Self {
        let seed = std::env::var("QOPEN_CRASH_SEED").ok().and_then(|it| it.parse().ok());
        Self(seed.unwrap_or(7))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Runs `qopen pulls` or `qopen quarantine` in the stage's folder.
fn ask(stage: &Stage, arguments: &[&str]) -> String {
    let output = with_settings(qopen(stage.folder.path(), arguments)).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn i5_i6_killed_at_any_moment_every_list_comes_out_whole() {
    let mut dice = Dice::from_environment();
    let seed = dice.0;
    println!("QOPEN_CRASH_SEED={seed}");
    let (mut killed, mut rounds) = (0, 0);
    while killed < KILLS {
        rounds += 1;
        let schedule = Schedule {
            seed: dice.below(1000),
            accounts: 1500,
            page_size: 10,
            parallel: 8,
            max_attempts: 1000,
            max_delay_ms: 40,
            shuffle: true,
            duplicates: Chance::new(20),
            lost_acks: Chance::new(20),
            conflicts: 5,
            ..Schedule::default()
        };
        let stage = Stage::new(&schedule);
        std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
        let robots = ["--robot", "r1", "--robot", "r2", "--out", "lists", "--settle", "2s"];
        let patience = ["--idle-timeout", "4s"];
        let arguments = [&robots[..], &patience[..]].concat();
        let mut here = 0;
        loop {
            let mut process = stage
                .pull(&arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // Most die young, some while they settle or publish; the last of a round lives.
            let until = match dice.below(10) {
                _ if here >= 20 => 60_000,
                0..=6 => dice.below(300),
                _ => dice.below(3_500),
            };
            let born = Instant::now();
            let ended = loop {
                if let Some(status) = process.try_wait().unwrap() {
                    break Some(status);
                }
                if born.elapsed() >= Duration::from_millis(until) {
                    process.kill().unwrap();
                    process.wait().unwrap();
                    break None;
                }
                sleep(Duration::from_millis(2));
            };
            match ended {
                None => (killed, here) = (killed + 1, here + 1),
                Some(status) => {
                    let said = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
                    assert!(status.success(), "seed {seed}, round {rounds}: {status}\n{said}");
                    break;
                }
            }
        }
        for robot in ["r1", "r2"] {
            let list = ids(&stage.read(&format!("lists/{robot}.jsonl")));
            assert_eq!(list, expected(&schedule, robot), "seed {seed}, round {rounds}");
        }
        assert!(ask(&stage, &["pulls", "check"]).contains("can be read"));
    }
    println!("{killed} processes were killed in {rounds} rounds");
}

/// Starts a pull, and kills it when it has reported a number of pages.
fn kill_after_pages(stage: &Stage, arguments: &[&str], pages: u64) {
    use std::io::{BufRead as _, BufReader};
    let mut process = stage
        .pull(&[arguments, &["--json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["pages"].as_u64() >= Some(pages) {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// A pull whose last page is on its way for a while.
fn slow() -> Schedule {
    Schedule {
        accounts: 60,
        page_size: 10,
        late_page: Some((5, 3_000)),
        max_attempts: 1000,
        ..Schedule::default()
    }
}

fn mark(stage: &Stage) -> String {
    let list = ask(stage, &["pulls", "list", "--json"]);
    let line: serde_json::Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    line["mark_id"].as_str().unwrap().to_owned()
}

#[test]
fn an_interrupted_pull_is_taken_up_by_its_mark_and_goes_where_it_was_to_go() {
    let stage = Stage::new(&slow());
    kill_after_pages(&stage, &["--robot", "r1", "--out", "list"], 5);
    let listed = ask(&stage, &["pulls", "list"]);
    assert!(listed.contains("\tr1\topen\t-\t5\t"), "{listed}");
    let mark = mark(&stage);
    let output = stage.run(&["--resume", &mark]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("list")), expected(&slow(), "r1"));
    let shown = ask(&stage, &["pulls", "show", &mark]);
    for what in ["started", "accepted", "complete: 60 customers on 6 pages", "revision 1 published"]
    {
        assert!(shown.contains(what), "{what} is not in {shown}");
    }

    // Resumed again, it publishes the same list.
    std::fs::remove_file(stage.folder.path().join("list")).unwrap();
    let output = stage.run(&["--resume", &mark, "--out", "again.csv", "--format", "csv"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stage.read("again.csv").lines().count(), 61);
    let output = stage.run(&["--resume", &mark]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("list")), expected(&slow(), "r1"));

    ask(&stage, &["pulls", "purge", &mark]);
    assert_eq!(ask(&stage, &["pulls", "list"]), "");
    let output = stage.run(&["--resume", &mark]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("qopen pulls list"), "{}", text(&output.stderr));
}

#[test]
fn the_same_command_takes_an_interrupted_pull_up_and_says_so() {
    let stage = Stage::new(&slow());
    let arguments = ["--robot", "r1", "--out", "list"];
    kill_after_pages(&stage, &arguments, 5);
    let mark = mark(&stage);
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("resuming the interrupted pull {mark} of robot r1")), "{said}");
    assert_eq!(ids(&stage.read("list")), expected(&slow(), "r1"));
    // Pages may have come while no process was there.
    assert!(said.contains("the pull was interrupted"), "{said}");
    assert_eq!(ask(&stage, &["pulls", "list"]).lines().count(), 3);

    // What is done is done: the next one begins anew.
    let output = stage.run(&arguments);
    assert!(output.status.success() && !text(&output.stderr).contains("resuming"));
    assert_eq!(ask(&stage, &["pulls", "list"]).lines().count(), 4);
    // Two lists of one robot are not one list.
    let list = ask(&stage, &["pulls", "list", "--json"]);
    let marks: Vec<String> = list
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["mark_id"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    let both = stage.run(&["--resume", &marks[0], "--resume", &marks[1]]);
    assert_eq!(both.status.code(), Some(2));
    assert!(text(&both.stderr).contains("one by one"), "{}", text(&both.stderr));
}

#[test]
fn what_is_taken_up_is_not_deleted_for_its_age() {
    let stage = Stage::new(&slow());
    kill_after_pages(&stage, &["--robot", "r1", "--out", "list"], 5);
    let mark = mark(&stage);
    let output = stage.run(&["--resume", &mark, "--retain", "0s"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("list")), expected(&slow(), "r1"));
    // The next pull finds it old.
    let output = stage.run(&["--robot", "r2", "--out", "other", "--retain", "0s"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!ask(&stage, &["pulls", "list"]).contains(&mark));
}

#[test]
fn an_interrupted_pull_that_was_asked_for_something_else_is_not_taken_for_this_one() {
    let stage = Stage::new(&slow());
    kill_after_pages(&stage, &["--robot", "r1", "--out", "list"], 5);
    let output = stage.run(&["--robot", "r1", "--out", "list", "--need-tags"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("was started with other options"),
        "{}",
        text(&output.stderr)
    );
    assert!(stage.read("list").contains("tag_info_list\":[{"));
}

#[test]
fn one_journal_serves_one_process_at_a_time() {
    let stage = Stage::new(&slow());
    let mut first =
        stage.pull(&["--robot", "r1", "--out", "list"]).stderr(Stdio::null()).spawn().unwrap();
    while !stage.exists("qopen-data/lock") || stage.read("qopen-data/lock").is_empty() {
        sleep(Duration::from_millis(5));
    }
    let second = stage.run(&["--robot", "r2", "--out", "other"]);
    assert_eq!(second.status.code(), Some(2));
    let said = text(&second.stderr);
    assert!(
        said.contains(&format!("process {}", first.id())) && said.contains("--data-dir"),
        "{said}"
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn what_is_in_quarantine_is_listed_shown_and_tried_again() {
    let schedule = Schedule {
        accounts: 30,
        page_size: 10,
        broken_page: Some(1),
        broken_accounts: 2,
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let output = stage.run(&["--robot", "r1", "--out", "list"]);
    assert_eq!(output.status.code(), Some(3));
    let listed = ask(&stage, &["quarantine", "list"]);
    assert!(
        listed.contains("  page  robot r1 mark ") && listed.contains("account_list"),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 1, "a name that cannot be read costs the name: {listed}");
    let item = listed.split(' ').next().unwrap();
    assert!(ask(&stage, &["quarantine", "show", &item[..8]]).contains("\"account_list\""));
    let retried =
        with_settings(qopen(stage.folder.path(), &["quarantine", "retry"])).output().unwrap();
    assert_eq!(retried.status.code(), Some(3));
    assert!(text(&retried.stderr).contains("0 of 1 pages were read"), "{}", text(&retried.stderr));
    // While the item is unread, the pull is not complete, however often it is resumed.
    let mark = mark(&stage);
    let output = stage.run(&["--resume", &mark, "--idle-timeout", "1s"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("quarantine"), "{}", text(&output.stderr));
}
