//! `qopen init` with flags, variables and answers, without a terminal.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use qopen_simulator::{Schedule, SimulatedRobot};

use crate::support::{SETTINGS, Stage, free_port, limited, qopen, steady, text, with_settings};

fn robots(ids: &[&str]) -> Stage {
    let robot = |id: &&str| SimulatedRobot::host(id.parse().unwrap(), "客服\n[[x]]");
    let robots = ids.iter().map(robot).collect();
    Stage::new(&Schedule { accounts: 30, robots, ..Schedule::default() })
}

fn said(output: &Output) -> String {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("canary"), "{said}");
    said
}

fn run(mut command: Command, exit: i32) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

/// What is in the folder besides the simulator's own.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_file_of_flags_and_variables_is_enough_for_doctor_and_a_pull() {
    let stage = robots(&["r1", "r2"]);
    let arguments = [
        "init",
        "--robot",
        "r2",
        "--callback-url",
        "https://app.example/qopen/callback",
        "--callback-path",
        "/callback",
    ];
    // A wide mask of the process makes the file no wider.
    let command = with_settings(qopen(stage.folder.path(), &arguments));
    let mut command = limited("-S -c 0; umask 0", &command);
    command.env("QOPEN_LISTEN", &stage.listen).env("QOPEN_BASE_URL", &stage.base_url);
    let said = run(command, 0);
    let port = stage.listen.split_once(':').unwrap().1;
    let shown = |text: &str| {
        let text = text.replace(&stage.base_url, "BASE-URL").replace(port, "PORT");
        steady(&text, stage.folder.path())
    };
    insta::assert_snapshot!("init_says", shown(&said));
    insta::assert_snapshot!("init_writes", shown(&stage.read("qopen.toml")));
    assert_eq!(mode(&stage.folder.path().join("qopen.toml")), 0o600);
    assert_eq!(names(stage.folder.path()), ["qopen.toml"]);
    // Nothing but the file.
    let doctor = run(qopen(stage.folder.path(), &["doctor", "--online"]), 0);
    assert!(doctor.contains("ok    settings file: qopen.toml"), "{doctor}");
    assert!(doctor.contains("ok    access token") && !doctor.contains("WARN"), "{doctor}");
    let next = said.lines().find(|it| it.starts_with("qopen pull ")).unwrap();
    let next: Vec<&str> = next.split(' ').skip(1).collect();
    assert_eq!(next, ["pull", "--robot", "r2", "--out", "customers.jsonl"]);
    run(qopen(stage.folder.path(), &[&next[..], &["--settle", "1s"]].concat()), 0);
    assert_eq!(stage.read("customers.jsonl").lines().count(), 30);
}

