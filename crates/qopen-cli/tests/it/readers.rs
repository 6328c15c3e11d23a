//! Readers of standard output and standard error that close the pipe (invariant I16).

use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;

use crate::served::{Served, expected, http};
use crate::support::{Killed, Stage, ids, text};

fn schedule() -> Schedule {
    Schedule { accounts: 60, page_size: 10, ..Schedule::default() }
}

/// A pipe whose reader has left already.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn i16_a_pull_outlives_whoever_reads_what_it_says() {
    let streams: [fn() -> Stdio; 2] = [left, full];
    for stream in streams {
        for json in [false, true] {
            for both in [false, true] {
                let stage = Stage::new(&schedule());
                let mut command = stage.pull(&["--robot", "r1", "--out", "list", "-vvv"]);
                if json {
                    command.arg("--json");
                }
                command.stderr(stream());
                if both {
                    command.stdout(stream());
                }
                let code = command.status().unwrap().code();
                assert_eq!(ids(&stage.read("list")), expected(&schedule(), "r1"));
                assert_eq!(code, Some(0));
            }
        }
    }
}

/// A pipe that is full, and its reader.
fn stuck() -> (PipeReader, Stdio) {
    const MOST: usize = 64 << 10;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; MOST]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    (reader, writer.into())
}

/// The list is there before anything that is said of it is read; then nothing of that is lost.
#[test]
fn i16_a_pull_waits_for_its_reader_at_the_end_alone() {
    let stage = Stage::new(&schedule());
    let (mut reader, stderr) = stuck();
    let mut command = stage.pull(&["--robot", "r1", "--out", "list", "-vvv"]);
    let mut process = command.stderr(stderr).spawn().unwrap();
    drop(command);
    let began = Instant::now();
    while !stage.exists("list") {
        assert!(began.elapsed() < Duration::from_secs(60), "the list is not there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ids(&stage.read("list")), expected(&schedule(), "r1"));
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert!(said.contains("robot r1: complete"), "{}", &said[said.len() - 500..]);
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

/// Waits a little, until it has been too long.
async fn waited(began: Instant, patience: Duration, what: &str) {
    assert!(began.elapsed() < patience, "{what}");
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Asks for a pull of robot r1 until the service answers.
async fn started(control: &str, wait: impl AsyncFn(&str)) {
    let http = http().build().unwrap();
    let url = format!("http://{control}/v1/pulls");
    let start = || {
        let start = http.post(&url).header("content-type", "application/json");
        start.body(r#"{"robot_id":"r1"}"#).send()
    };
    while start().await.is_err() {
        wait("it answers").await;
    }
}

/// A service whose log is not read works, and stops when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_service_waits_for_no_reader() {
    let stage = Stage::new(&schedule());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let control = format!("127.0.0.1:{}", crate::support::free_port());
    let mut command = Served::command(&stage, &["--control", &control, "--out", "lists", "-vvv"]);
    let (_reader, stderr) = stuck();
    command.stderr(stderr);
    let mut process = Killed(command.spawn().unwrap());
    let (began, patience) = (Instant::now(), Duration::from_secs(60));
    let wait = async |what: &str| waited(began, patience, what).await;
    started(&control, wait).await;
    while !stage.exists("lists/r1.jsonl") {
        wait("the list").await;
    }
    let term = ["-TERM", &process.0.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(term).status().unwrap().success());
    let ended = loop {
        if let Some(ended) = process.0.try_wait().unwrap() {
            break ended;
        }
        wait("its end").await;
    };
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_list_that_nobody_takes_is_not_called_written() {
    let stage = Stage::new(&schedule());
    for stream in [left(), full()] {
        let mut command = stage.pull(&["--robot", "r1", "--out", "-", "--new"]);
        let output = command.stdout(stream).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{said}");
        assert!(!said.contains("written to standard output"), "{said}");
    }
    // It is closed, and what is opened in its place takes everything.
    let shell = |redirection: &str| {
        let pull = stage.pull(&["--robot", "r1", "--out", "-", "--new"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")]);
        command.arg(pull.get_program()).args(pull.get_args());
        for (name, value) in pull.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(pull.get_current_dir().unwrap()).output().unwrap()
    };
    let output = shell(">&-");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    // Who wants nothing gets nothing.
    let output = shell(">/dev/null");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn an_answer_whose_reader_leaves_ends_quietly() {
    let stage = Stage::new(&schedule());
    assert!(stage.run(&["--robot", "r1", "--out", "list"]).status.success());
    for arguments in [&["list"][..], &["list", "--json"], &["check"]] {
        let mut command = stage.verb("pulls", arguments);
        let output = command.stdout(left()).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141));
        assert_eq!(text(&output.stderr), "");
        let mut command = stage.verb("pulls", arguments);
        let output = command.stdout(full()).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert!(text(&output.stderr).contains("standard output cannot be written"));
    }
}

/// A service without a reader does its work.
#[tokio::test(flavor = "multi_thread")]
async fn i16_a_service_outlives_whoever_reads_what_it_says() {
    let stage = Stage::new(&schedule());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let port = crate::support::free_port();
    let control = format!("127.0.0.1:{port}");
    let settings = "[[schedule]]\ncron = '* * * * *'\nrobots = ['r2']\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let arguments =
        ["--control", &control, "--out", "lists", "--settle", "1s", "--idle-timeout", "4s"];
    let mut command = stage.verb("serve", &arguments);
    command.stderr(left()).stdout(left());
    // A process group of its own, so that nothing else is told what it is told.
    let mut process = command.process_group(0).spawn().unwrap();
    let (began, patience) = (Instant::now(), Duration::from_secs(100));
    let wait = async |what: &str| waited(began, patience, what).await;
    started(&control, wait).await;
    // It prints something about each of these, without a reader.
    let hangup = ["-HUP", &process.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(hangup).status().unwrap().success());
    for list in ["lists/r1.jsonl", "lists/r2.jsonl"] {
        while !stage.exists(list) {
            wait(list).await;
        }
    }
    let http = http().build().unwrap();
    let metrics = http.get(format!("http://{control}/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for task in ["schedule", "retention", "reload"] {
        assert!(
            metrics.contains(&format!("qopen_tasks_ended_total{{task=\"{task}\"}} 0")),
            "{metrics}"
        );
    }
    let term = ["-TERM", &process.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(term).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
