//! Robots, their states, and customers by their ids.

use std::error::Error as _;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use qopen_http::{
    AccountsByIdsVersion, ContentError, RetryPolicy, RobotKind, SendError, Sender, SenderBuilder,
};
use qopen_types::{AccountId, RobotId};
use serde_json::{Value, json};

use crate::gateway::Gateway;

const HOSTS: &str = "GetHostAccountList";
const PLATFORM: &str = "GetPlatformRobotList";
const STATUS: &str = "GetRobotStatusSync";
const V1: &str = "GetRobotAccountByIds";
const V2: &str = "GetRobotAccountByIdsV2";

/// The answer with an empty list of platform robots.
const NONE: &str = r#"{"errcode":0,"data":{"has_more":false,"robot_list":null}}"#;

fn builder(gateway: &Gateway) -> SenderBuilder {
    let quick = RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(2));
    Sender::builder(&gateway.base_url).retry(quick).access_token("t")
}

fn sender(gateway: &Gateway) -> Sender {
    builder(gateway).build().unwrap()
}

fn answer(data: Value) -> String {
    json!({"data": data, "errcode": 0, "errmsg": "", "hint": ""}).to_string()
}

fn hosts(numbers: std::ops::Range<usize>, has_more: bool) -> String {
    let robot = |n| json!({"robot_id": format!("h{n:03}"), "name": format!("Host {n}"), "is_online": n % 2 == 0});
    let list: Vec<Value> = numbers.map(robot).collect();
    answer(json!({"has_more": has_more, "host_account_list": list}))
}

fn pages_of(gateway: &Gateway, name: &str) -> Vec<(Option<i64>, Option<i64>)> {
    let asked = gateway.asked(&format!("/gateway/qopen/{name}"));
    asked.iter().map(|it| (it.body["offset"].as_i64(), it.body["limit"].as_i64())).collect()
}

#[tokio::test]
async fn every_page_of_both_lists_is_read_and_each_robot_is_there_once() {
    let gateway = Gateway::start().await;
    // The gateway has shorter pages than asked for, and the third overlaps the second.
    gateway.named(HOSTS, 200, hosts(0..100, true)).named(HOSTS, 200, hosts(100..150, true));
    gateway.named(HOSTS, 200, hosts(149..180, false));
    gateway.named(
        PLATFORM,
        200,
        answer(json!({"has_more": 0, "robot_list": [
            {"robot_id": "p1", "name": "Platform 1"}, {"robot_id": "h000", "name": "Other name"}, {"robot_id": 7}]})),
    );
    let all = sender(&gateway).robots().await.unwrap();
    assert_eq!((all.robots.len(), all.unreadable), (182, 0));
    assert!(all.robots.windows(2).all(|two| two[0].robot_id < two[1].robot_id));
    assert_eq!(pages_of(&gateway, HOSTS), [0, 100, 150].map(|it| (Some(it), Some(100))));
    assert_eq!(pages_of(&gateway, PLATFORM), [(Some(0), Some(100))]);
    let robot = |id: &str| all.robots.iter().find(|it| it.robot_id.as_str() == id).unwrap();
    let of = |id| (robot(id).kind, robot(id).is_online, robot(id).name.as_str());
    assert_eq!(of("h000"), (RobotKind::Both, Some(true), "Host 0"));
    assert_eq!(of("h001"), (RobotKind::Host, Some(false), "Host 1"));
    assert_eq!(of("p1"), (RobotKind::Platform, None, "Platform 1"));
    assert_eq!(of("7"), (RobotKind::Platform, None, ""));
    assert!(!format!("{all:?}").contains("Host 1"), "a name is personal");
}

#[tokio::test]
async fn a_list_that_never_ends_is_an_error() {
    let again = hosts(0..100, true);
    let empty = answer(json!({"has_more": true, "host_account_list": []}));
    let damaged = answer(json!({"has_more": true, "host_account_list": [{"name": "x"}]}));
    for (page, calls) in [(&again, 2), (&empty, 1), (&damaged, 2)] {
        let gateway = Gateway::start().await;
        gateway.named(HOSTS, 200, page.as_str()).named(PLATFORM, 200, NONE);
        let error = sender(&gateway).robots().await.unwrap_err();
        let SendError::Content { endpoint: HOSTS, source: ContentError::NothingNew { .. } } = error
        else {
            panic!("{error:?}");
        };
        assert!(!error.is_retryable() && !error.is_refusal() && error.source().is_some());
        assert_eq!(pages_of(&gateway, HOSTS).len(), calls);
        assert_eq!(pages_of(&gateway, PLATFORM).len(), 0);
    }
}

