//! Texts in Chinese, the names of their explanations, and what stays English.

use std::path::Path;
use std::process::Command;

use qopen_simulator::{Refusal, Schedule, SimulatedRobot};
use serde_json::Value;

use crate::robots_all::{new_customer, post};
use crate::served::Served;
use crate::support::{Stage, qopen, steady, text, with_settings};
use crate::terminal;
use crate::webhooks::SECRET;

fn in_chinese(mut command: Command) -> Command {
    command.env("LC_ALL", "zh_CN.UTF-8");
    command
}

fn said_by(folder: &Path, command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    steady(&format!("exit {}\n{out}{err}", output.status.code().unwrap()), folder)
}

/// Lines of a pull without its progress.
fn summary(said: &str) -> String {
    said.lines().filter(|it| !it.starts_with("r1：")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_end_of_a_pull_has_a_chinese_summary_with_the_same_command() {
    let refusal = Some(Refusal { code: 60011, message: "no such robot".into() });
    let plain = Schedule { accounts: 60, page_size: 10, ..Schedule::default() };
    for (name, schedule, exit) in [
        ("complete", plain.clone(), 0),
        ("lost_last_page", Schedule { lost_last_page: true, ..plain.clone() }, 3),
        ("unreadable_page", Schedule { broken_page: Some(1), ..plain.clone() }, 3),
        ("silent", Schedule { silent: true, ..plain.clone() }, 4),
        ("forged", Schedule { lost_pages: (0..6).collect(), forged: 2, ..plain.clone() }, 4),
        ("refused", Schedule { refusal, ..plain.clone() }, 5),
        ("credentials", Schedule { refuse_credentials: true, ..plain }, 5),
    ] {
        let stage = Stage::new(&schedule);
        let mut command = in_chinese(stage.pull(&["--robot", "r1", "--out", "list"]));
        let said = said_by(stage.folder.path(), &mut command);
        assert!(said.starts_with(&format!("exit {exit}\n")), "{name}: {said}");
        insta::assert_snapshot!(format!("pull_{name}"), summary(&said));
    }
}

#[test]
fn failures_are_chinese_by_flag_variable_or_locale_and_the_flag_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let pull = ["pull", "--robot", "r", "--out", "list"];
    let missing = said_by(folder.path(), &mut in_chinese(qopen(folder.path(), &pull)));
    insta::assert_snapshot!("settings_missing", missing);
    let pull_to = ["pull", "--robot", "r", "--out", "list.txt"];
    let ending = said_by(folder.path(), &mut in_chinese(qopen(folder.path(), &pull_to)));
    assert!(ending.starts_with("exit 2\nqopen: --out list.txt：扩展名 .txt 未知"), "{ending}");
    let english = said_by(folder.path(), &mut qopen(folder.path(), &pull));
    assert!(english.contains("settings are missing"), "{english}");
    for (arguments, env, is_chinese) in [
        (&["--lang", "zh"][..], &[("LC_ALL", "C")][..], true),
        (&["--lang=en"], &[("LC_ALL", "zh_CN.UTF-8")], false),
        (&["--lang", "en"], &[("QOPEN_LANG", "zh")], false),
        (&[], &[("QOPEN_LANG", "zh")], true),
        (&[], &[("QOPEN_LANG", " \"ZH\" "), ("LC_ALL", "C")], true),
        (&[], &[("QOPEN_LANG", "en"), ("LC_ALL", "zh_CN.UTF-8")], false),
        (&[], &[("QOPEN_LANG", ""), ("LC_ALL", "zh_CN.UTF-8")], true),
        (&[], &[("LC_ALL", ""), ("LC_MESSAGES", "zh_CN"), ("LANG", "en_US")], true),
        (&[], &[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "zh_TW.UTF-8")], true),
        (&[], &[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")], false),
    ] {
        let mut command = qopen(folder.path(), &[&pull[..], arguments].concat());
        command.env_remove("LANG").env_remove("LC_MESSAGES").envs(env.iter().copied());
        let expected = if is_chinese { &missing } else { &english };
        assert_eq!(&said_by(folder.path(), &mut command), expected, "{arguments:?} {env:?}");
    }
    // A wrong language is named, in the language of the locale.
    let mut command = in_chinese(qopen(folder.path(), &["robots", "list"]));
    let wrong = said_by(folder.path(), command.env("QOPEN_LANG", "french"));
    assert!(wrong.starts_with("exit 2\nqopen: ") && wrong.contains("QOPEN_LANG='zh'"), "{wrong}");
    let wrong =
        said_by(folder.path(), &mut qopen(folder.path(), &["pulls", "list", "--lang", "fr"]));
    assert!(wrong.contains("invalid value 'fr' for '--lang <LANG>'"), "{wrong}");
}

#[test]
fn what_programs_read_is_english_and_names_its_explanation() {
    let folder = tempfile::tempdir().unwrap();
    // Failures of settings as objects.
    let mut command = in_chinese(qopen(
        folder.path(),
        &["pull", "--robot", "r,s", "--out", "list", "--log-format", "json"],
    ));
    let output = command.output().unwrap();
    let lines = text(&output.stderr);
    let objects: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = objects.last().unwrap();
    assert_eq!((&last["level"], &last["explain"]), (&"ERROR".into(), &"setting-missing".into()));
    assert!(last["message"].as_str().unwrap().contains("settings are missing"), "{lines}");

    let stage = Stage::new(&Schedule { lost_last_page: true, ..Schedule::default() });
    let arguments = ["--robot", "r1", "--out", "list", "--json"];
    let output = in_chinese(stage.pull(&arguments)).output().unwrap();
    let lines = text(&output.stdout);
    assert!(lines.is_ascii(), "{lines}");
    let summary: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(summary["explain"], "last-page-missing");
    assert!(summary["error"].as_str().unwrap().ends_with("pull again"), "{summary}");
    assert!(summary["next"].as_str().unwrap().ends_with("requests the list anew"), "{summary}");
    // Objects on standard error, because the list has standard output.
    let arguments = ["--robot", "r1", "--out", "-", "--json"];
    let lines = text(&in_chinese(stage.pull(&arguments)).output().unwrap().stderr);
    assert!(lines.is_ascii(), "{lines}");
}

#[test]
fn names_of_messages_are_explained_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["explain", "no-callback", "Rejected_Signature"];
    insta::assert_snapshot!("explain", said_by(folder.path(), &mut qopen(folder.path(), &names)));
    let chinese = said_by(folder.path(), &mut in_chinese(qopen(folder.path(), &names)));
    insta::assert_snapshot!("explain_zh", chinese);
    for (arguments, exit, part) in [
        (&["no-calback"][..], 2, "did you mean no-callback?"),
        (&["no-callback", "nothing"], 2, "only one callback"),
        (&["no-such-file"], 2, "no-such-file"),
    ] {
        let all = [&["explain"], arguments].concat();
        let said = said_by(folder.path(), &mut qopen(folder.path(), &all));
        assert!(said.starts_with(&format!("exit {exit}\n")) && said.contains(part), "{said}");
    }
    // A file that is called like a name is read by its path.
    std::fs::write(folder.path().join("usage"), "{}").unwrap();
    let said = said_by(folder.path(), &mut qopen(folder.path(), &["explain", "./usage"]));
    assert!(said.contains("FAIL  envelope"), "{said}");
}

/// Every name behind `more: qopen explain` or in brackets has an entry: `qopen explain` prints it.
#[test]
fn names_that_messages_give_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], env: &[(&str, &str)]| {
        let mut command = qopen(folder.path(), arguments);
        said_by(folder.path(), command.envs(env.iter().copied()))
    };
    let lists = ["pull", "--robot", "r", "--out", "list"];
    let all = [
        run(&lists, &[]),
        run(&["doctor"], &[("QOPEN_LISTEN", "8080"), ("QOPEN_APP_KEY", " k"), ("QOPEN_lang", "x")]),
        run(&["pulls", "list"], &[("QOPEN_LOG", "debgu"), ("QOPEN_DATA_DIR", "nowhere")]),
        said_by(
            folder.path(),
            &mut with_settings(qopen(folder.path(), &[&lists[..], &["--robot", "a,b"]].concat())),
        ),
    ]
    .concat();
    let names: Vec<&str> = all
        .lines()
        .flat_map(|line| match line.split_once("more: qopen explain ") {
            Some((_, names)) => names.split(' ').collect(),
            None => Vec::from_iter(line.strip_suffix(']').and_then(|it| it.rsplit('[').next())),
        })
        .collect();
    for name in ["setting-missing", "setting-wrong", "setting-cleaned", "log-level"] {
        assert!(names.contains(&name), "{name}: {all}");
    }
    for name in names {
        let explained = run(&["explain", name], &[]);
        assert!(explained.starts_with(&format!("exit 0\n{name}: ")), "{explained}");
    }
}

