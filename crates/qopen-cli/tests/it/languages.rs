//! Texts in Chinese, the names of their explanations, and what stays English.

use std::path::Path;
use std::process::Command;

use qopen_simulator::{Refusal, Schedule};
use serde_json::Value;

use crate::support::{Stage, qopen, steady, text, with_settings};

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
    assert!(said.starts_with("r1：0 个分页，0 位客户；距上一个 0 秒；正在等待"), "{said}");

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
