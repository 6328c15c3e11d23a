//! The figures of a service: their names, labels and number.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use qopen::callback::{CallbackKeys, Keyring};
use qopen_simulator::Schedule;
use serde_json::json;

use crate::callbacks::{TOKEN, callback, connect, now, ring, say};
use crate::served::Served;
use crate::support::{SETTINGS, Stage, installed, text};

/// A metric: of the page, or of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) kind: String,
    pub(crate) label: Option<String>,
    /// Number of values that the label may have.
    pub(crate) most: usize,
    /// Values that the label has.
    pub(crate) values: BTreeSet<String>,
}

/// The table of `docs/OPERATIONS.md`. A unit test compares it with the declarations.
pub(crate) fn documented() -> BTreeMap<String, Metric> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split_once("| metric | type | label | meaning |\n").unwrap().1;
    let rows = table.split("\n\n").next().unwrap().lines().skip(1);
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let label = cells[2].split('`').nth(1).map(str::to_owned);
        let digits: String = cells[2].chars().filter(char::is_ascii_digit).collect();
        let most = digits.parse().unwrap_or(1);
        let kind = cells[1].to_owned();
        let metric = Metric { kind, label, most, values: BTreeSet::new() };
        (cells[0].trim_matches('`').to_owned(), metric)
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert!(rows.len() > 40, "{rows:?}");
    rows
}

/// The metrics of an answer.
pub(crate) fn read(answer: &str) -> BTreeMap<String, Metric> {
    let mut metrics = BTreeMap::<String, Metric>::new();
    let mut last = String::new();
    for line in answer.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let metric = Metric { kind: kind.to_owned(), most: 1, ..Metric::default() };
            assert!(metrics.insert(name.to_owned(), metric).is_none(), "{name} twice");
            name.clone_into(&mut last);
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let metric = metrics.get_mut(&last).unwrap();
            let name = series.split('{').next().unwrap();
            let is_part = ["_bucket", "_sum", "_count"].map(|part| format!("{last}{part}"));
            assert!(name == last || is_part.iter().any(|part| part == name), "{line}");
            if let Some((label, rest)) =
                series.split_once('{').and_then(|it| it.1.split_once("=\""))
                && label != "le"
            {
                metric.label = Some(label.to_owned());
                assert!(metric.values.insert(rest.trim_end_matches("\"}").to_owned()), "{line}");
            }
        }
    }
    metrics
}

/// The lines that are series.
fn series(answer: &str) -> BTreeSet<String> {
    let lines = answer.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn a_service_has_the_documented_metrics_and_no_other() {
    let stage = Stage::new(&Schedule { accounts: 20, ..Schedule::default() });
    let served = Served::with_lists(&stage, &[]);
    served.published("r1").await;
    let answer = served.metrics().await;
    let (documented, found) = (documented(), read(&answer));
    let names = |of: &BTreeMap<String, Metric>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&documented));
    for (name, metric) in &found {
        let expected = &documented[name];
        assert_eq!((&metric.kind, &metric.label), (&expected.kind, &expected.label), "{name}");
        assert!(metric.values.len() <= expected.most, "{name}: {metric:?}");
        // A value that appears with its first event would hide that event from an alert.
        let has_all = matches!(metric.label.as_deref(), None | Some("robot_id" | "task"));
        assert!(has_all || metric.values.len() == expected.most, "{name}: {metric:?}");
    }
    let help = answer.lines().filter(|it| it.starts_with("# HELP ")).count();
    assert_eq!(help, documented.len());

    let Some(promtool) = installed(&["promtool"], "QOPEN_TEST_PROMTOOL") else { return };
    let mut check = Command::new(promtool);
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = text(&[checked.stdout, checked.stderr].concat());
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[tokio::test]
async fn pulls_count_by_outcome_and_the_last_complete_list_is_known_after_a_restart() {
    let stage = Stage::new(&Schedule { accounts: 20, ..Schedule::default() });
    let began = now();
    let served = Served::with_lists(&stage, &[]);
    served.published("r1").await;
    served.until_metrics("qopen_pulls_ended_total{outcome=\"complete\"} 1\n").await;
    for line in [
        "qopen_pulls_ended_total{outcome=\"no_callback\"} 0",
        "qopen_publications_total{result=\"complete\"} 1",
        "qopen_publication_duration_seconds_bucket{le=\"+Inf\"} 1",
        "qopen_publication_duration_seconds_count 1",
        "qopen_journal_pulls_open 0",
        "qopen_lists_held 0",
    ] {
        assert!(served.metrics().await.contains(&format!("{line}\n")), "{line}");
    }
    assert!(served.figure("qopen_publication_duration_seconds_sum").await > 0.0);
    let last = "qopen_last_complete_list_timestamp_seconds{robot_id=\"r1\"}";
    let at = served.figure(last).await;
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let (from, to) = (began as f64, now() as f64 + 1.0);
    assert!((from..to).contains(&at), "{at} of {from} to {to}");
    assert!(served.stop().success());

    // The next process has the time, and the robot of a schedule that never had a list.
    let settings = "[[schedule]]\ncron = \"0 3 1 1 *\"\nrobots = [\"r2\"]\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    let silent = Served::new(&stage, &["--out", "lists", "--idle-timeout", "30s"], None);
    let never = "qopen_last_complete_list_timestamp_seconds{robot_id=\"r2\"} 0\n";
    silent.until_metrics(never).await;
    assert!((silent.figure(last).await - at).abs() < 0.01);
    assert!(silent.metrics().await.contains("qopen_pulls_ended_total{outcome=\"complete\"} 0\n"));
}