#[test]
fn progress_and_the_diagnosis_of_a_callback_are_chinese() {
    let stage = Stage::new(&Schedule { accounts: 60, page_size: 10, ..Schedule::default() });
    let output = in_chinese(stage.pull(&["--robot", "r1", "--out", "list"])).output().unwrap();
    let said = text(&output.stderr);
    // A slow machine has some pages before the first line.
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("r1：") && first.contains("位客户；距上一个 "), "{said}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("callback"), "a=b&c=d").unwrap();
    let mut command = in_chinese(qopen(folder.path(), &["explain", "callback"]));
    assert_eq!(
        said_by(folder.path(), &mut command),
        "exit 1\nok    请求体：7 字节\nFAIL  信封：请求体不是 JSON 对象\n      看起来是表单：平台发送的是 JSON\n      更多：qopen explain rejected-malformed\n"
    );
    let mut command = in_chinese(with_settings(qopen(folder.path(), &["doctor"])));
    insta::assert_snapshot!(
        "doctor_zh",
        said_by(folder.path(), command.env("QOPEN_LISTEN", "127.0.0.1:0"))
    );
}

/// Returns the lines without Chinese, and those with a word in Latin letters that is no path, flag or address, and not
/// `data`: a name, a command or a setting.
fn not_chinese<'a>(lines: impl Iterator<Item = &'a str>, data: &[&str]) -> Vec<&'a str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_-./:".contains(it);
    let is_word = |it: &&str| it.len() > 1 && it.chars().all(|it| it.is_ascii_alphabetic());
    let is_foreign = |line: &&str| {
        let words = line.split(|it| !is_part(it)).map(|it| it.trim_end_matches(['.', ':']));
        let mut words = words.filter(is_word);
        let is_han = |it: char| ('\u{4E00}'..='\u{9FFF}').contains(&it);
        !line.contains(is_han) || words.any(|it| !data.contains(&it))
    };
    lines.filter(is_foreign).collect()
}

