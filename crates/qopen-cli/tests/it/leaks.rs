//! I10: secrets and customers' data are planted everywhere, everything is run with the log at TRACE,
//! and none of them is found where it does not belong.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use qopen::callback::{CallbackKeys, Keyring, TimestampPolicy};
use qopen::http::{FixedToken, Sender};
use qopen::journal::{Layer, PageRecord, Payload, PullId, Quarantined};
use qopen::types::{Account, Secret};
use qopen_simulator::{Chance, Dataset, ErrorFault, Schedule};
use serde_json::json;

use crate::served::{Served, json_of};
use crate::support::{SETTINGS, Stage, qopen, text, with_settings};

const CONTROL_TOKEN: &str = "canary-control-token";

/// What must not be found: every secret has `canary` in it, and what the simulated platform says of
/// its customers is known.
fn canaries(schedule: &Schedule) -> Vec<String> {
    let fixed = [
        "canary",
        "simulated-token",
        "avatar.example",
        "备注",
        "渠道",
        "系统",
        "分组",
        "标签",
        "later_field",
        "张三",
        "李四",
        "赵/六",
    ];
    let mut all: Vec<String> = fixed.map(str::to_owned).into();
    for robot in ["r1", "r2"] {
        let accounts = Dataset::new(schedule, &robot.parse().unwrap(), true).expected();
        for Account { account_id, profile, .. } in accounts.into_values() {
            let of_account = [profile.phone, profile.union_id, profile.external_user_id];
            all.push(account_id.as_str().to_owned());
            all.extend(of_account.into_iter().filter(|it| !it.is_empty()));
        }
    }
    all
}

/// What was said, and by whom.
struct Said<'a> {
    canaries: &'a [String],
    bytes: usize,
}

impl Said<'_> {
    fn check(&mut self, who: &str, what: &str) {
        self.bytes += what.len();
        if let Some(canary) = self.canaries.iter().find(|it| what.contains(it.as_str())) {
            let line = what.lines().find(|line| line.contains(canary.as_str())).unwrap_or("");
            panic!("{who} says {canary:?}: {line}");
        }
    }

    fn run(&mut self, who: &str, mut command: Command) -> Output {
        command.env("QOPEN_LOG", "trace");
        let output = command.output().unwrap();
        self.check(who, &text(&output.stderr));
        self.check(who, &text(&output.stdout));
        output
    }

    /// Every file but the lists, what goes with them, and the journal.
    fn check_files(&mut self, folder: &Path) {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let meant = ["list", "qopen-data", "captured"].iter().any(|it| name.starts_with(it));
            if !meant && path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                self.check(&name, &String::from_utf8_lossy(&bytes));
            }
            self.check("a file's name", &name);
        }
    }
}

fn schedule() -> Schedule {
    Schedule {
        accounts: 60,
        broken_accounts: 2,
        page_size: 10,
        forged: 3,
        foreign_events: 3,
        foreign_marks: 3,
        conflicts: 3,
        duplicates: Chance::new(50),
        token_uses: Some(1),
        unavailable: 1,
        unknown: true,
        ..Schedule::default()
    }
}

#[tokio::test]
async fn i10_no_secret_and_no_customer_is_found_where_it_does_not_belong() {
    let schedule = schedule();
    let canaries = canaries(&schedule);
    let mut said = Said { canaries: &canaries, bytes: 0 };
    pulls(&mut said, &schedule);
    failures(&mut said, &schedule);
    mistakes(&mut said);
    serving(&mut said, &schedule).await;
    debug(&mut said);
    assert!(said.bytes > 50_000, "the log was on: {} bytes", said.bytes);
}