#[tokio::test]
async fn ends_without_a_list_count_and_leave_the_time_of_the_last_one() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::with_lists(&stage, &["--idle-timeout", "20s"]);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"] == "the first page").await;
    served.until_metrics("qopen_journal_pulls_open 1\n").await;
    served.ask(reqwest::Method::DELETE, &format!("/v1/pulls/{mark}")).await;
    served.until_metrics("qopen_pulls_ended_total{outcome=\"cancelled\"} 1\n").await;
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"] == "the first page").await;
    let report = json!({
        "event_type": 42016, "err_code": 7, "err_msg": "no", "robot_id": "r1",
        "data": { "mark_id": mark },
    });
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let report = callback(&ring(TOKEN), &report.to_string(), "n", now());
    assert_eq!(say(&mut stream, &[report]).await, [200]);
    served.until_metrics("qopen_pulls_ended_total{outcome=\"reported\"} 1\n").await;
    served.until_metrics("qopen_journal_pulls_open 0\n").await;
    let never = "qopen_last_complete_list_timestamp_seconds{robot_id=\"r1\"} 0\n";
    assert!(served.metrics().await.contains(never));
}

/// A page of some robot's pull.
fn page(ring: &Keyring, robot: &str, mark: &str, number: usize) -> Vec<u8> {
    let accounts = [json!({ "account_id": format!("canary-account-{number}") })];
    let data = json!({ "has_more": false, "mark_id": mark, "account_list": accounts });
    let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": robot, "data": data });
    callback(ring, &page.to_string(), &format!("n{number}"), now())
}

#[tokio::test]
async fn i11_what_comes_from_outside_makes_no_series() {
    const FLOOD: usize = 60;
    let stage = Stage::new(&Schedule::default());
    let served = Served::with_lists(&stage, &[]);
    let before = series(&served.metrics().await);
    let ours = ring(TOKEN);
    let mut requests = Vec::new();
    for number in 0..FLOOD {
        let name = format!("canary-{number}");
        // Signed: foreign robots and marks, and event types that do not exist.
        requests.push(page(&ours, &name, &name, number));
        let event = json!({ "event_type": 90_000 + number, "robot_id": name, "data": {} });
        requests.push(callback(&ours, &event.to_string(), &name, now()));
        // Signed by others, for other apps.
        let keys = CallbackKeys::new(name.as_str(), &SETTINGS[3].1.into()).unwrap();
        requests.push(page(&Keyring::new(name.as_str(), keys), "r1", "mark", number));
        let keys = CallbackKeys::new(name.as_str(), &SETTINGS[3].1.into()).unwrap();
        requests.push(page(&Keyring::new(SETTINGS[0].1, keys), "r1", "mark", number));
        let head = "HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
        requests.push(format!("POST /{name}?{name}={name} {head}").into_bytes());
        requests.push(format!("{} /callback {head}", name.to_uppercase()).into_bytes());
    }
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    for some in requests.chunks(30) {
        say(&mut stream, some).await;
    }
    for name in ["unknown_marks", "other_events", "other_paths", "other_methods"] {
        let counted = served.figure(&format!("qopen_callbacks_{name}_total")).await;
        assert!(counted >= f64::from(u32::try_from(FLOOD).unwrap()), "{name}: {counted}");
    }
    let answer = served.metrics().await;
    assert_eq!(series(&answer), before);
    assert!(!answer.contains("canary"), "{answer}");
    let most: usize = documented().values().map(|it| it.most).sum();
    assert!(before.len() < most, "{} series", before.len());
}

#[tokio::test]
async fn adopted_pulls_make_one_series_for_each_robot_and_its_name_is_escaped() {
    let stage = Stage::new(&Schedule::default());
    let served = Served::with_lists(&stage, &["--adopt"]);
    let before = series(&served.metrics().await).len();
    let ours = ring(TOKEN);
    let names = [r#"a"b"#, r"c\d", "plain"];
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    for (number, name) in names.iter().enumerate() {
        for mark in ["one", "two", "three"] {
            let sent = page(&ours, name, mark, number);
            assert_eq!(say(&mut stream, &[sent]).await, [200]);
        }
    }
    served.until_metrics("qopen_journal_pulls 9\n").await;
    let answer = served.metrics().await;
    assert_eq!(series(&answer).len(), before + names.len(), "{answer}");
    for name in [r#"a\"b"#, r"c\\d", "plain"] {
        let line = format!("qopen_last_complete_list_timestamp_seconds{{robot_id=\"{name}\"}} ");
        assert!(answer.contains(&line), "{line} is not in {answer}");
    }
}