/// What `qopen VERB …` writes on a terminal in Chinese, without colours.
fn at_terminal(stage: &Stage, verb: &str, arguments: &[&str]) -> String {
    let command = stage.verb(verb, &[arguments, &["--lang", "zh"]].concat());
    let output = terminal::on_terminal(&command, 300, "");
    let said = text(&output.stdout).replace('\r', "");
    steady(&console::strip_ansi_codes(&said), stage.folder.path())
}

/// The lines of lists have no English word at a terminal, and none but English ones in a pipe.
#[test]
fn kept_pulls_items_and_robots_are_chinese_at_a_terminal_and_english_in_a_pipe() {
    const DATA: [&str; 7] = ["JSON", "MARK", "accept", "pull", "pulls", "qopen", "resume"];
    if !terminal::is_there() {
        return;
    }
    let robots = ["r1", "p2"].map(|it| SimulatedRobot::host(it.parse().unwrap(), "N1"));
    let plain = Schedule {
        accounts: 60,
        page_size: 10,
        gone_each: 4,
        robots: robots.to_vec(),
        ..Schedule::default()
    };
    let well = Stage::new(&plain);
    let pull = |stage: &Stage, arguments: &[&str], exit| {
        let output = stage.run(&[&["--robot", "r1", "--out", "l.jsonl"], arguments].concat());
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
    };
    let mut shown: Vec<(&Stage, &str, Vec<String>)> = Vec::new();
    pull(&well, &[], 0);
    pull(&well, &[], 0);
    pull(&well, &["--max-gone", "0"], 3);
    let damaged = Stage::new(&Schedule { broken_page: Some(1), lost_last_page: true, ..plain });
    pull(&damaged, &[], 3);
    let refused = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    pull(&refused, &[], 4);
    for stage in [&well, &damaged, &refused] {
        let listed = text(&stage.verb("pulls", &["list"]).output().unwrap().stdout);
        let marks = listed.lines().skip(1).map(|it| it.split('\t').next().unwrap().to_owned());
        shown.extend(marks.map(|mark| (stage, "pulls", vec!["show".to_owned(), mark])));
        for arguments in [["pulls", "list"], ["pulls", "check"], ["quarantine", "list"]] {
            shown.push((stage, arguments[0], vec![arguments[1].to_owned()]));
        }
    }
    shown.push((&well, "robots", vec!["list".to_owned()]));
    for (stage, verb, arguments) in shown {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = at_terminal(stage, verb, &arguments);
        // A library wrote the reason of an item.
        let own = |line| match verb {
            "quarantine" => str::rsplit_once(line, '：').map_or(line, |(own, _)| own),
            _ => line,
        };
        let foreign = not_chinese(said.lines().map(own), &DATA);
        assert!(!said.is_empty() && foreign.is_empty(), "{verb} {arguments:?}: {foreign:#?}");
        let piped = |command: &mut Command| {
            let bytes = command.output().unwrap().stdout;
            // The age of a list grows.
            let age = |it: &str| it.strip_suffix('s').is_some_and(|it| it.parse::<u32>().is_ok());
            let fields = text(&bytes).replace('\n', "\n\t");
            fields.split('\t').filter(|it| !age(it)).collect::<Vec<_>>().join("\t")
        };
        let english = piped(&mut stage.verb(verb, &arguments));
        assert_eq!(piped(&mut in_chinese(stage.verb(verb, &arguments))), english);
        assert!(english.is_ascii(), "{english}");
    }
}