/// A pull that comes out whole, and every verb that looks at what it left.
fn pulls(said: &mut Said<'_>, schedule: &Schedule) {
    let stage = Stage::new(schedule);
    let folder = stage.folder.path();
    let pull = ["--robot", "r1", "--out", "list", "--need-tags", "-vvv", "--json"];
    let output = said.run("pull", stage.pull(&pull));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let logged = text(&output.stderr);
    assert!(logged.contains("TRACE") && logged.contains("DEBUG"), "the log is on");
    assert!(stage.read("list").contains("备注"), "the list has what nothing else may have");
    let again = with_settings(qopen(folder, &["pulls", "list", "--json"])).output().unwrap();
    let mark: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    let mark = mark["mark_id"].as_str().unwrap();

    let page =
        &Dataset::new(schedule, &"r1".parse().unwrap(), true).pages(&mark.parse().unwrap())[0];
    let (token, aes) = (SETTINGS[2].1, SETTINGS[3].1.into());
    let ring = Keyring::new("app", CallbackKeys::new(token, &aes).unwrap());
    let sealed = ring.seal(&page.payload, "nonce", 1_700_000_000);
    let captured = serde_json::to_string(&sealed).unwrap();
    let broken = page.payload.replace("\"has_more\"", "\"has_more\":[],\"x\"");
    let broken = serde_json::to_string(&ring.seal(&broken, "nonce", 1)).unwrap();
    let forged = captured.replacen("nonce\":\"", "nonce\":\"x", 1);
    for (name, content) in [
        ("captured", &captured),
        ("captured.broken", &broken),
        ("captured.forged", &forged),
        ("captured.opened", &page.payload),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
        let explain = with_settings(qopen(folder, &["explain", name, "-vvv"]));
        said.run("explain", explain);
    }
    let assemble = ["assemble", "captured", "captured.broken", "--out", "list.assembled", "-vvv"];
    for (arguments, exit) in [
        (&["pulls", "list"][..], 0),
        (&["pulls", "show", mark], 0),
        (&["pulls", "show", mark, "--json"], 0),
        (&["pulls", "check"], 0),
        (&["quarantine", "list"], 0),
        (&["quarantine", "list", "--json"], 0),
        (&["quarantine", "retry"], 3),
        (&["doctor"], 0),
        (&assemble, 3),
    ] {
        let mut command = with_settings(qopen(folder, arguments));
        command.env("QOPEN_BASE_URL", "https://gateway.example").env("QOPEN_LISTEN", "127.0.0.1:0");
        command.env("QOPEN_ACCESS_TOKEN", "canary").env("QOPEN_CONTROL_TOKEN", CONTROL_TOKEN);
        command.env("QOPEN_CALLBACK_TOKEN_NEXT", "canary-next");
        let output = said.run(&arguments.join(" "), command);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", text(&output.stderr));
    }
    said.check_files(folder);
}

/// Pulls that fail, each in its own way, and one that is killed and resumed.
fn failures(said: &mut Said<'_>, schedule: &Schedule) {
    let reported = ErrorFault { code: 7, message: "no".into(), with_data: true, after_pages: 1 };
    for (name, faulty) in [
        ("last page lost", Schedule { lost_last_page: true, ..schedule.clone() }),
        ("page unreadable", Schedule { broken_page: Some(0), ..schedule.clone() }),
        ("credentials refused", Schedule { refuse_credentials: true, ..schedule.clone() }),
        ("silent", Schedule { silent: true, ..schedule.clone() }),
        ("error reported", Schedule { error: Some(reported), ..schedule.clone() }),
    ] {
        let stage = Stage::new(&faulty);
        let output = said.run(name, stage.pull(&["--robot", "r1", "--out", "list", "-vvv"]));
        assert_ne!(output.status.code(), Some(0), "{name}");
        said.check_files(stage.folder.path());
    }
    let stage = Stage::new(&Schedule { max_delay_ms: 3000, ..schedule.clone() });
    let mut command = stage.pull(&["--robot", "r1", "--out", "list", "-vvv"]);
    let log = std::fs::File::create(stage.folder.path().join("log")).unwrap();
    let mut process = command.env("QOPEN_LOG", "trace").stderr(log).spawn().unwrap();
    // Until pages are in the journal: it begins with room that was set aside.
    let pages = stage.folder.path().join("qopen-data/00000001.log");
    let written = || {
        let bytes = std::fs::read(&pages).unwrap_or_default();
        bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0)
    };
    let began = Instant::now();
    while written() < 2000 {
        assert!(began.elapsed() < Duration::from_secs(30), "no page came");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let output = said.run("taking up", stage.pull(&["--robot", "r1", "--out", "list", "-vvv"]));
    assert!(text(&output.stderr).contains("resuming the interrupted pull"));
    said.check_files(stage.folder.path());
}

