//! Robots, their states, customers by their ids, and events of the siblings of the customer list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use qopen::assembler::Timing;
use qopen::callback::receiver::HandlerError;
use qopen::http::{AccountsByIdsVersion, Forwarder, RobotKind, SendError};
use qopen::types::{
    Account, AccountId, CustomerIdentifiedCallback, EventType, NewCustomerCallback,
    NewGroupCallback, RobotId, RobotLoggedOutCallback,
};
use qopen::{EventContent, OtherEvent, OtherEventHandler, PullRequest, Status};
use qopen_simulator::{Dataset, Refusal, Schedule, SimulatedRobot};

use crate::harness::{Harness, ring, robot, written};

fn id(text: &str) -> RobotId {
    text.parse().unwrap()
}

/// 150 scan-code robots, a platform robot, and one that is both.
fn robots() -> Vec<SimulatedRobot> {
    let mut all: Vec<_> =
        (0..150).map(|n| SimulatedRobot::host(id(&format!("h{n:03}")), "Host")).collect();
    all[1].is_online = false;
    all[2].enabled = false;
    all.push(SimulatedRobot::platform(id("p1"), "Platform"));
    all.push(SimulatedRobot::platform(id("h000"), "Other"));
    all
}

#[tokio::test]
async fn robots_and_their_states_are_those_of_the_app() {
    let schedule = Schedule { robots: robots(), token_uses: Some(1), ..Schedule::default() };
    let harness = Harness::start(schedule).await;
    let all = harness.client.robots().await.unwrap();
    assert_eq!((all.robots.len(), all.unreadable), (151, 0));
    let of = |id: &str| all.robots.iter().find(|it| it.robot_id.as_str() == id).unwrap();
    assert_eq!((of("h000").kind, of("h000").is_online), (RobotKind::Both, Some(true)));
    assert_eq!((of("h001").kind, of("h001").is_online), (RobotKind::Host, Some(false)));
    assert_eq!((of("p1").kind, of("p1").is_online), (RobotKind::Platform, None));
    let mut ids: Vec<_> = all.robots.into_iter().map(|it| it.robot_id).collect();
    ids.push(id("stranger"));
    let states = harness.client.robot_status(&ids).await.unwrap();
    let of = |robot: &str| states.states[&id(robot)];
    assert_eq!((of("h000").is_online, of("h000").enabled), (Some(true), Some(true)));
    assert_eq!((of("h001").is_online, of("h002").enabled), (Some(false), Some(false)));
    assert_eq!(of("p1").is_online, None);
    assert_eq!(states.failed.into_iter().collect::<Vec<_>>(), [id("stranger")]);
    let counts = harness.simulator.counts();
    // Two pages of scan-code robots and one of the others, and each call with a token of its own.
    assert!(counts.robot_lists >= 3 && counts.robot_states >= 2, "{counts:?}");
    assert!(harness.client.robot_status(&[]).await.unwrap().states.is_empty());
}

#[tokio::test]
async fn a_list_moves_and_loses_pages_by_the_number_of_its_request() {
    let schedule = Schedule {
        accounts: 40,
        page_size: 10,
        gone_each: 2,
        new_each: 3,
        changed_each: 1,
        lost_each: 1,
        lost_pages: vec![1],
        lost_pages_on: Some(vec![1]),
        ..Schedule::default()
    };
    let harness = Harness::start(schedule).await;
    for generation in 0..3 {
        let outcome = harness.pull().await;
        assert!(outcome.status.is_complete());
        let dataset = Dataset::of_generation(&harness.schedule, &robot(), false, generation);
        let expected = dataset.expected_of(|page| generation != 1 || page != 1);
        assert_eq!(written(&outcome).await.0, expected, "request {generation}");
    }
    // Another robot's list is at its first request.
    let other = PullRequest::new(id("robot-2"));
    let outcome = harness.pull_as(other).await;
    let dataset = Dataset::new(&harness.schedule, &id("robot-2"), false);
    assert_eq!(outcome.progress.figures.accounts, dataset.expected().len());
}