#[test]
fn answers_come_by_standard_input_and_the_only_robot_is_taken() {
    let stage = robots(&["r1"]);
    let [key, secret, token, aes] = SETTINGS.map(|it| it.1);
    let answers = format!(
        "base_url = '{}'\napp_key = '{key}'\napp_secret = '{secret}'\ncallback_token = '{token}'\nencoding_aes_key = '{aes}'\nmax_connections = 64\n",
        stage.base_url
    );
    let file = stage.folder.path().join("a file.toml");
    let arguments = ["init", "--answers", "-", "--config", "a file.toml"];
    let mut command = qopen(stage.folder.path(), &arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let next = "qopen pull --robot r1 --out customers.jsonl --config 'a file.toml'";
    assert!(said.contains(next), "{said}");
    assert_eq!(mode(&file), 0o600);
    let doctor = run(qopen(stage.folder.path(), &["doctor", "--config", "a file.toml"]), 0);
    assert!(doctor.contains("64 at once"), "{doctor}");
    // Answers are in no file, and are not quoted.
    let mut command = qopen(stage.folder.path(), &["init", "--answers", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"app_key = canary\n").unwrap();
    let wrong = self::said(&child.wait_with_output().unwrap());
    let begin = "qopen: the answers on standard input: line 1 ";
    assert!(wrong.starts_with(begin) && !wrong.contains("canary"), "{wrong}");
    // A schedule is no answer.
    std::fs::write(stage.folder.path().join("s"), "[[schedule]]\ncron='@daily'\nrobots='all'")
        .unwrap();
    let said = run(qopen(stage.folder.path(), &["init", "--answers", "s"]), 2);
    assert!(said.contains("the answers in s: answers are settings; add [[schedule]]"), "{said}");
    let said = run(qopen(stage.folder.path(), &["init", "--answers", "missing"]), 2);
    assert!(said.contains("the answers in missing: No such file"), "{said}");
    let said = run(qopen(stage.folder.path(), &["init", "--answers", "/dev/zero"]), 2);
    assert!(said.contains("/dev/zero: more than 1048576 bytes are no answers"), "{said}");
}

#[test]
fn everything_that_is_missing_or_wrong_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = run(qopen(folder.path(), &["init"]), 2);
    insta::assert_snapshot!("init_misses", steady(&missing, folder.path()));
    let mut command = qopen(folder.path(), &["init", "--listen", "8080"]);
    command.env("QOPEN_ENCODING_AES_KEY", "canary").env("QOPEN_BASE_URL", "a.example");
    let said = run(command, 2);
    for part in [
        "6 settings are missing or cannot be used",
        "the app key is not set",
        "the app secret is not set",
        "the callback token is not set",
        "(from QOPEN_ENCODING_AES_KEY) cannot be used",
        "(from --listen) cannot be used",
        "(from QOPEN_BASE_URL) cannot be used",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for (flag, value, part) in [
        ("--callback-url", "https://me:canary@a.example/", "no user and password"),
        ("--callback-url", "https://a.example/a%20b", "only letters, digits"),
        ("--robot", "a\u{200b}b", "--robot: "),
        ("--out", "missing/list.jsonl", "missing"),
    ] {
        let mut command = with_settings(qopen(folder.path(), &["init", flag, value]));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9");
        let said = run(command, 2);
        assert!(said.contains(part), "{flag} {value}: {said}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn credentials_that_the_platform_refuses_are_not_written() {
    let stage = robots(&["r1"]);
    let init = |rest: &[&str]| stage.verb("init", rest);
    let mut wrong = init(&[]);
    wrong.env("QOPEN_APP_SECRET", "canary-of-another-app");
    let said = run(wrong, 5);
    assert!(said.contains("refused the app key or secret"), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
    let mut fixed = init(&[]);
    fixed.env("QOPEN_ACCESS_TOKEN", "canary-token");
    let said = run(fixed, 5);
    assert!(said.contains("QOPEN_ACCESS_TOKEN") && said.contains("nothing was written"), "{said}");
    let said = run(init(&["--robot", "r9"]), 2);
    assert!(said.contains("r9 is no robot of the app that can be pulled; there are: r1"), "{said}");
    assert_eq!(names(stage.folder.path()), [""; 0]);
}

#[test]
fn without_the_platform_the_file_is_written_only_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let init = |rest: &[&str]| {
        let mut command = with_settings(qopen(folder.path(), &[&["init"], rest].concat()));
        command.env("QOPEN_BASE_URL", format!("http://127.0.0.1:{}", free_port()));
        command
    };
    let said = run(init(&["--robot", "r1"]), 1);
    assert!(said.contains("nothing was written; check QOPEN_BASE_URL, or"), "{said}");
    assert_eq!(names(folder.path()), [""; 0]);
    let said = run(init(&["--offline", "--robot", "r1"]), 0);
    assert!(said.contains("the platform was not asked, because of --offline"), "{said}");
    assert!(said.contains("qopen pull --robot r1 --out customers.jsonl"), "{said}");
    run(qopen(folder.path(), &["doctor", "--listen", "127.0.0.1:0"]), 0);
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let init = |config: &str| {
        let arguments = ["init", "--offline", "--config", config];
        let mut command = with_settings(qopen(folder.path(), &arguments));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9");
        command
    };
    std::fs::write(folder.path().join("there"), "theirs").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    std::os::unix::fs::symlink("there", folder.path().join("link")).unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for (config, what) in [
        ("there", "there exists, and is not overwritten"),
        ("link", "link exists"),
        ("dangling", "is a symbolic link to a file that does not exist"),
        ("folder", "folder exists"),
        ("/dev/stdout", "/dev/stdout exists"),
    ] {
        let said = run(init(config), 2);
        assert!(said.contains(what) && said.contains("--config"), "{said}");
    }
    let said = run(init("no/folder.toml"), 7);
    assert!(said.contains("no/folder.toml cannot be written: No such file"), "{said}");
    assert_eq!(names(folder.path()), ["dangling", "folder", "link", "there"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("there")).unwrap(), "theirs");
}