/// Settings that cannot be used.
fn mistakes(said: &mut Said<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let pull = ["pull", "--robot", "r1", "--out", "list", "-vvv"];
    for (name, value) in [
        ("QOPEN_ENCODING_AES_KEY", "canary"),
        ("QOPEN_ENCODING_AES_KEY", "canary-canary-canary-canary-canary-canary-c"),
        ("QOPEN_ENCODING_AES_KEY_NEXT", "canary"),
        ("QOPEN_ACCESS_TOKEN", "canary\nwith a line's end"),
        ("QOPEN_BASE_URL", "https://user:canary@gateway.example"),
        ("QOPEN_BASE_URL", "canary@"),
    ] {
        let mut command = with_settings(qopen(folder.path(), &pull));
        command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_LISTEN", "127.0.0.1:0");
        let output = said.run(name, {
            command.env(name, value);
            command
        });
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {}", text(&output.stderr));
    }
    for secret in ["--app-secret", "--access-token", "--callback-token", "--encoding-aes-key"] {
        let command = with_settings(qopen(folder.path(), &["pull", secret, "x"]));
        let output = said.run(secret, command);
        assert_eq!(output.status.code(), Some(2), "a secret is no flag");
    }
    for content in ["app_secret = canary\n", "canary", "app_secret = [\"canary\"]\n"] {
        std::fs::write(folder.path().join("other.toml"), content).unwrap();
        let command = qopen(folder.path(), &["--config", "other.toml", "doctor"]);
        assert_eq!(said.run("settings file", command).status.code(), Some(2));
    }
}

