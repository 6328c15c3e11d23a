//! The end of a pull: what changed, and a command to type next, which a shell runs here as it is.

use std::path::Path;
use std::process::{Command, Output};

use qopen_simulator::{Odd, Refusal, Schedule};

use crate::guards::{Scene, lost_on};
use crate::support::{Stage, ids, text};

/// The command behind `next: `, the last line of a summary.
fn next(said: &str) -> &str {
    let line = said.trim_end().lines().last().unwrap();
    let line = line.trim_start().strip_prefix("next: `");
    line.and_then(|it| it.split('`').next()).unwrap_or_else(|| panic!("no next line: {said}"))
}

/// Runs a line in a shell, with the folder, the settings and the binary of `like`.
fn shell(like: &Command, line: &str) -> Output {
    let mut shell = Command::new("sh");
    let program = Path::new(like.get_program()).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    shell.args(["-c", line]).current_dir(like.get_current_dir().unwrap());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.env("PATH", format!("{}:{path}", program.display()));
    shell.stdin(std::process::Stdio::null()).output().unwrap()
}

/// Runs a pull that ends with `exit`, and the commands that it names until one has none.
fn follow(stage: &Stage, arguments: &[&str], exit: i32) -> (String, Output) {
    let output = stage.run(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    let line = next(&said).to_owned();
    let followed = shell(&stage.verb("pull", &[]), &line);
    (line, followed)
}

#[test]
fn a_list_without_its_last_page_is_requested_anew_with_the_same_options() {
    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let folder = "a folder's $HOME";
    let (line, followed) = follow(
        &stage,
        &["--robot", "客服 1", "--out", "a list", "--data-dir", folder, "--need-tags", "-v"],
        3,
    );
    assert_eq!(
        line,
        r"qopen pull --robot '客服 1' --out 'a list' --need-tags --settle 1s --idle-timeout 4s --data-dir 'a folder'\''s $HOME'"
    );
    // It is understood: the platform loses the page again.
    let said = text(&followed.stderr);
    assert_eq!((followed.status.code(), next(&said)), (Some(3), &*line), "{said}");
    assert!(!said.contains("resuming"), "{said}");

    // The folder of the journal may be set for one command only.
    let arguments = ["--robot", "r1", "--out", "list.jsonl"];
    let output = stage.pull(&arguments).env("QOPEN_DATA_DIR", "elsewhere").output().unwrap();
    let said = text(&output.stderr);
    assert!(next(&said).contains("--data-dir elsewhere"), "{said}");
    let mark = said.split("(mark ").nth(1).unwrap().split(')').next().unwrap().to_owned();

    // A resumed pull has the place of its start, and the options of this command.
    let resumed = ["--resume", &mark, "--data-dir", "elsewhere"];
    let (line, _) = follow(&stage, &resumed, 3);
    let list = std::fs::canonicalize(stage.folder.path()).unwrap().join("list.jsonl");
    let out = format!("--robot r1 --out {} --format jsonl ", list.display());
    assert!(line.contains(&out) && !line.contains("--resume"), "{line}");
}

#[test]
fn lists_of_one_file_are_requested_together() {
    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let robots = ["--robot", "r1", "--robot", "r2", "--out", "both.jsonl", "--new"];
    let (line, _) = follow(&stage, &robots, 3);
    assert!(line.starts_with("qopen pull --robot r1 --robot r2 --out both.jsonl "), "{line}");
    assert!(!line.contains("--new"), "{line}");
    std::fs::create_dir(stage.folder.path().join("each")).unwrap();
    let robots = ["--robot", "r1", "--robot", "r2", "--out", "each"];
    let said = text(&stage.run(&robots).stderr);
    for robot in ["r1", "r2"] {
        let line = format!("next: `qopen pull --robot {robot} --out each ");
        assert!(said.contains(&line), "{said}");
    }
}

/// Resumed alone, the list of one robot would be the whole file.
#[test]
fn lists_of_one_file_are_resumed_together() {
    let scene = Scene::new(Schedule { accounts: 9, ..Schedule::default() });
    std::fs::write(scene.folder.path().join("both.jsonl"), "no list\n").unwrap();
    let robots = ["pull", "--robot", "r1", "--robot", "r2", "--out", "both.jsonl", "--new"];
    let said = text(&scene.verb(&[&robots[..], &["--settle", "1s"]].concat()).stderr);
    let line = next(&said);
    let first = "qopen pull --robot r1 --robot r2 --new-baseline --out both.jsonl";
    assert!(line.starts_with(first) && !line.ends_with("--new"), "{line}");
    let published = shell(&scene.command(&[]), line);
    assert_eq!(published.status.code(), Some(0), "{}", text(&published.stderr));
    assert_eq!((scene.list("both.jsonl").len(), scene.simulator.counts().requests), (18, 2));

    // A list that has ended without being complete is resumed by its mark.
    let stage = Stage::new(&Schedule { broken_page: Some(1), ..Schedule::default() });
    let robots = ["--robot", "r1", "--robot", "r2", "--out", "both.jsonl"];
    let said = text(&stage.run(&robots).stderr);
    let like = stage.verb("pull", &[]);
    for item in text(&shell(&like, "qopen quarantine list").stdout).lines() {
        let item = item.split(' ').next().unwrap();
        shell(&like, &format!("qopen quarantine release {item}"));
    }
    let line = said.trim_end().lines().last().unwrap().split('`').rev().nth(1).unwrap();
    assert_eq!(line.matches("--resume ").count(), 2, "{line}");
    let published = shell(&like, line);
    assert_eq!(published.status.code(), Some(0), "{}", text(&published.stderr));
    let robots = stage.read("both.jsonl");
    assert!(robots.contains(r#""robot_id":"r1""#) && robots.contains(r#""robot_id":"r2""#));
}

#[test]
fn what_cannot_be_read_is_named_released_and_published() {
    let stage = Stage::new(&Schedule { broken_page: Some(1), ..Schedule::default() });
    let (line, followed) =
        follow(&stage, &["--robot", "r1", "--out", "list", "--data-dir", "kept"], 3);
    assert_eq!(line, "qopen quarantine list --data-dir kept");
    let item = text(&followed.stdout).split(' ').next().unwrap().to_owned();
    let said = text(&stage.run(&["--robot", "r1", "--out", "list", "--data-dir", "again"]).stderr);
    let resume = said.trim_end().lines().last().unwrap().split('`').rev().nth(1).unwrap();
    assert!(resume.starts_with("qopen pull --resume "), "{said}");

    let said = text(&stage.run(&["--robot", "r1", "--out", "list", "--data-dir", "kept"]).stderr);
    assert!(said.contains("lies in quarantine"), "{said}");
    let resume = said.trim_end().lines().last().unwrap().split('`').rev().nth(1).unwrap();
    let like = stage.verb("pull", &[]);
    let released = text(&shell(&like, &line).stdout);
    for item in released.lines().map(|it| it.split(' ').next().unwrap()).chain([&*item]) {
        shell(&like, &line.replace("list", &format!("release {item}")));
    }
    let published = shell(&like, resume);
    assert_eq!(published.status.code(), Some(0), "{}", text(&published.stderr));
    assert_eq!(ids(&stage.read("list")).len(), 400);
}

#[test]
fn accounts_without_an_id_an_empty_list_and_a_held_one_are_published_by_the_command() {
    let (accounts, page_size) = (60, 10);
    let odd_pages = vec![(1, Odd::UnreadableIds)];
    let stage = Stage::new(&Schedule { accounts, page_size, odd_pages, ..Schedule::default() });
    let (line, published) = follow(&stage, &["--robot", "r1", "--out", "list"], 3);
    assert!(line.contains("--allow-unidentified 10"), "{line}");
    assert_eq!(published.status.code(), Some(0), "{}", text(&published.stderr));
    assert_eq!(ids(&stage.read("list")).len(), 50);

    let scene = Scene::new(Schedule { accounts: 5, gone_each: 5, ..Schedule::default() });
    let pull = ["pull", "--robot", "r1", "--out", "list.jsonl", "--settle", "1s"];
    let first = text(&scene.verb(&pull).stderr);
    assert!(first.ends_with("list.jsonl\n  first list: later changes count from it\n"), "{first}");
    let refused = text(&scene.verb(&pull).stderr);
    let like = scene.command(&[]);
    let published = shell(&like, next(&refused));
    let said = text(&published.stderr);
    assert_eq!(
        (published.status.code(), scene.simulator.counts().requests),
        (Some(0), 2),
        "{said}"
    );
    assert!(said.trim_end().ends_with(": 5 gone") && said.contains("since the list of "), "{said}");

    let scene = Scene::new(lost_on(1));
    scene.verb(&pull);
    let held = text(&scene.verb(&[&pull[..], &["--max-gone", "15%"]].concat()).stderr);
    assert!(next(&held).starts_with("qopen pulls accept "), "{held}");
    let accepted = shell(&scene.command(&[]), next(&held));
    let said = text(&accepted.stderr);
    assert_eq!(accepted.status.code(), Some(0), "{said}");
    assert!(said.trim_end().ends_with(": 10 gone"), "{said}");
}

#[test]
fn a_place_that_cannot_be_written_gets_the_list_without_another_request() {
    let scene = Scene::new(Schedule { accounts: 9, ..Schedule::default() });
    let place = scene.folder.path().join("list.jsonl");
    let pull = ["pull", "--robot", "r1", "--out", "list.jsonl", "--settle", "1s"];
    scene.verb(&pull);
    std::fs::write(&place, "no list\n").unwrap();
    let said = text(&scene.verb(&pull).stderr);
    assert!(next(&said).contains("--new-baseline"), "{said}");
    let published = shell(&scene.command(&[]), next(&said));
    assert_eq!(published.status.code(), Some(0), "{}", text(&published.stderr));
    assert_eq!((scene.list("list.jsonl").len(), scene.simulator.counts().requests), (9, 2));
}

#[test]
fn a_setup_that_fails_is_checked_first_and_no_secret_is_repeated() {
    let refusal = Some(Refusal { code: 60011, message: "no such robot".into() });
    let stage = Stage::new(&Schedule { refusal, ..Schedule::default() });
    let forward = "http://127.0.0.1:9/canary-path";
    let arguments = ["--robot", "r1", "--out", "list", "--forward", forward];
    let output = stage.run(&arguments);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), next(&said)), (Some(5), "qopen doctor --online"), "{said}");
    let line = said.trim_end().lines().last().unwrap();
    assert!(line.contains("--forward URL") && !said.contains("canary"), "{said}");
}

#[test]
fn captured_callbacks_are_assembled_again() {
    let folder = tempfile::tempdir().unwrap();
    let page = r#"{"event_type":42016,"err_code":0,"robot_id":"r1","data":{"mark_id":"m","has_more":true,"account_list":[{"account_id":"a"}]}}"#;
    std::fs::write(folder.path().join("some calls.jsonl"), page).unwrap();
    let arguments = ["assemble", "some calls.jsonl", "--out", "list.jsonl"];
    let output = crate::support::qopen(folder.path(), &arguments).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(next(&said), "qopen assemble 'some calls.jsonl' --out list.jsonl");
}