#[tokio::test]
async fn a_list_that_does_not_say_its_end_ends_with_a_short_page() {
    let without = |page: String| page.replace(r#""has_more":true,"#, "");
    let gateway = Gateway::start().await;
    gateway.named(HOSTS, 200, without(hosts(0..100, true)));
    gateway.named(HOSTS, 200, without(hosts(100..103, true))).named(PLATFORM, 200, NONE);
    assert_eq!(sender(&gateway).robots().await.unwrap().robots.len(), 103);
    // A gateway that gives the full page again and again.
    let gateway = Gateway::start().await;
    gateway.named(HOSTS, 200, without(hosts(0..100, true))).named(PLATFORM, 200, NONE);
    assert_eq!(sender(&gateway).robots().await.unwrap().robots.len(), 100);
    assert_eq!(pages_of(&gateway, HOSTS).len(), 2);
}

#[tokio::test]
async fn e6_an_answer_without_a_list_is_no_empty_list() {
    let robot: RobotId = "r".parse().unwrap();
    let id: AccountId = "a".parse().unwrap();
    for nothing in [
        r#"{"errcode":0}"#,
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":[]}"#,
        r#"{"data":{"list":[]}}"#,
    ] {
        let gateway = Gateway::start().await;
        gateway.list(200, nothing);
        let sender = sender(&gateway);
        let errors = [
            sender.robots().await.unwrap_err(),
            sender.robot_status(std::slice::from_ref(&robot)).await.unwrap_err(),
            sender
                .accounts_by_ids(&robot, std::slice::from_ref(&id), AccountsByIdsVersion::V2)
                .await
                .unwrap_err(),
        ];
        for error in errors {
            let is_absent =
                matches!(error, SendError::Content { source: ContentError::Absent { .. }, .. });
            assert!(is_absent && error.may_have_arrived(), "{nothing}: {error:?}");
        }
    }
    let gateway = Gateway::start().await;
    let null = r#"{"data":{"has_more":false,"account_list":null,"robot_status_list":null}}"#;
    gateway.list(200, null);
    let sender = sender(&gateway);
    assert!(sender.robots().await.unwrap().robots.is_empty());
    assert!(sender.robot_status(std::slice::from_ref(&robot)).await.unwrap().states.is_empty());
    let none = sender.accounts_by_ids(&robot, &[id], AccountsByIdsVersion::V1).await.unwrap();
    assert!(none.accounts.is_empty());
}

#[tokio::test]
async fn a_damaged_robot_costs_itself_alone() {
    let gateway = Gateway::start().await;
    let list =
        json!([{"robot_id": "h1", "name": ["?"], "is_online": {}}, {"name": "no id"}, 7, null, 7]);
    gateway.named(HOSTS, 200, answer(json!({"has_more": "false", "host_account_list": list})));
    gateway.named(PLATFORM, 200, NONE);
    let all = sender(&gateway).robots().await.unwrap();
    assert_eq!((all.robots.len(), all.unreadable), (1, 3));
    assert_eq!((&*all.robots[0].name, all.robots[0].is_online), ("", None));
}

#[tokio::test]
async fn a_refusal_and_an_operation_that_is_not_offered_differ() {
    let robot: RobotId = "r".parse().unwrap();
    let ids: [AccountId; 1] = ["a".parse().unwrap()];
    let v2 = AccountsByIdsVersion::V2;
    for (status, body, is_not_offered) in [
        (404, "", true),
        (404, r#"{"errcode":404,"errmsg":"no route"}"#, true),
        (405, "<html>", true),
        (501, "", true),
        (200, r#"{"errcode":60020,"errmsg":"not for you"}"#, false),
        (403, "", false),
        (400, "", false),
        (407, "", false),
        (200, "[]", false),
    ] {
        let gateway = Gateway::start().await;
        gateway.list(status, body);
        let sender = builder(&gateway).retry(RetryPolicy::default().attempts(1)).build().unwrap();
        let errors = [
            sender.robots().await.unwrap_err(),
            sender.robot_status(std::slice::from_ref(&robot)).await.unwrap_err(),
            sender.accounts_by_ids(&robot, &ids, v2).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.is_not_offered(), is_not_offered, "{status} {body}: {error:?}");
        }
    }
    // One list of two is not all robots.
    let gateway = Gateway::start().await;
    gateway.named(HOSTS, 200, hosts(0..3, false)).named(PLATFORM, 404, "");
    let error = sender(&gateway).robots().await.unwrap_err();
    assert!(error.is_not_offered() && error.to_string().starts_with(PLATFORM), "{error}");
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_trouble() {
    let gateway = Gateway::start().await;
    gateway.named(HOSTS, 200, hosts(0..100, true)).named(HOSTS, 503, "");
    gateway.named(HOSTS, 200, hosts(100..101, false)).named(PLATFORM, 200, NONE);
    assert_eq!(sender(&gateway).robots().await.unwrap().robots.len(), 101);
    let offsets: Vec<_> = pages_of(&gateway, HOSTS).into_iter().filter_map(|it| it.0).collect();
    assert_eq!(offsets, [0, 100, 100]);
}

#[tokio::test]
async fn the_rate_limit_is_one_of_calls_and_not_of_lists() {
    let gateway = Gateway::start().await;
    for page in 0..4 {
        gateway.named(HOSTS, 200, hosts(page * 10..page * 10 + 10, page < 3));
    }
    gateway.named(PLATFORM, 200, NONE);
    let limited = builder(&gateway).rate_limit(NonZeroU32::new(2).unwrap()).build().unwrap();
    let begun = Instant::now();
    limited.robots().await.unwrap();
    // Five calls, two a second, and two at once.
    assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn states_come_in_requests_of_a_hundred_robots() {
    let gateway = Gateway::start().await;
    gateway.named(
        STATUS,
        200,
        answer(json!({"failed_list": ["r002", "stranger", {}], "robot_status_list": [
            {"robot_id": "r000", "is_online": true, "enable": 1}, {"robot_id": "r001", "enable": false},
            {"robot_id": "stranger"}, {"enable": true}]})),
    );
    gateway.named(STATUS, 200, answer(json!({"robot_status_list": []})));
    let mut robots: Vec<RobotId> = (0..201).map(|n| format!("r{n:03}").parse().unwrap()).collect();
    robots.push(robots[0].clone());
    let states = sender(&gateway).robot_status(&robots).await.unwrap();
    let of = |id: &str| states.states.get(&id.parse::<RobotId>().unwrap()).copied();
    assert_eq!(of("r000").map(|it| (it.is_online, it.enabled)), Some((Some(true), Some(true))));
    assert_eq!(of("r001").map(|it| (it.is_online, it.enabled)), Some((None, Some(false))));
    assert_eq!((of("r003"), states.states.len()), (None, 2));
    let failed: Vec<_> = states.failed.iter().map(RobotId::as_str).collect();
    assert_eq!((failed, states.unasked, states.unreadable), (vec!["r002"], 2, 2));
    let asked = gateway.asked(&format!("/gateway/qopen/{STATUS}"));
    let sizes: Vec<_> =
        asked.iter().map(|it| it.body["robot_id_list"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 1]);
    // Without robots there is nothing to ask.
    assert!(sender(&gateway).robot_status(&[]).await.unwrap().states.is_empty());
    assert_eq!(gateway.asked(&format!("/gateway/qopen/{STATUS}")).len(), 3);
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<AccountId> {
    numbers.map(|n| format!("a{n:03}").parse().unwrap()).collect()
}

#[tokio::test]
async fn customers_are_asked_for_by_their_ids_in_one_call() {
    let robot: RobotId = "r".parse().unwrap();
    for (version, name) in [(AccountsByIdsVersion::V2, V2), (AccountsByIdsVersion::V1, V1)] {
        let gateway = Gateway::start().await;
        let list = json!([
            {"account_id": "a001", "deleted_by_contact": "True"}, {"account_id": "a002", "profile": [1]},
            {"account_id": "stranger"}, {"profile": {}}, {"account_id": "a001", "deleted_by_staff": 1}]);
        let other = json!([list[4], list[0], list[1], list[2], list[3]]);
        gateway.named(name, 200, answer(json!({"account_list": list})));
        gateway.named(name, 200, answer(json!({"account_list": other})));
        let sender = sender(&gateway);
        let mut asked = ids(0..100);
        asked.extend(ids(0..1));
        let found = sender.accounts_by_ids(&robot, &asked, version).await.unwrap();
        let read: Vec<_> = found.accounts.keys().map(AccountId::as_str).collect();
        assert_eq!(read, ["a001", "a002"]);
        assert_eq!((found.duplicates, found.unasked, found.unreadable), (1, 1, 1));
        assert!(!format!("{found:?}").contains("a001"), "an id is personal");
        // Which of two contents is kept does not depend on their order.
        assert_eq!(sender.accounts_by_ids(&robot, &asked, version).await.unwrap(), found);
        let requests = gateway.asked(&format!("/gateway/qopen/{name}"));
        assert_eq!(requests.len(), 2);
        let body = &requests[0].body;
        assert_eq!(
            (&body["robot_id"], body["need_tag_info"].as_bool()),
            (&json!("r"), Some(false))
        );
        assert_eq!(body["account_id_list"].as_array().unwrap().len(), 100);
    }
}

#[tokio::test]
async fn an_answer_that_may_not_cover_all_ids_says_so() {
    use qopen_http::AnswerGap::{HasMore, NoList, OtherAccounts, PartlyFailed};
    let listed = r#""account_list":[{"account_id":"a000"}]"#;
    for (data, gap) in [
        (format!("{{{listed}}}"), None),
        (r#"{"account_list":[]}"#.into(), None),
        (r#"{"has_more":false,"failed_list":[],"account_list":[]}"#.into(), None),
        (r#"{"has_more":null,"account_list":{"0":{"account_id":"a000"}}}"#.into(), None),
        (format!(r#"{{"has_more":true,{listed}}}"#), Some(HasMore)),
        (format!(r#"{{"has_more":"1",{listed}}}"#), Some(HasMore)),
        (format!(r#"{{"has_more":[2],{listed}}}"#), Some(HasMore)),
        (r#"{"account_list":null}"#.into(), Some(NoList)),
        (r#"{"account_list":{ }}"#.into(), Some(NoList)),
        (r#"{"account_list":""}"#.into(), Some(NoList)),
        (format!(r#"{{"failed_list":["a001"],{listed}}}"#), Some(PartlyFailed)),
        (format!(r#"{{"err_code":7,{listed}}}"#), Some(PartlyFailed)),
        (r#"{"account_list":[{"account_id":"b"}]}"#.into(), Some(OtherAccounts)),
        (r#"{"account_list":[{}]}"#.into(), Some(OtherAccounts)),
    ] {
        let gateway = Gateway::start().await;
        gateway.named(V1, 200, format!(r#"{{"errcode":0,"data":{data}}}"#));
        let (sender, robot) = (sender(&gateway), "r".parse().unwrap());
        let version = AccountsByIdsVersion::V1;
        let found = sender.accounts_by_ids(&robot, &ids(0..2), version).await.unwrap();
        assert_eq!(found.gap, gap, "{data}");
    }
}

#[tokio::test]
async fn a_flag_of_a_customer_is_read_and_an_unreadable_one_is_named() {
    let gateway = Gateway::start().await;
    let list = json!([{"account_id": "a000", "deleted_by_contact": 1, "deleted_by_staff": "false"},
        {"account_id": "a001", "deleted_by_contact": {}}]);
    gateway.named(V2, 200, answer(json!({"account_list": list})));
    let found = sender(&gateway)
        .accounts_by_ids(&"r".parse().unwrap(), &ids(0..2), AccountsByIdsVersion::V2)
        .await
        .unwrap();
    let flags: Vec<_> = found
        .accounts
        .values()
        .map(|it| (it.deleted_by_contact, it.deleted_by_staff, it.unread.len()))
        .collect();
    assert_eq!(flags, [(true, false, 0), (false, false, 1)]);
}

#[tokio::test]
async fn a_request_without_ids_or_with_too_many_is_not_sent() {
    let gateway = Gateway::start().await;
    let (sender, robot) = (sender(&gateway), "r".parse().unwrap());
    for (ids, text) in [
        (ids(0..0), "GetRobotAccountByIdsV2: a request has 1 to 100 ids, not 0; nothing was sent"),
        (
            ids(0..101),
            "GetRobotAccountByIdsV2: a request has 1 to 100 ids, not 101; nothing was sent",
        ),
    ] {
        let error =
            sender.accounts_by_ids(&robot, &ids, AccountsByIdsVersion::V2).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(!error.may_have_arrived() && !error.is_retryable());
    }
    assert!(gateway.asked(&format!("/gateway/qopen/{V2}")).is_empty());
}

#[tokio::test]
async fn the_answer_limit_has_room_for_a_hundred_long_profiles() {
    let gateway = Gateway::start().await;
    let list = |bytes: usize| {
        let account =
            |n| json!({"account_id": format!("a{n:03}"), "profile": {"desc": "x".repeat(bytes)}});
        answer(json!({"account_list": (0..100).map(account).collect::<Vec<_>>()}))
    };
    gateway.named(V2, 200, list(80_000)).named(V2, 200, list(84_000));
    let (sender, robot) = (sender(&gateway), "r".parse().unwrap());
    let version = AccountsByIdsVersion::V2;
    let found = sender.accounts_by_ids(&robot, &ids(0..100), version).await.unwrap();
    assert_eq!(found.accounts.len(), 100);
    let error = sender.accounts_by_ids(&robot, &ids(0..100), version).await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "it has more than 8388608 bytes");
}