/// The service: its log, and whatever its control API says but for the list.
async fn serving(said: &mut Said<'_>, schedule: &Schedule) {
    let stage = Stage::new(schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut command = Served::command(&stage, &["--out", "lists", "-vvv"]);
    command.env("QOPEN_LOG", "trace").env("QOPEN_CONTROL_TOKEN", CONTROL_TOKEN);
    let served = Served::spawn(command);
    let url = |path: &str| format!("{}{path}", served.control);
    let start = json!({ "robot_id": "r2", "need_tag_info": true }).to_string();
    let post = || {
        let post = served.http.post(url("/v1/pulls")).bearer_auth(CONTROL_TOKEN);
        post.header("content-type", "application/json")
    };
    let answer = post().body(start);
    let answer = json_of(answer.send().await.unwrap()).await;
    let mark = answer["mark_id"].as_str().unwrap().to_owned();
    let pull = format!("/v1/pulls/{mark}");
    let events = served.http.get(url(&format!("{pull}/events"))).bearer_auth(CONTROL_TOKEN);
    // It ends when the pull does.
    said.check("events", &events.send().await.unwrap().text().await.unwrap());
    for path in [
        &pull,
        "/v1/pulls",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/nowhere",
        "/v1/pulls/unknown",
        "/v1/pulls/unknown/accounts",
    ] {
        for token in [CONTROL_TOKEN, "wrong", ""] {
            let answer = served.http.get(url(path)).bearer_auth(token).send().await.unwrap();
            said.check(path, &format!("{:?}", answer.headers()));
            said.check(path, &answer.text().await.unwrap());
        }
    }
    for body in
        ["", "{", "[]", r#"{"robot_id":""}"#, r#"{"robot_id":1}"#, r#"{"robot_id":"a b\n"}"#]
    {
        let answer = post().body(body).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{body}");
        said.check(body, &answer.text().await.unwrap());
    }
    // What the verbs beside it say and log; the list itself goes to a file.
    for arguments in [
        &["pulls", "list", "--json"][..],
        &["pulls", "show", &mark],
        &["pulls", "export", &mark, "--out", "list-copy"],
        &["pulls", "export", "unknown", "--out", "list-copy"],
        &["quarantine", "list"],
        &["quarantine", "retry"],
    ] {
        for token in [CONTROL_TOKEN, "canary-of-another-token"] {
            let mut command = stage.verb(arguments[0], &arguments[1..]);
            command.env("QOPEN_LOG", "trace").env("QOPEN_CONTROL_TOKEN", token);
            let output = command.output().unwrap();
            let log = text(&output.stderr);
            assert!(log.contains("TRACE"), "the log is on");
            said.check("beside", &log);
            said.check("beside", &text(&output.stdout));
        }
    }
    assert!(stage.exists("list-copy"));
    let log = served.log();
    assert!(log.contains("TRACE"), "the log is on");
    said.check("serve", &log);
    served.stop();
    said.check_files(stage.folder.path());
}

/// Whatever holds a secret or a customer, as a debugger's print shows it.
fn debug(said: &mut Said<'_>) {
    let secret = Secret::new("canary");
    let aes = Secret::new("canary-canary-ca");
    let keys = CallbackKeys::new("canary", &aes).unwrap();
    let ring = Keyring::new("app", keys.clone());
    let payload = r#"{"event_type":42016,"robot_id":"r1","data":{"has_more":false,"mark_id":"m","account_list":[{"account_id":"canary","profile":{"name":"canary","phone":"canary"},"later":"canary","user_attr_field_list":[{"field_name":"canary","field_value":"canary"}],"tag_info_list":[{"tag_name":"canary"}]}]}}"#;
    let envelope = ring.seal(payload, "nonce", 1);
    let body = serde_json::to_vec(&envelope).unwrap();
    let verified = ring.verify(&body).unwrap();
    let opened = verified.open(1, TimestampPolicy::default()).unwrap();
    let account: Account =
        serde_json::from_str(r#"{"account_id":"canary","profile":{"alias":"canary"}}"#).unwrap();
    let callback: qopen::types::RobotAccountListCallback = serde_json::from_str(payload).unwrap();
    let skim = qopen::types::CallbackSkim::read(payload).unwrap();
    let pull = PullId { robot_id: "r1".parse().unwrap(), mark_id: "m".parse().unwrap() };
    let page = PageRecord::new(pull.clone(), Payload::new(payload));
    let item = Quarantined::new(Some(pull), Layer::Shape, "unreadable", Payload::new(payload));
    let fixed = Sender::builder("https://gateway.example").access_token("canary");
    let grant = Sender::builder("https://gateway.example").app_credentials("app", "canary");
    for (name, printed) in [
        ("Secret", format!("{secret:?}")),
        ("CallbackKeys", format!("{keys:?}")),
        ("Keyring", format!("{ring:?}")),
        ("VerifiedEnvelope", format!("{verified:?}")),
        ("OpenedCallback", format!("{opened:?}")),
        ("Account", format!("{account:?}")),
        ("RobotAccountListCallback", format!("{callback:?}")),
        ("CallbackSkim", format!("{skim:?}")),
        ("PageRecord", format!("{page:?}")),
        ("Quarantined", format!("{item:?}")),
        ("SenderBuilder", format!("{fixed:?} {grant:?}")),
        ("Sender", format!("{:?} {:?}", fixed.build().unwrap(), grant.build().unwrap())),
        ("FixedToken", format!("{:?}", FixedToken::new("canary"))),
    ] {
        said.check(name, &printed);
    }
}