#[tokio::test]
async fn offline_robots_are_silent_or_refused() {
    let timing = Timing::default().idle_timeout(Duration::from_millis(300));
    let schedule = Schedule { robots: robots(), ..Schedule::default() };
    let harness = Harness::start(schedule.clone()).await;
    for offline in ["h001", "h002"] {
        let outcome = harness.pull_as(PullRequest::new(id(offline)).timing(timing)).await;
        assert!(!outcome.status.is_complete(), "{offline}");
        assert_eq!(outcome.progress.figures.pages, 0);
    }
    let unknown = harness.pull_as(PullRequest::new(id("stranger"))).await;
    assert!(matches!(unknown.status, Status::Refused(_)), "{:?}", unknown.status);
    let refusal = Refusal { code: 60030, message: "robot is offline".into() };
    let refusing = Schedule { offline_refusal: Some(refusal), ..schedule };
    let harness = Harness::start(refusing).await;
    let refused = harness.pull_as(PullRequest::new(id("h001"))).await;
    assert!(matches!(refused.status, Status::Refused(_)), "{:?}", refused.status);
    assert!(harness.pull_as(PullRequest::new(id("h000"))).await.status.is_complete());
}

fn ids(of: &BTreeMap<String, Account>) -> Vec<AccountId> {
    of.values().map(|it| it.account_id.clone()).collect()
}

#[tokio::test]
async fn customers_by_id_are_those_of_the_last_list() {
    let schedule = Schedule {
        accounts: 60,
        gone_each: 4,
        lost_each: 2,
        drift: true,
        nulls: true,
        unknown: true,
        by_ids_unavailable: 2,
        ..Schedule::default()
    };
    let first = Dataset::new(&schedule, &robot(), false).expected();
    let missing = first.keys().next().unwrap().clone();
    let schedule = Schedule { by_ids_missing: vec![missing.clone()], ..schedule };
    let harness = Harness::start(schedule.clone()).await;
    for generation in 0..2 {
        assert!(harness.pull().await.status.is_complete());
        let mut expected =
            Dataset::of_generation(&schedule, &robot(), false, generation).expected();
        for version in [AccountsByIdsVersion::V2, AccountsByIdsVersion::V1] {
            let asked = ids(&first);
            let found = harness.client.accounts_by_ids(&robot(), &asked, version).await.unwrap();
            expected.remove(&missing);
            let found: BTreeMap<String, Account> =
                found.accounts.into_iter().map(|(id, it)| (id.to_string(), it)).collect();
            assert_eq!(found, expected, "request {generation}, {version:?}");
        }
    }
    // The first two were unavailable, and the sender asked again.
    assert_eq!(harness.simulator.counts().by_ids, 6);
}

#[tokio::test]
async fn an_operation_by_id_is_refused_or_not_offered() {
    let ask = async |schedule: Schedule, version| {
        let harness = Harness::start(schedule).await;
        let ids = ["a".parse().unwrap()];
        harness.client.accounts_by_ids(&robot(), &ids, version).await
    };
    let (v1, v2) = (AccountsByIdsVersion::V1, AccountsByIdsVersion::V2);
    let absent = Schedule { by_ids_not_offered: true, ..Schedule::default() };
    assert!(ask(absent.clone(), v1).await.unwrap_err().is_not_offered());
    assert!(ask(absent, v2).await.unwrap_err().is_not_offered());
    let older = Schedule { by_ids_v2_not_offered: true, ..Schedule::default() };
    assert!(ask(older.clone(), v2).await.unwrap_err().is_not_offered());
    assert!(ask(older, v1).await.unwrap().accounts.is_empty());
    let refusal = Refusal { code: 60040, message: "no right".into() };
    let refused = Schedule { by_ids_refused: Some(refusal), ..Schedule::default() };
    let error = ask(refused, v2).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }) && !error.is_not_offered(), "{error:?}");
    let known = Schedule { robots: robots(), ..Schedule::default() };
    assert_eq!(ask(known, v2).await.unwrap_err().refusal().map(|it| it.code), Some(60011));
}

/// Keeps what each event is by its type.
#[derive(Default)]
struct Events(Mutex<Vec<Option<String>>>);

#[async_trait]
impl OtherEventHandler for Events {
    async fn handle(&self, event: OtherEvent) -> Result<(), HandlerError> {
        let customer = event.read::<NewCustomerCallback>().and_then(|it| it.account_id);
        let group = event.read::<NewGroupCallback>().map(|it| it.group_id);
        let union = event.read::<CustomerIdentifiedCallback>().map(|it| it.data.union_id);
        let logout = event.read::<RobotLoggedOutCallback>().map(|it| it.logout_type);
        let read = [
            customer.map(|it| format!("customer {it}")),
            group.map(|it| format!("group {it}")),
            union.map(|it| format!("union {it}")),
            logout.map(|it| format!("logout {it:?}")),
        ];
        // Each event has one type.
        assert!(read.iter().flatten().count() <= 1);
        self.0.lock().unwrap().push(read.into_iter().flatten().next());
        Ok(())
    }
}

