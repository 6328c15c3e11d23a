//! Lists that are not published: not verified, or empty.

use qopen_simulator::Schedule;
use serde_json::json;

use crate::guards::{Scene, lost_on};

#[test]
fn an_answer_by_id_that_is_not_whole_verifies_nothing() {
    for data in [
        r#"{"has_more":true,"account_list":[]}"#,
        r#"{"has_more":"yes","account_list":[]}"#,
        r#"{"account_list":{}}"#,
        r#"{"account_list":null}"#,
        r#"{"account_list":""}"#,
        r#"{"account_list":7}"#,
        r#"{"account_list":{"a":1}}"#,
        r#"{"failed_list":["x"],"account_list":[]}"#,
        r#"{"errcode":45009,"account_list":[]}"#,
        r#"{"list":[]}"#,
        "{}",
        "[]",
        "null",
        "7",
    ] {
        let by_ids_data = Some(data.to_owned());
        let scene =
            Scene::new(Schedule { accounts: 60, gone_each: 7, by_ids_data, ..Schedule::default() });
        scene.pull(&[]);
        for version in ["v2", "v1"] {
            let (exit, summary) = scene.pull(&["--verify-gone", "--by-ids", version]);
            assert_eq!((exit, &summary["gone_unverified"]), (3, &json!(7)), "{data} {summary}");
            assert!(summary["error"].as_str().unwrap().contains("7 of the 7"), "{data} {summary}");
            assert!(summary["evidence"].is_null(), "{data} {summary}");
            assert_eq!(scene.list("list.jsonl").len(), 60, "{data}");
        }
    }
}

#[test]
fn a_paged_answer_by_id_is_followed_and_finds_the_lost_page() {
    // Two of the lost page have left, and so have seven others.
    let schedule = Schedule { by_ids_page: Some(4), gone_each: 7, ..lost_on(1) };
    let scene = Scene::new(schedule);
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    let why = summary["error"].as_str().unwrap();
    assert!(exit == 3 && why.contains("still has 8 of the 17 customers"), "{summary}");
    assert!(summary["gone_unverified"].is_null(), "{summary}");
}

#[test]
fn an_empty_list_that_was_refused_is_requested_anew_or_published_where_that_is_allowed() {
    let scene = Scene::new(Schedule { accounts: 5, gone_each: 5, ..Schedule::default() });
    let requests = || scene.simulator.counts().requests;
    assert_eq!(scene.pull(&[]).0, 0);
    let (exit, refused) = scene.pull(&[]);
    assert!(refused["error"].as_str().unwrap().contains("--allow-empty"), "{refused}");
    assert_eq!((exit, requests(), scene.list("list.jsonl").len()), (3, 2, 5), "{refused}");
    // The platform may have customers again.
    let (exit, again) = scene.pull(&[]);
    assert_eq!((exit, requests()), (3, 3), "{again}");
    assert_ne!(again["mark_id"], refused["mark_id"]);
    let (exit, published) = scene.pull(&["--allow-empty"]);
    assert_eq!((exit, requests(), &published["mark_id"]), (0, 3, &again["mark_id"]));
    assert!(scene.list("list.jsonl").is_empty());
    let (exit, last) = scene.pull(&[]);
    assert_eq!((exit, requests()), (0, 4), "{last}");
}
