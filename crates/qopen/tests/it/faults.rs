//! Every fault of the simulator: the list is right, or is not called complete.

use qopen::assembler::WaitingFor;
use qopen::callback::RejectReason;
use qopen::types::Account;
use qopen::{PullRequest, Status};
use std::time::Duration;

use qopen_simulator::{ErrorFault, Odd, Refusal, Schedule};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Harness, ring, robot, timing, written};

async fn comes_out_right(schedule: Schedule) -> Harness {
    let replay = serde_json::to_string(&schedule).unwrap();
    let harness = Harness::start(schedule).await;
    let outcome = harness.pull().await;
    assert!(
        matches!(outcome.status, Status::Complete(_)),
        "{:?}\nreplay: {replay}",
        outcome.status
    );
    let (list, published) = written(&outcome).await;
    let expected = harness.dataset().expected();
    assert_eq!(list, expected, "replay: {replay}");
    assert_eq!(published.lists[0].accounts, expected.len() as u64);
    assert_eq!(outcome.progress.waiting_for, WaitingFor::Nothing);
    harness
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_pull() {
    let harness = comes_out_right(Schedule::default()).await;
    let counts = harness.simulator.counts();
    assert_eq!(
        (counts.requests, counts.tokens, counts.acknowledged, counts.given_up),
        (1, 1, 5, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_survived_is() {
    // Each seed is a mix of faults; a failing one prints the schedule that replays it.
    let pulls = (0..24).map(|seed| tokio::spawn(comes_out_right(Schedule::survivable(seed))));
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_survivable_fault_alone() {
    let schedules =
        Schedule::each_survivable(&Schedule { accounts: 90, page_size: 10, ..Schedule::default() });
    let pulls = schedules.into_iter().map(|schedule| tokio::spawn(comes_out_right(schedule)));
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_counted_by_kind() {
    let schedule =
        Schedule { forged: 3, foreign_events: 4, foreign_marks: 5, ..Schedule::default() };
    let harness = comes_out_right(schedule).await;
    let stats = harness.client.stats();
    assert_eq!(stats.receiver().rejections(), [(RejectReason::Signature, 3)]);
    assert_eq!((stats.receiver().other_events(), stats.engine().unknown_marks()), (4, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_by_callback_with_and_without_data() {
    for with_data in [true, false] {
        let error =
            ErrorFault { code: 70001, message: "robot offline".into(), with_data, after_pages: 2 };
        let schedule = Schedule { error: Some(error), parallel: 1, ..Schedule::default() };
        let harness = Harness::start(schedule).await;
        let outcome = harness.pull().await;
        assert!(
            matches!(&outcome.status, Status::Reported { code: 70001, message } if message == "robot offline"),
            "{:?}",
            outcome.status
        );
        assert_eq!(outcome.progress.figures.pages, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_request_and_of_the_credentials() {
    let refusal = Refusal { code: 60011, message: "no such robot".into() };
    let schedules = [
        (Schedule { refusal: Some(refusal), ..Schedule::default() }, 60011),
        (Schedule { refuse_credentials: true, ..Schedule::default() }, 40013),
    ];
    for (schedule, code) in schedules {
        let harness = Harness::start(schedule).await;
        let outcome = harness.pull().await;
        let Status::Refused(error) = &outcome.status else { panic!("{:?}", outcome.status) };
        assert_eq!(qopen::send_error(error).unwrap().refusal().unwrap().code, code);
        assert!(outcome.status.to_string().contains("log-simulated"), "{}", outcome.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_stays_away() {
    let harness = Harness::start(Schedule { unavailable: 99, ..Schedule::default() }).await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::NotSent(_)), "{:?}", outcome.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_i9_a_broken_field_costs_itself_and_is_shown() {
    let harness = Harness::start(Schedule { broken_accounts: 3, ..Schedule::default() }).await;
    let outcome = harness.pull().await;
    assert!(matches!(outcome.status, Status::Complete(_)));
    let (list, published) = written(&outcome).await;
    let figures = &published.lists[0];
    assert_eq!((list.len(), figures.quarantined, figures.unread_fields), (500, 0, 3));
    let broken: Vec<_> = list.iter().filter(|(_, it)| it.extra.get("_unread").is_some()).collect();
    assert_eq!(broken.len(), 3);
    for (_, account) in broken {
        let unread = account.extra.get("_unread").unwrap();
        assert_eq!(unread.as_str(), r#"{"profile.name":["?"]}"#);
    }
    let whole = |list: &std::collections::BTreeMap<String, Account>| {
        let mut whole = list.clone();
        whole.retain(|_, it| it.extra.get("_unread").is_none() && it.unread.is_empty());
        whole
    };
    let expected = harness.dataset().expected();
    assert!(list.keys().eq(expected.keys()));
    assert_eq!(whole(&list), whole(&expected));
}

/// Every odd form, as a page in the middle and as the last: complete and right, or not complete and kept
/// byte for byte. Never complete without it.
#[tokio::test(flavor = "multi_thread")]
async fn e1_e4_every_odd_page_is_read_or_kept() {
    let mut tasks = tokio::task::JoinSet::new();
    for odd in Odd::ALL {
        tasks.spawn(is_read_or_kept(odd, 1));
        tasks.spawn(is_read_or_kept(odd, 2));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn is_read_or_kept(odd: Odd, page: usize) {
    let odd_pages = vec![(page, odd)];
    let schedule = Schedule { accounts: 30, page_size: 10, odd_pages, ..Schedule::default() };
    let harness = Harness::start_with(schedule, |builder| {
        // All forms come at once: a page of a platform that is busy must not come after the quiet.
        let settle = Duration::from_secs(3);
        builder.timing(timing().settle(settle).idle_timeout(2 * settle))
    })
    .await;
    let outcome = harness.pull().await;
    let complete = matches!(outcome.status, Status::Complete(_));
    assert_eq!(complete, odd.is_readable(), "{odd:?} {page}: {:?}", outcome.status);
    let (list, published) = written(&outcome).await;
    if complete {
        assert_eq!(list.len(), 30, "{odd:?}");
        if odd.keeps_contents() {
            assert_eq!(list, harness.dataset().expected(), "{odd:?}");
        }
    } else {
        assert_eq!(list.len(), 20, "{odd:?}");
        assert!(published.lists[0].quarantined > 0, "{odd:?} {page}");
    }
    let counted = harness.client.stats().readings();
    // Forms that the plain one can have too, and those that concern an account alone.
    let may_be_plain =
        [Odd::WecomPadding, Odd::Base64Url, Odd::LoneSurrogate, Odd::TooDeep, Odd::DateTime];
    let plain =
        !odd.is_readable() || may_be_plain.contains(&odd) || odd == Odd::NoHasMore && page == 1;
    assert!(plain || !counted.is_empty(), "{odd:?} {page}: {counted:?}");
}

/// Posts a payload as the platform would.
async fn post(harness: &Harness, payload: &str) -> u16 {
    let body = serde_json::to_string(&ring().seal(payload, "n", 1_763_850_000)).unwrap();
    let address =
        harness.callback_url.strip_prefix("http://").unwrap().strip_suffix("/callback").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_contents_the_greater_digest_is_published_whatever_of_it_can_be_read() {
    let harness = Harness::start(Schedule { silent: true, ..Schedule::default() }).await;
    let pull = harness.client.pull(PullRequest::new(robot())).await.unwrap();
    let mark = pull.id().mark_id.clone();
    // Whichever has the greater digest: of many, some broken ones have.
    for (more, field) in
        [(true, r#""deleted_by_staff":false"#), (false, r#""deleted_by_staff":"?""#)]
    {
        let accounts: Vec<_> =
            (0..40).map(|n| format!(r#"{{"account_id":"a{n:02}",{field}}}"#)).collect();
        let list = accounts.join(",");
        let page = format!(
            r#"{{"event_type":42016,"robot_id":"robot-1","data":{{"has_more":{more},"mark_id":"{mark}","account_list":[{list}]}}}}"#
        );
        assert_eq!(post(&harness, &page).await, 200);
    }
    let outcome = pull.outcome().await.unwrap();
    assert!(matches!(outcome.status, Status::Complete(_)));
    let (list, published) = written(&outcome).await;
    // The greater digest wins, and a field that it has unreadable costs the field.
    let figures = &published.lists[0];
    assert_eq!((list.len(), figures.quarantined), (40, 0));
    assert!((1..40).contains(&figures.unread_fields), "{}", figures.unread_fields);
}
