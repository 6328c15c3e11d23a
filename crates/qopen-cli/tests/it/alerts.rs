//! The alert rules and the board: they use only metrics, labels and values that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::metrics::{Metric, documented, read};
use crate::served::Served;
use crate::support::{Stage, installed, text};

/// Labels that Prometheus adds.
const TARGET: [&str; 2] = ["job", "instance"];

/// Words of the language of queries, and functions that the files use.
const WORDS: [&str; 16] = [
    "and",
    "by",
    "count",
    "histogram_quantile",
    "increase",
    "label_values",
    "max",
    "min",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
    "vector",
    "without",
];

fn packaging(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

/// A metric of an expression, and its conditions.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    name: String,
    matchers: Vec<(String, String)>,
}

/// The metrics of an expression, and the labels that it groups by.
fn parse(expression: &str) -> (Vec<Selector>, Vec<String>) {
    let (mut selectors, mut grouped) = (Vec::new(), Vec::new());
    let mut rest = expression;
    while let Some(start) = rest.find(|it: char| it.is_ascii_alphabetic() || it == '[') {
        // A digit before makes it the end of a number, such as `1e3`.
        rest = &rest[start..];
        if rest.starts_with('[') {
            rest = &rest[rest.find(']').unwrap()..];
            continue;
        }
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if matches!(word, "by" | "on" | "without") {
            let (labels, after) = after.trim_start()[1..].split_once(')').unwrap();
            grouped.extend(labels.split(',').map(|it| it.trim().to_owned()));
            rest = after;
        } else if word == "label_values" {
            let (selector, label) = after[1..].trim_end_matches(')').rsplit_once(',').unwrap();
            grouped.push(label.trim().to_owned());
            rest = selector;
        } else if !WORDS.contains(&word) {
            let mut matchers = Vec::new();
            if let Some(inner) = after.strip_prefix('{') {
                let (inner, after) = inner.split_once('}').unwrap();
                for matcher in inner.split(',').map(str::trim) {
                    let (label, value) = matcher.split_once('=').unwrap();
                    let value = value.trim_start_matches('~').trim_matches('"');
                    matchers.push((label.trim_end_matches('!').to_owned(), value.to_owned()));
                }
                rest = after;
            }
            selectors.push(Selector { name: word.to_owned(), matchers });
        }
    }
    (selectors, grouped)
}

/// Everything in an expression that does not exist.
fn unknown(expression: &str, metrics: &BTreeMap<String, Metric>) -> Vec<String> {
    let mut wrong = Vec::new();
    let (selectors, grouped) = parse(expression);
    if selectors.is_empty() {
        wrong.push(format!("no metric in {expression:?}"));
    }
    let up = Metric::default();
    let mut labels: BTreeSet<&str> = TARGET.into();
    for Selector { name, matchers } in &selectors {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it));
        let of_part = part.and_then(|it| metrics.get(it)).filter(|it| match it.kind.as_str() {
            "histogram" => true,
            "summary" => !name.ends_with("_bucket"),
            _ => false,
        });
        let found = metrics.get(name).filter(|it| matches!(it.kind.as_str(), "counter" | "gauge"));
        let Some(metric) = found.or(of_part).or((name == "up").then_some(&up)) else {
            wrong.push(name.clone());
            continue;
        };
        labels.extend(metric.label.as_deref());
        labels.extend(name.ends_with("_bucket").then_some("le"));
        for (label, value) in matchers {
            let is_variable = value.starts_with('$');
            match metric.label.as_deref() == Some(label) {
                true if is_variable || label == "robot_id" => {}
                true => wrong.extend(
                    value
                        .split('|')
                        .filter(|it| !metric.values.contains(*it))
                        .map(|it| format!("{name}{{{label}={it:?}}}")),
                ),
                false if TARGET.contains(&label.as_str()) => {}
                false => wrong.push(format!("{name}{{{label}}}")),
            }
        }
    }
    wrong.extend(grouped.into_iter().filter(|it| !labels.contains(it.as_str())));
    wrong
}

