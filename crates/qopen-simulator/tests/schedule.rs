//! A schedule is data that replays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use qopen_simulator::{Dataset, Schedule};

#[test]
fn the_same_seed_gives_the_same_pages_and_another_gives_others() {
    let (robot, mark) = ("robot".parse().unwrap(), "mark".parse().unwrap());
    let payloads = |seed| {
        let schedule = Schedule::survivable(seed);
        let pages = Dataset::new(&schedule, &robot, true).pages(&mark);
        pages.into_iter().map(|page| page.payload).collect::<Vec<_>>()
    };
    assert_eq!(payloads(3), payloads(3));
    assert_ne!(payloads(3), payloads(4));
}

#[test]
fn a_schedule_survives_its_json() {
    for seed in 0..50 {
        let schedule = Schedule::survivable(seed);
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    }
    assert_eq!(serde_json::from_str::<Schedule>("{}").unwrap(), Schedule::default());
    let error = serde_json::from_str::<Schedule>(r#"{"shufle": true}"#).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `shufle`"), "{error}");
}

#[test]
fn a_robot_without_customers_has_one_page() {
    let schedule = Schedule { accounts: 0, nulls: true, ..Schedule::default() };
    let dataset = Dataset::new(&schedule, &"robot".parse().unwrap(), false);
    let pages = dataset.pages(&"mark".parse().unwrap());
    assert_eq!(pages.len(), 1);
    insta::assert_snapshot!(pages[0].payload, @r#"{"event_type":42016,"err_code":0,"err_msg":"success","robot_id":"robot","data":{"has_more":false,"mark_id":"mark","account_list":null}}"#);
}
