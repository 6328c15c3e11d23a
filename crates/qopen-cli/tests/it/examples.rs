//! The examples of the guide for programs that read lists over HTTP, as the guide has them.

use std::path::Path;
use std::process::Command;

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::served::Served;
use crate::support::{Stage, ids, installed, python_with, text};

const READERS: &str = "QOPEN_TEST_READERS";

const GUIDE: &str = include_str!("../../../../docs/GUIDE.md");

/// The example under a heading of the guide, with the service's address, robot r1, and a mark.
fn example(heading: &str, served: &Served, mark: &str) -> String {
    let section = GUIDE.split_once(&format!("\n### {heading}\n")).expect("the heading").1;
    let (_, begin) = section.split_once("\n```").expect("an example");
    let (_, code) = begin.split_once('\n').expect("a language");
    let (code, _) = code.split_once("\n```").expect("its end");
    let address = "http://127.0.0.1:8081";
    assert!(code.contains(address) && !code.contains("\n#"), "{code}");
    code.replace(address, &served.control).replace("ROBOT_ID", "r1").replace("MARK", mark)
}

/// A service with two lists of 60 and 54 customers, and the first one's mark.
async fn served(stage: &Stage) -> (Served, String) {
    let served = Served::with_lists(stage, &[]);
    let first = served.published("r1").await;
    served.published("r1").await;
    (served, first)
}

fn stage() -> Stage {
    Stage::new(&Schedule { accounts: 60, gone_each: 7, new_each: 1, ..Schedule::default() })
}

/// Runs a program in a folder, without proxies and settings of this machine.
fn run(program: &Path, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        if name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments).env("HOME", folder);
    // dlt asks its makers' server nothing.
    command.env("RUNTIME__DLTHUB_TELEMETRY", "false").env("DLT_DATA_DIR", folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The changes that the service has since a list.
async fn changes(served: &Served, mark: &str) -> String {
    served.get(&format!("/v1/robots/r1/changes?since={mark}")).await.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_reads_the_list_and_does_not_read_it_again() {
    let Some(shell) = installed(&["sh"], READERS) else { return };
    if installed(&["curl"], READERS).is_none() {
        return;
    }
    let stage = stage();
    let (served, mark) = served(&stage).await;
    let code = format!("set -e\n{}", example("curl", &served, &mark));
    let folder = tempfile::tempdir().unwrap();
    let robots: Value = serde_json::from_str(&run(&shell, &["-c", &code], folder.path())).unwrap();
    assert_eq!(robots["robots"][0]["last"]["accounts"], 54);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("customers.jsonl"), stage.read("lists/r1.jsonl"));
    assert_eq!(read("changes.jsonl"), changes(&served, &mark).await);
    // A file that the second answer does not touch.
    std::fs::write(folder.path().join("customers.jsonl"), "kept").unwrap();
    run(&shell, &["-c", &code], folder.path());
    assert_eq!(read("customers.jsonl"), "kept");
    // The changes since the list that the client has.
    let listed = served.get("/v1/robots/r1/accounts").await;
    let mark = listed.headers()["qopen-mark"].to_str().unwrap().to_owned();
    let code = format!("set -e\n{}", example("curl", &served, &mark));
    served.published("r1").await;
    run(&shell, &["-c", &code], folder.path());
    assert_eq!(read("customers.jsonl"), stage.read("lists/r1.jsonl"));
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pandas_reads_texts_as_texts_and_times_as_times() {
    let Some(python) = python_with("pandas", READERS) else { return };
    let stage = stage();
    let (served, mark) = served(&stage).await;
    let code = example("pandas", &served, &mark);
    let report = "
import json
one = customers.iloc[0]
print(json.dumps({
    'robots': last[['robot_id', 'last.accounts']].to_dict('records'),
    'ids': customers['account_id'].tolist(),
    'phones': [type(it).__name__ for it in customers['profile.phone']],
    'first': [one['account_id'], one['profile.name'], one['profile.add_at'].isoformat()],
    'changes': changes[['account_id', 'change']].values.tolist(),
}))";
    let folder = tempfile::tempdir().unwrap();
    let read = run(&python, &["-c", &format!("{code}{report}")], folder.path());
    let read: Value = serde_json::from_str(&read).unwrap();
    let list = stage.read("lists/r1.jsonl");
    assert_eq!(read["robots"], json!([{"robot_id": "r1", "last.accounts": 54}]));
    assert_eq!(read["ids"], json!(ids(&list)));
    assert!(read["phones"].as_array().unwrap().iter().all(|it| it == "str"), "{read}");
    let first: Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    let at = first["profile"]["add_at"].as_i64().unwrap();
    let at = jiff::Timestamp::from_second(at).unwrap().strftime("%Y-%m-%dT%H:%M:%S+00:00");
    let expected = json!([first["account_id"], first["profile"]["name"], at.to_string()]);
    assert_eq!(read["first"], expected);
    let lines = changes(&served, &mark).await;
    let changes = lines.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let changes: Value = changes
        .filter(|it| it["type"] == "change")
        .map(|it| json!([it["account_id"], it["change"]]))
        .collect();
    assert_eq!(read["changes"], changes);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn dlt_loads_robots_and_customers_and_replaces_them() {
    let Some(python) = python_with("dlt, duckdb", READERS) else { return };
    let stage = stage();
    let (served, mark) = served(&stage).await;
    // A robot without a list: its pull was ended.
    let open = served.start_pull("r2").await;
    assert_eq!(
        served.ask(reqwest::Method::DELETE, &format!("/v1/pulls/{open}")).await.status(),
        202
    );
    let code = example("dlt", &served, &mark);
    let report = "
import json
with pipeline.sql_client() as client:
    ask = lambda query: [list(it) for it in client.execute_sql(query)]
    print('\\n' + json.dumps({
        'robots': ask('SELECT robot_id FROM robots ORDER BY 1'),
        'ids': ask('SELECT account_id FROM customers ORDER BY 1'),
        'phone': ask('SELECT DISTINCT typeof(profile__phone) FROM customers'),
        'changes': ask(\"SELECT count(*) FROM last_changes WHERE type = 'change'\"),
    }))";
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let read = run(&python, &["-c", &format!("{code}{report}")], folder.path());
        let read: Value = serde_json::from_str(read.lines().last().unwrap()).unwrap();
        assert_eq!(read["robots"], json!([["r1"], ["r2"]]));
        let expected: Value =
            ids(&stage.read("lists/r1.jsonl")).iter().map(|it| json!([it])).collect();
        assert_eq!(read["ids"], expected);
        assert_eq!(read["phone"], json!([["VARCHAR"]]));
        let lines = stage.read("lists/r1.jsonl.changes.jsonl").lines().count();
        assert_eq!(read["changes"], json!([[lines - 1]]));
        served.published("r1").await;
    }
    assert_eq!(served.stop().code(), Some(0));
}