/// Payloads of the siblings of the customer list, one of each type.
const SIBLINGS: [&str; 4] = [
    r#"{"event_type":20001,"robot_id":"robot-1","account_id":"a","mark_id_list":"m"}"#,
    r#"{"event_type":"20002","robot_id":"robot-1","group_id":"g","is_watch":1}"#,
    r#"{"event_type":20003,"err_code":0,"robot_id":"robot-1","data":{"account_id":"a","union_id":"u"}}"#,
    r#"{"event_type":41002.0,"robot_id":"robot-1","robot_device":3,"logout_type":2}"#,
];

async fn post(harness: &Harness, payloads: &[&str]) {
    let platform = Forwarder::new(&harness.callback_url).unwrap();
    for (n, payload) in payloads.iter().enumerate() {
        let body = ring().seal(payload, &format!("n{n}"), 1_700_000_000);
        platform.forward(&serde_json::to_vec(&body).unwrap()).await.unwrap();
    }
}

/// What is read of each event by its type.
fn read(event: &EventContent) -> String {
    match *event.event_type() {
        EventType::NEW_CUSTOMER => {
            let it: NewCustomerCallback = event.read().unwrap();
            format!(
                "customer {} of {}, marks {:?}",
                it.account_id.unwrap(),
                it.robot_id.unwrap(),
                it.mark_id_list
            )
        }
        EventType::NEW_GROUP => {
            let it: NewGroupCallback = event.read().unwrap();
            format!("group {} watched {:?}", it.group_id, it.is_watch)
        }
        EventType::CUSTOMER_IDENTIFIED => {
            let it: CustomerIdentifiedCallback = event.read().unwrap();
            format!("union {}", it.data.union_id)
        }
        EventType::ROBOT_LOGGED_OUT => {
            let it: RobotLoggedOutCallback = event.read().unwrap();
            let unread: Vec<_> = it.unread.iter().map(|it| it.0.to_owned()).collect();
            format!(
                "{} logged out: {}, unread {unread:?}",
                it.robot_id.unwrap(),
                it.logout_type.label_en()
            )
        }
        ref other => format!("{other:?} {:?}", event.read::<NewCustomerCallback>()),
    }
}

#[tokio::test]
async fn events_of_the_siblings_reach_the_handler_and_are_read_by_their_types() {
    let events = Arc::new(Events::default());
    let handler = Arc::clone(&events) as Arc<dyn OtherEventHandler>;
    let harness =
        Harness::start_with(Schedule::default(), |it| it.other_event_handler(handler)).await;
    post(&harness, &SIBLINGS).await;
    let heard = std::mem::take(&mut *events.0.lock().unwrap());
    assert_eq!(
        heard,
        [Some("customer a"), Some("group g"), Some("union u"), Some("logout Lost")]
            .map(|it| it.map(str::to_owned))
    );
}

#[tokio::test]
async fn an_observer_learns_of_events_with_and_without_a_handler_unless_the_handler_refuses() {
    let all = [
        "customer a of robot-1, marks [\"m\"]",
        "group g watched Some(true)",
        "union u",
        "robot-1 logged out: connection lost, unread []",
    ];
    for handler in [None, Some(Arc::new(Events::default()))] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seeing = Arc::clone(&seen);
        let harness = Harness::start_with(Schedule::default(), |it| {
            let it = it.other_event_observer(move |event| seeing.lock().unwrap().push(read(event)));
            match &handler {
                Some(handler) => it.other_event_handler(Arc::clone(handler) as _),
                None => it,
            }
        })
        .await;
        post(&harness, &SIBLINGS).await;
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), all);
        // A field that cannot be read costs only itself, and an event of another type is none of these.
        let odd =
            r#"{"event_type":41002,"robot_id":"robot-1","message":{"canary":1},"logout_type":1}"#;
        post(&harness, &[odd, r#"{"event_type":50001,"robot_id":"robot-1"}"#]).await;
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen[0], "robot-1 logged out: asked for, unread [\"message\"]");
        assert!(seen[1].ends_with("50001) None"), "{seen:?}");
    }
    let harness = Harness::start_with(Schedule::default(), |it| {
        it.other_event_handler(Arc::new(Refusing))
            .other_event_observer(|_| panic!("it was refused"))
    })
    .await;
    let platform = Forwarder::new(&harness.callback_url).unwrap();
    let body = ring().seal(SIBLINGS[0], "n", 1_700_000_000);
    assert!(platform.forward(&serde_json::to_vec(&body).unwrap()).await.is_err());
}

struct Refusing;

#[async_trait]
impl OtherEventHandler for Refusing {
    async fn handle(&self, _: OtherEvent) -> Result<(), HandlerError> {
        Err(HandlerError::Unavailable)
    }
}
