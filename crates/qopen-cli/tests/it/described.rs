//! The control API against its own description.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::served::Served;
use crate::support::{Killed, Stage, free_port, installed};

/// Time limit for all requests.
const PATIENCE: Duration = Duration::from_secs(90);

const CONFIG: &str = r#"
[[operations]]
include-operation-id = ["listAccounts", "listRobotAccounts", "listChanges", "listPulls"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "404", "409", "5xx"]
"#;

#[test]
fn made_up_requests_find_neither_an_internal_error_nor_an_answer_that_is_not_described() {
    let Some(program) = installed(&["schemathesis"], "QOPEN_TEST_SCHEMATHESIS") else { return };
    let stage = Stage::new(&Schedule::default());
    // Pulls that are started find no platform, and fail at once.
    let platform = format!("http://127.0.0.1:{}", free_port());
    let mut command = Served::command(&stage, &[]);
    command.env("QOPEN_BASE_URL", &platform);
    let served = Served::spawn(command);

    // The options of CSV are refused with another format, and a robot or a revision without its mark, which a
    // description cannot say.
    let config = stage.folder.path().join("schemathesis.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let mut checks = Command::new(program);
    checks.args(["run", &format!("{}/openapi.json", served.control), "--url", &served.control]);
    checks.args(["--phases", "coverage,fuzzing,stateful", "--checks", "all"]);
    // A pull that is open is ended first, and is still there then.
    checks.args(["--exclude-checks", "use_after_free"]);
    checks.args(["--max-examples", "20", "--seed", "1", "--no-color", "--continue-on-failure"]);
    let log = stage.folder.path().join("schemathesis.log");
    let file = std::fs::File::create(&log).unwrap();
    checks.current_dir(stage.folder.path()).stdin(Stdio::null());
    checks.stderr(file.try_clone().unwrap()).stdout(file);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        checks.env_remove(name);
    }
    let mut checks = Killed(checks.spawn().unwrap());
    let began = Instant::now();
    let ended = loop {
        if let Some(ended) = checks.0.try_wait().unwrap() {
            break ended;
        }
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(began.elapsed() < PATIENCE, "it takes too long\n{said}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(ended.success(), "{said}\n{}", served.log());
    // Every operation but the description itself was asked.
    assert!(said.contains("Tested: 20"), "{said}");
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn its_description_is_valid_and_whole() {
    let stage = Stage::new(&Schedule::default());
    let served = Served::new(&stage, &[], None);
    let description = served.get("/openapi.json").await.text().await.unwrap();
    let spec = oas3::from_json(&description).unwrap();
    let operations: BTreeSet<(String, String)> =
        spec.operations().map(|(path, method, _)| (method.to_string(), path.to_string())).collect();
    // Each is there, and answers with a status that is described.
    for (path, method, operation) in spec.operations() {
        let path = path.replace("{mark_id}", "unknown").replace("{item}", &"0".repeat(32));
        let answer = served.ask(method.clone(), &path).await;
        let status = answer.status().as_u16().to_string();
        let described = operation.responses.as_ref().unwrap();
        assert!(described.contains_key(&status), "{method} {path}: {status}");
        // What the doors answer, any operation may.
        let doors: &[&str] = match path.as_str() {
            "/healthz" | "/readyz" => &["405"],
            "/openapi.json" => &["400", "403", "405", "421"],
            _ => &["400", "401", "403", "405", "408", "413", "415", "421"],
        };
        for status in doors {
            assert!(described.contains_key(*status), "{method} {path}: {status}");
        }
        let no_path = answer.text().await.unwrap().contains("there is no such path");
        assert!(!no_path, "{method} {path}");
    }
    assert_eq!(operations.len(), 21);
    // And whatever refers to something finds it.
    let json: Value = serde_json::from_str(&description).unwrap();
    let mut left = vec![&json];
    while let Some(value) = left.pop() {
        if let Some(Value::String(target)) = value.get("$ref") {
            assert!(json.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
        match value {
            Value::Object(object) => left.extend(object.values()),
            Value::Array(array) => left.extend(array),
            _ => {}
        }
    }
}
