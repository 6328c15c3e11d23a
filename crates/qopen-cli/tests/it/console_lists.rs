//! Lists of robots and pulls in the console, hostile names, and what no page has.

use std::collections::BTreeSet;

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::console::{get, pages, stage};
use crate::console_seed::{
    List, days_ago, ended, lists_of, noted, published, pull_id, seed, started,
};
use crate::served::Served;
use crate::support::Stage;

#[tokio::test]
async fn robots_and_pulls_are_sorted_searched_and_paged() {
    let stage = stage();
    let mut pulls = Vec::new();
    for robot in 0..250 {
        let list = List { accounts: robot, changes: Some((robot, 1)), at: days_ago(robot + 1) };
        pulls.push((pull_id(&format!("r-{robot:03}"), &format!("m-{robot:03}")), published(&list)));
    }
    let failed =
        noted(days_ago(1), [started(), ended(qopen::journal::EndState::Failed, "no page came", 0)]);
    pulls.push((pull_id("r-000", "last"), failed));
    seed(&stage.folder.path().join("qopen-data"), pulls).await;
    let served = Served::new(&stage, &["--retain", "900d"], None);
    let rows = async |path: &str, begin: &str| {
        let page = get(&served, path, &[]).await.text().await.unwrap();
        let rows = page.split(begin).skip(1).map(|it| it.split('<').next().unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    let robots = "<th scope=\"row\"><a href=\"/console/robot?robot_id=r%2D";
    let id = |it: &String| it.split('>').nth(1).map_or(it.clone(), str::to_owned);
    let first = rows("/console/robots", robots).await;
    assert_eq!(first.len(), 100);
    assert!(first[0].starts_with("000"), "{:?}", id(&first[0]));
    assert!(rows("/console/robots?page=3", robots).await[0].starts_with("200"));
    assert_eq!(rows("/console/robots?page=3", robots).await.len(), 50);
    assert_eq!(rows("/console/robots?page=99", robots).await.len(), 50, "the last page");
    assert_eq!(rows("/console/robots?q=R-01", robots).await.len(), 10, "in any case");
    for (sort, expected) in [
        ("sort=size&desc=true", "249"),
        ("sort=gained&desc=true", "249"),
        ("sort=age", "000"),
        ("sort=age&desc=true", "249"),
        ("sort=size", "000"),
        ("sort=next", "000"),
    ] {
        let rows = rows(&format!("/console/robots?{sort}"), robots).await;
        assert!(rows[0].starts_with(expected), "{sort}: {:?}", rows[0]);
    }
    let pulls = "<th scope=\"row\"><a href=\"/console/pull?robot_id=r%2D";
    let first = rows("/console/pulls", pulls).await;
    assert!(first[0].starts_with("000&amp;mark_id=last"), "the newest is first: {:?}", first[0]);
    assert!(first[1].starts_with("249"), "{:?}", first[1]);
    assert_eq!(rows("/console/pulls?status=failed", pulls).await.len(), 1);
    assert_eq!(rows("/console/pulls?q=m-24", pulls).await.len(), 10);
    assert_eq!(rows("/console/pulls?q=nothing", pulls).await.len(), 0);
    let found = get(&served, "/console/pulls?q=nothing", &[]).await.text().await.unwrap();
    assert!(found.contains("No pull of the journal is like that."));
}

#[tokio::test]
async fn a_robot_has_a_plot_and_the_same_numbers_as_a_table() {
    let stage = stage();
    seed(&stage.folder.path().join("qopen-data"), lists_of("r1", 5)).await;
    let served = Served::new(&stage, &["--retain", "900d"], None);
    let page = get(&served, "/console/robot?robot_id=r1", &[]).await.text().await.unwrap();
    assert_eq!(page.matches("<circle").count(), 5);
    assert!(page.contains("aria-label=\"5 lists over time, with 1,001 to 1,005 customers."));
    for shown in ["1,001", "1,005", "+5", "−6", "first list", "no schedule"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(page.contains("<time datetime=\"20"), "{page}");
    let unknown = get(&served, "/console/robot?robot_id=r2", &[]).await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("The journal has no pull of robot"));
}

#[tokio::test]
async fn hostile_names_are_text_on_every_page() {
    let stage = stage();
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE robots; --",
        "\u{202E}gnp.exe",
        "{0}&lt;b&gt;",
        "..",
    ];
    let mut pulls = Vec::new();
    for name in hostile {
        let list = List { accounts: 3, changes: None, at: days_ago(1) };
        pulls.push((pull_id(name, name), published(&list)));
    }
    seed(&stage.folder.path().join("qopen-data"), pulls).await;
    let served = Served::new(&stage, &[], None);
    let encode = |text: &str| text.bytes().map(|it| format!("%{it:02X}")).collect::<String>();
    let mut all = pages("r1", "r1");
    for name in hostile {
        let name = encode(name);
        all.push(format!("/console/robot?robot_id={name}"));
        all.push(format!("/console/pull?robot_id={name}&mark_id={name}"));
        all.push(format!("/console/robots?q={name}"));
        all.push(format!("/console/pulls?q={name}&status={name}"));
        all.push(format!("/console/robot?robot_id={name}unknown"));
        all.push(format!("/console/login?to={name}"));
        all.push(format!("/console/{name}"));
        all.push(format!("/console/robots?flash={name}&x={name}"));
    }
    for path in &all {
        let text = get(&served, path, &[]).await.text().await.unwrap();
        for raw in ["<script>alert", "<img", "<b>", "onerror=alert(1)>"] {
            assert!(!text.contains(raw), "{path}: {raw}");
        }
    }
    for name in hostile {
        let page = get(&served, &format!("/console/robot?robot_id={}", encode(name)), &[]).await;
        assert_eq!(page.status(), 200, "{name}");
    }
    let robots = get(&served, "/console/robots", &[]).await.text().await.unwrap();
    assert!(robots.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{robots}");
    assert_eq!(robots.matches("<bdi>").count(), hostile.len(), "directions stay in their cells");
}

/// Texts of every customer of a list: names, phones, ids and remarks.
fn texts_of(list: &str) -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if text.chars().count() >= 5 => drop(into.insert(text.clone())),
            Value::Array(all) => all.iter().for_each(|it| collect(it, into)),
            Value::Object(all) => {
                let of_customer = all.iter().filter(|(name, _)| *name != "robot_id");
                of_customer.for_each(|(_, it)| collect(it, into));
            }
            _ => {}
        }
    }
    let mut texts = BTreeSet::new();
    list.lines().for_each(|it| collect(&serde_json::from_str(it).unwrap(), &mut texts));
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_no_page_has_customers_data_without_a_click() {
    for data in [&[][..], &["--console-data"]] {
        let schedule =
            Schedule { accounts: 40, broken_accounts: 2, damaged_events: 1, ..Schedule::default() };
        let stage = Stage::new(&schedule);
        let arguments = [&["--allow-unidentified", "9"][..], data].concat();
        let served = Served::with_lists(&stage, &arguments);
        let mark = served.published("r1").await;
        let texts = texts_of(&stage.read("lists/r1.jsonl"));
        assert!(texts.len() > 80, "{texts:?}");
        let mut all = pages("r1", &mark);
        let more: Vec<String> =
            all.iter().map(|it| it.replace("?", "?show=true&data=true&")).collect();
        all.extend(more);
        for path in all {
            let page = get(&served, &path, &[]).await.text().await.unwrap();
            // The words of the page itself are not customers'.
            let found: Vec<_> = texts.iter().filter(|it| page.contains(it.as_str())).collect();
            assert!(found.is_empty(), "{path} {data:?}: {found:?}");
        }
    }
}

#[tokio::test]
async fn the_switch_for_customers_data_is_true_or_false() {
    let stage = stage();
    for (arguments, file, what) in [
        (&["--console-data=maybe"][..], None, "--console-data"),
        (&[], Some("console_data = \"maybe\""), "console_data"),
        (&[], Some("console_data = 1"), "must be true or false, like console_data = true"),
    ] {
        let path = stage.folder.path().join("qopen.toml");
        let _ = std::fs::remove_file(&path);
        if let Some(file) = file {
            std::fs::write(&path, file).unwrap();
        }
        let output = Served::command(&stage, arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(what), "{said}");
    }
    std::fs::write(stage.folder.path().join("qopen.toml"), "console_data = true").unwrap();
    let served = Served::new(&stage, &[], None);
    assert_eq!(get(&served, "/console/robots", &[]).await.status(), 200);
}
