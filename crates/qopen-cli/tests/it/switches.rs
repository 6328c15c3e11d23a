//! The terminal's switches, signals, and `doctor --online`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::served::Served;
use crate::support::{Stage, qopen, text, with_settings};

const VERBS: [&str; 14] = [
    "demo",
    "init",
    "listen",
    "pull",
    "serve",
    "simulate",
    "assemble",
    "explain",
    "pulls",
    "quarantine",
    "migrate",
    "journal",
    "doctor",
    "completions",
];

fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Whether a program can be used here. Says so where it cannot, and fails where it must.
pub(crate) fn is_usable(program: &str, arguments: &[&str], required: &str) -> bool {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let usable = ran.is_ok_and(|it| it.status.success());
    if !usable {
        assert_ne!(std::env::var(required).as_deref(), Ok("required"), "{program} is required");
        #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
        {
            println!(
                "SKIPPED: `{program} {}` does not work here; {required}=required makes this fail",
                arguments.join(" ")
            );
        }
    }
    usable
}

#[test]
fn short_help_has_a_verbs_own_options_and_long_help_the_settings_too() {
    let folder = tempfile::tempdir().unwrap();
    let help = |arguments: &[&str]| {
        let output = qopen(folder.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        text(&output.stdout)
    };
    for verb in VERBS {
        let (short, long) = (help(&[verb, "-h"]), help(&[verb, "--help"]));
        for option in ["--base-url", "--journal", "--color", "--log-format"] {
            assert!(!short.contains(option), "{verb} -h: {short}");
            assert!(long.contains(option), "{verb} --help: {long}");
        }
        assert!(short.contains("Use --help to see the settings too."), "{verb} -h: {short}");
        assert!(!long.contains("Use --help"), "{verb} --help: {long}");
    }
    assert!(help(&["pulls", "list", "-h"]).contains("Use --help to see the settings too."));
    assert!(help(&["--help"]).contains("Exit codes:"));
}

#[test]
fn colours_follow_the_switch_then_the_environment_and_never_a_pipe() {
    let stage = Stage::new(&Schedule::default());
    // Help, an error of the command line, and a log line.
    let texts: [&[&str]; 3] = [&["--help"], &["--robots"], &["doctor", "--online", "-vv"]];
    for (switch, env, coloured) in [
        (None, &[][..], false),
        (None, &[("TERM", "xterm")], false),
        (None, &[("CLICOLOR_FORCE", "1")], true),
        (None, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (Some("--color=auto"), &[], false),
        (Some("--color=always"), &[], true),
        (Some("--color=always"), &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
        (Some("--color=never"), &[("CLICOLOR_FORCE", "1")], false),
    ] {
        for arguments in texts {
            let mut command = stage.verb(arguments[0], &arguments[1..]);
            command.args(switch);
            for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
                command.env_remove(name);
            }
            let said = said(&command.envs(env.iter().copied()).output().unwrap());
            assert_eq!(
                said.contains('\u{1B}'),
                coloured,
                "{arguments:?} {switch:?} {env:?}: {said}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn only_a_capable_terminal_gets_a_line_that_changes() {
    if !is_usable("script", &["-qec", "true", "/dev/null"], "QOPEN_TEST_TERMINAL") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text_log = "demo --accounts 30 -v";
    let json_log = "demo --accounts 30 -v --log-format json";
    for (term, verb, live) in
        [("dumb", text_log, false), ("xterm", text_log, true), ("xterm", json_log, false)]
    {
        let demo = qopen(folder.path(), &[]);
        let command = format!("{} {verb}", demo.get_program().to_string_lossy());
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(folder.path());
        script.env("TERM", term).env_remove("NO_COLOR").env_remove("CLICOLOR").stdin(Stdio::null());
        let output = script.output().unwrap();
        let said = text(&output.stdout);
        assert!(said.contains("30 customers"), "{said}");
        assert_eq!(said.contains('\u{1B}'), live, "{term}: {said:?}");
        // A terminal that cannot change lines gets plain ones.
        assert!(said.contains(" s since the last"), "{term}: {said:?}");
    }
}

/// Every line is an object with the names that a collector looks for.
fn objects(said: &str) -> Vec<Value> {
    let object = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("bare: {line}"));
        for name in ["timestamp", "level", "message"] {
            assert!(object[name].is_string(), "{line}");
        }
        object
    };
    said.lines().map(object).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_log_in_json_no_line_is_bare() {
    let stage = Stage::new(&Schedule::default());
    let mut command = Served::command(&stage, &["--log-format", "json", "-vv"]);
    // Something to warn of.
    command.env("QOPEN_APP_KEY", "app\n").env("QOPEN_LISTN", "x");
    let mut served = Served::spawn(command);
    served.signal("HUP");
    let began = Instant::now();
    while !served.log().contains("were read again") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    served.signal("TERM");
    assert!(served.process.wait().unwrap().success());
    // What is read of its log may be behind.
    served.until_it_says(1, "stopping").await;
    let all = objects(&served.log());
    let has = |level: &str, part: &str| {
        all.iter().any(|it| it["level"] == level && it["message"].as_str().unwrap().contains(part))
    };
    assert!(has("INFO", "callbacks on http://") && has("WARN", "a line break"), "{all:?}");
    assert!(has("WARN", "did you mean QOPEN_LISTEN?") && has("INFO", "stopping"), "{all:?}");

    // Failures too: of a setting, of the command line, of a setting of the log itself.
    for (arguments, env, part) in [
        (&["serve"][..], ("QOPEN_LISTEN", "8080"), "QOPEN_LISTEN"),
        (&["pull", "--robots"], ("A", ""), "--robots"),
        (&["pull", "--out", "x"], ("QOPEN_LOG", "["), "QOPEN_LOG"),
    ] {
        let mut command = with_settings(qopen(stage.folder.path(), arguments));
        let output = command.env(env.0, env.1).env("QOPEN_LOG_FORMAT", "JSON").output().unwrap();
        let all = objects(&text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(all.len() == 1 && all[0]["level"] == "ERROR", "{all:?}");
        assert!(all[0]["message"].as_str().unwrap().contains(part), "{all:?}");
    }
}

#[test]
fn the_report_in_json_is_the_same_under_a_log_in_json() {
    let stage = Stage::new(&Schedule { accounts: 3, ..Schedule::default() });
    let robot = ["--robot", "r1", "--out", "-", "--json", "--log-format", "json"];
    let output = stage.run(&robot);
    let err = text(&output.stderr);
    let summary = err.lines().last().unwrap();
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!((&summary["type"], &summary["status"]), (&"summary".into(), &"complete".into()));
}

/// Waits until the process handles SIGTERM.
#[cfg(target_os = "linux")]
fn until_it_hears(process: u32) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(30), "it never handles SIGTERM");
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
        if caught & 1 << 14 != 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The only child of a process.
#[cfg(target_os = "linux")]
fn child_of(process: &Child) -> u32 {
    let id = process.id();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(30), "it has no child");
        let all = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        if let Some(child) = all.ok().and_then(|it| it.trim().parse().ok()) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of verbs that are sent SIGTERM, each as a child of `around`.
#[cfg(target_os = "linux")]
fn terminate(around: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let simulate = ["simulate", "--on", "127.0.0.1:0"];
    for (verb, exit, says) in [
        (&simulate[..], 0, "0 requests, 0 callbacks taken of 0 sent, 0 given up"),
        (&["demo", "--accounts", "300000"], 130, "qopen: interrupted"),
        (&["assemble", "--out", "list"], 130, "qopen: interrupted"),
        (&["explain"], 130, "qopen: interrupted"),
    ] {
        let bare = qopen(folder.path(), verb);
        let (first, rest) = around.split_first().map_or((None, &[][..]), |it| (Some(it.0), it.1));
        let mut command = Command::new(first.map_or(bare.get_program(), |it| it.as_ref()));
        if first.is_some() {
            command.args(rest).arg(bare.get_program());
        }
        command
            .args(verb)
            .current_dir(folder.path())
            .envs(bare.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let id = if first.is_some() { child_of(&process) } else { process.id() };
        until_it_hears(id);
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = String::new();
        // These say when they are ready.
        let ready = match verb[0] {
            "simulate" => "QOPEN_ENCODING_AES_KEY",
            "demo" => "a simulated platform sends",
            _ => "",
        };
        while !said.contains(ready) {
            said += &lines.next().expect("it says more").unwrap();
        }
        let killed = Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap();
        assert!(killed.success());
        lines.map_while(Result::ok).for_each(|line| said += &line);
        let ended = process.wait().unwrap();
        assert_eq!(ended.code(), Some(exit), "{verb:?}: {said}");
        assert!(said.contains(says), "{verb:?}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn sigterm_ends_verbs_in_good_order() {
    terminate(&[]);
}

#[cfg(target_os = "linux")]
#[test]
fn sigterm_ends_verbs_that_are_the_first_process_of_a_container() {
    const UNSHARE: [&str; 6] =
        ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let arguments = [&UNSHARE[1..], &["true"]].concat();
    if is_usable(UNSHARE[0], &arguments, "QOPEN_TEST_UNSHARE") {
        terminate(&UNSHARE);
    }
}

#[test]
fn doctor_online_asks_for_a_token_and_says_what_it_cannot_check() {
    let stage = Stage::new(&Schedule::default());
    let run = |env: &[(&str, &str)]| {
        let mut command = stage.verb("doctor", &["--online"]);
        let output = command.envs(env.iter().copied()).output().unwrap();
        let said = said(&output);
        assert!(!said.contains("canary"), "{said}");
        (output.status.code().unwrap(), said)
    };
    let (exit, well) = run(&[]);
    assert_eq!(exit, 0, "{well}");
    for part in [
        "ok    platform: 127.0.0.1:",
        "ok    access token: ",
        "\nnot checked:\n  robots: ",
        "  callback URL: ",
    ] {
        assert!(well.contains(part), "{part}: {well}");
    }
    let (exit, refused) = run(&[("QOPEN_APP_SECRET", "canary-other")]);
    assert_eq!(exit, 5, "{refused}");
    assert!(refused.contains("FAIL  access token: "), "{refused}");

    let (exit, fixed) = run(&[("QOPEN_ACCESS_TOKEN", "canary-token")]);
    assert_eq!(exit, 0, "{fixed}");
    assert!(fixed.contains("  access token: a fixed one") && !fixed.contains("ok    access token"));

    let (exit, away) = run(&[("QOPEN_BASE_URL", "http://127.0.0.1:1")]);
    assert_eq!(exit, 1, "{away}");
    assert!(
        away.contains("FAIL  platform: 127.0.0.1:1 cannot be reached; is QOPEN_BASE_URL right?")
    );
    let (exit, unknown) = run(&[("QOPEN_BASE_URL", "http://no-such-host.invalid")]);
    assert_eq!(exit, 1, "{unknown}");
    assert!(
        unknown.contains("FAIL  platform: no-such-host.invalid:80 cannot be resolved"),
        "{unknown}"
    );

    // No proxy at all: the connection is direct, whatever the environment has.
    let none = [("QOPEN_PROXY", "none"), ("https_proxy", "http://127.0.0.1:1")];
    let (exit, direct) = run(&none);
    assert_eq!(exit, 0, "{direct}");
    assert!(direct.contains("ok    platform: ") && !direct.contains("a proxy is set"), "{direct}");
    // A password on the command line is named once.
    let url = "postgres://u:canary@127.0.0.1:1/x";
    let once = said(&stage.verb("doctor", &["--journal", url]).output().unwrap());
    assert_eq!(once.matches("a password does not belong").count(), 1, "{once}");
    assert!(!once.contains("canary"), "{once}");

    // Settings come first.
    let (exit, wrong) = run(&[("QOPEN_APP_SECRET", ""), ("QOPEN_LISTEN", "8080")]);
    assert_eq!(exit, 2, "{wrong}");
    assert!(
        wrong.contains("app secret is not set") && wrong.contains("not checked online"),
        "{wrong}"
    );
}

#[test]
fn doctor_names_a_taken_port_and_makes_nothing() {
    let stage = Stage::new(&Schedule::default());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = stage.verb("doctor", &[]);
    let output = command.env("QOPEN_LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(said.contains(&format!("FAIL  listener: {address} cannot be listened on")), "{said}");
    assert!(!stage.exists("qopen-data"));
}