/// The names of alerts, each with its expression and the anchor of its runbook.
fn rules() -> Vec<(String, String, String)> {
    let rules = std::fs::read_to_string(packaging("prometheus/qopen.rules.yml")).unwrap();
    let alerts = rules.split("- alert: ").skip(1).map(|rule| {
        let field = |name: &str| {
            let line = rule.lines().find_map(|it| it.trim().strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} is not in {rule}")).trim().to_owned()
        };
        let anchor = field("runbook_url:").split_once("docs/OPERATIONS.md#").unwrap().1.to_owned();
        (rule.lines().next().unwrap().to_owned(), field("expr:"), anchor)
    });
    alerts.collect()
}

/// The expressions of the board, its variables included.
fn queries(board: &Value) -> Vec<String> {
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array();
        assert!(panel["type"] == "row" || targets.is_some_and(|it| !it.is_empty()), "{panel}");
        for target in targets.into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            queries.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            queries.push(variable["definition"].as_str().unwrap().to_owned());
        }
    }
    queries
}

fn board() -> Value {
    let board = std::fs::read(packaging("grafana/qopen.json")).unwrap();
    serde_json::from_slice(&board).unwrap()
}

#[tokio::test]
async fn the_rules_and_the_board_use_only_metrics_that_a_service_has() {
    let stage = Stage::new(&Schedule::default());
    let served = Served::with_lists(&stage, &[]);
    // A robot has its label once it has a pull.
    served.published("r1").await;
    let metrics = read(&served.metrics().await);
    let (rules, board) = (rules(), board());
    let queries = queries(&board);
    assert!(rules.len() >= 15 && queries.len() >= 40, "{} {}", rules.len(), queries.len());
    for expression in rules.iter().map(|it| &it.1).chain(&queries) {
        let wrong = unknown(expression, &metrics);
        assert!(wrong.is_empty(), "{wrong:?} in {expression}");
    }
    // The check itself.
    for (expression, wrong) in [
        ("max(qopen_lists_hold) > 0", "qopen_lists_hold"),
        ("rate(node_cpu_seconds_total[5m])", "node_cpu_seconds_total"),
        ("qopen_lists_held{robot_id=\"r\"}", "qopen_lists_held{robot_id}"),
        ("sum by (robot) (qopen_lists_held)", "robot"),
        (
            "qopen_pulls_ended_total{outcome=~\"complete|lost\"}",
            "qopen_pulls_ended_total{outcome=\"lost\"}",
        ),
        ("rate(qopen_journal_sync_seconds_bucket[5m])", "qopen_journal_sync_seconds_bucket"),
        ("rate(qopen_publication_duration_seconds[5m])", "qopen_publication_duration_seconds"),
        ("label_values(qopen_build_info, robot_id)", "robot_id"),
    ] {
        assert_eq!(unknown(expression, &metrics), [wrong], "{expression}");
    }
    // Most of what there is can be seen on the board.
    let shown: BTreeSet<String> =
        queries.iter().flat_map(|it| parse(it).0).map(|it| it.name).collect();
    assert!(shown.len() > documented().len() * 3 / 4, "{shown:?}");
}

#[test]
fn each_alert_has_its_runbook_and_the_board_its_data_source() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let headings: BTreeSet<_> =
        page.lines().filter_map(|it| it.strip_prefix("### Qopen")).collect();
    let rules = rules();
    for (name, _, anchor) in &rules {
        assert_eq!(*anchor, name.to_lowercase());
        assert!(headings.contains(name.strip_prefix("Qopen").unwrap()), "### {name}");
    }
    assert_eq!(rules.len(), headings.len(), "{headings:?}");
    let board = board();
    assert_eq!((&board["uid"], &board["title"]), (&"qopen".into(), &"qopen".into()));
    let variable = &board["templating"]["list"][0];
    assert_eq!(
        (&variable["name"], &variable["type"]),
        (&"datasource".into(), &"datasource".into())
    );
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_hold() {
    let Some(promtool) = installed(&["promtool"], "QOPEN_TEST_PROMTOOL") else { return };
    for arguments in [
        &["check", "rules", "--lint=all", "--lint-fatal", "qopen.rules.yml"][..],
        &["test", "rules", "qopen.rules.test.yml"],
    ] {
        let mut command = Command::new(&promtool);
        let output = command.args(arguments).current_dir(packaging("prometheus")).output().unwrap();
        let said = text(&[output.stdout, output.stderr].concat());
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}
