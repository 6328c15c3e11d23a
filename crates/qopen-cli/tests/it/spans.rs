//! Spans of pulls in the log.

use std::collections::BTreeSet;

use qopen_simulator::Schedule;
use serde_json::{Value, json};

use crate::support::{Stage, text};

#[test]
fn lines_of_a_log_in_json_have_the_spans_that_they_belong_to() {
    let stage = Stage::new(&Schedule { accounts: 30, page_size: 10, ..Schedule::default() });
    let output = stage.run(&["--robot", "r1", "--out", "list", "--log-format", "json", "-v"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines: Vec<Value> = said
        .lines()
        .map(|it| serde_json::from_str(it).unwrap_or_else(|_| panic!("{it}")))
        .collect();
    for line in &lines {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{name} is not in {line}");
        }
        let names: BTreeSet<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names.contains("span"), names.contains("spans"), "{line}");
    }
    let find = |message: &str| {
        let found = lines.iter().find(|it| it["message"] == message);
        found.unwrap_or_else(|| panic!("{message} is not in {said}"))
    };
    let ended = find("pull ended");
    let mark = ended["span"]["mark_id"].as_str().unwrap();
    let pull = json!({ "name": "pull", "robot_id": "r1", "mark_id": mark, "origin": "new" });
    assert_eq!((&ended["span"], &ended["spans"]), (&pull, &json!([pull])));
    assert_eq!(ended["status"], "complete");
    let accepted = find("request accepted");
    assert_eq!(accepted["spans"], json!([pull, { "name": "request", "outcome": "accepted" }]));
    assert_eq!(accepted["span"], accepted["spans"][1]);
}