#[test]
fn checks_of_schedules_and_online_are_chinese() {
    const DATA: [&str; 30] = [
        "AES",
        "EncodingAESKey",
        "FAIL",
        "FOLDER",
        "GetAccessToken",
        "ID",
        "NTP",
        "SQLite",
        "TCP",
        "TLS",
        "URL",
        "UTC",
        "WARN",
        "chmod",
        "error",
        "hourly",
        "key",
        "list",
        "lists",
        "ok",
        "os",
        "out",
        "qopen",
        "robots",
        "schedule",
        "secret",
        "serve",
        "unexpected",
        "usage",
        "webhook",
    ];
    let stage = Stage::new(&Schedule::default());
    let settings = "time_zone = 'UTC'
        [[schedule]]\ncron = '@hourly'\nrobots = ['r1']\nout = '.'\nmax_gone = 3
        [[schedule]]\ncron = '@hourly'\nrobots = 'all'\nexcept = ['a1', 'b1', 'c1', 'd1']
        pull_on_new_customer = '10m'
        [[schedule]]\ncron = '@hourly'\nrobots = []\nout = '.'
        [[schedule]]\ncron = '@hourly'\nrobots = ['r1']\nout = 'n1'
        [[webhook]]\nurl = 'http://127.0.0.1:9'\nevents = ['list.held']";
    let settings = format!("{settings}\nsecret = '{SECRET}'\n");
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    for env in [
        &[][..],
        &[("QOPEN_ACCESS_TOKEN", "canary")],
        &[("QOPEN_PROXY", "http://127.0.0.1:1")],
        &[("QOPEN_BASE_URL", "http://127.0.0.1:1")],
        &[("QOPEN_APP_SECRET", "")],
    ] {
        let mut command = in_chinese(stage.verb("doctor", &["--online"]));
        let said = said_by(stage.folder.path(), command.envs(env.iter().copied()));
        let (_, checks) = said.split_once("\n\n").unwrap();
        let foreign = not_chinese(checks.lines().filter(|it| !it.is_empty()), &DATA);
        assert!(foreign.is_empty(), "{foreign:#?}");
    }
}

/// A service that starts, that new customers make pull, and that is started again while its pull is open.
#[tokio::test]
async fn lines_of_a_service_are_chinese() {
    const DATA: [&str; 3] = ["MARK", "UTC", "qopen"];
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let settings = "time_zone = 'UTC'
        [[schedule]]\ncron = '0 0 1 1 *'\nrobots = ['r1']\npull_on_new_customer = '1s'";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let serve = || {
        let arguments = ["--out", "lists", "--idle-timeout", "10m"];
        Served::spawn(in_chinese(Served::command(&stage, &arguments)))
    };
    let served = serve();
    for (nonce, what) in [("n1", "：已开始 机器人 r1 标记 "), ("n2", "：跳过 机器人 r1 标记 ")]
    {
        post(&stage, &[new_customer("r1", nonce)]).await;
        served.until_it_says(1, what).await;
    }
    let first = served.log();
    assert!(served.stop().success());
    let served = serve();
    served.until_it_says(1, "1 次未完成的拉取正在继续").await;
    for log in [first, served.log()] {
        let log = steady(&log, stage.folder.path());
        let foreign = not_chinese(log.lines(), &DATA);
        assert!(foreign.is_empty(), "{foreign:#?}");
    }
    assert!(served.stop().success());
}
