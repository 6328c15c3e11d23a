//! A schedule is data that replays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use qopen_simulator::{Dataset, Schedule, SimulatedRobot, SimulatedRobotKind};
use qopen_types::{Account, RobotId};

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

#[test]
fn robots_and_moves_are_data_with_defaults() {
    let text = r#"{"robots": [{"robot_id": "r1"}, {"robot_id": "p1", "name": "P", "kind": "platform", "enabled": false}],
        "gone_each": 2, "lost_pages_on": [1], "by_ids_missing": ["a"], "by_ids_refused": {"code": 7, "message": "no"}}"#;
    let schedule: Schedule = serde_json::from_str(text).unwrap();
    let robot = |id: &str| id.parse::<RobotId>().unwrap();
    assert_eq!(schedule.robots[0], SimulatedRobot::host(robot("r1"), ""));
    assert_eq!(schedule.robots[1].kind, SimulatedRobotKind::Platform);
    assert!(!schedule.robots[1].enabled && schedule.robots[1].is_online);
    let again = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&again).unwrap(), schedule);
    for (text, why) in [
        (r#"{"robots": [{"name": "x"}]}"#, "missing field `robot_id`"),
        (r#"{"robots": [{"robot_id": ""}]}"#, "expected an identifier"),
        (r#"{"robots": [{"robot_id": "r", "online": true}]}"#, "unknown field `online`"),
        (r#"{"robots": [{"robot_id": "r", "kind": "desktop"}]}"#, "unknown variant `desktop`"),
    ] {
        let error = serde_json::from_str::<Schedule>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

fn expected(schedule: &Schedule, generation: usize) -> BTreeMap<String, Account> {
    Dataset::of_generation(schedule, &"robot".parse().unwrap(), true, generation).expected()
}

#[test]
fn a_list_moves_by_the_numbers_of_the_schedule() {
    for seed in 0..8 {
        let schedule = Schedule {
            seed,
            accounts: 60,
            gone_each: 3,
            new_each: 5,
            changed_each: 4,
            lost_each: 2,
            conflicts: 3,
            drift: true,
            nulls: true,
            ..Schedule::default()
        };
        let mut before = expected(&schedule, 0);
        let still = Schedule {
            gone_each: 0,
            new_each: 0,
            changed_each: 0,
            lost_each: 0,
            ..schedule.clone()
        };
        assert_eq!(before, expected(&still, 7), "without moves every list is the first");
        for generation in 1..5 {
            let after = expected(&schedule, generation);
            assert_eq!(after, expected(&schedule, generation), "the same each time");
            let gone = before.keys().filter(|it| !after.contains_key(*it)).count();
            let new = after.keys().filter(|it| !before.contains_key(*it)).count();
            let both = || before.iter().filter_map(|(id, old)| Some((old, after.get(id)?)));
            let lost =
                both().filter(|(old, new)| !old.deleted_by_contact && new.deleted_by_contact);
            let returned =
                both().filter(|(old, new)| old.deleted_by_contact && !new.deleted_by_contact);
            let changed = both().filter(|(old, new)| old.profile != new.profile).count();
            assert_eq!(
                (gone, new, lost.count(), returned.count()),
                (3, 5, 2, 0),
                "{seed}/{generation}"
            );
            // A conflicting content may win one time and lose the next.
            assert!((4..=4 + 3).contains(&changed), "{changed} changed in {seed}/{generation}");
            before = after;
        }
    }
}

#[test]
fn a_list_may_run_out_of_customers() {
    let schedule = Schedule {
        accounts: 5,
        gone_each: 3,
        changed_each: 9,
        lost_each: 9,
        ..Schedule::default()
    };
    let lengths: Vec<_> = (0..4).map(|it| expected(&schedule, it).len()).collect();
    assert_eq!(lengths, [5, 2, 0, 0]);
}
