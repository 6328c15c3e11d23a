//! Guards of a service and of its schedules.

use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use reqwest::Method;
use serde_json::{Value, json};

use crate::guards::lost_on;
use crate::served::Served;
use crate::support::{Stage, ids, text};

#[tokio::test]
async fn a_service_holds_a_list_and_publishes_it_and_its_changes_on_request() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let stage = Stage::new(&moving);
    let served = Served::with_lists(&stage, &["--max-gone", "5"]);
    let first = served.published("r1").await;
    let second = served.start_pull("r1").await;
    let held = served.until(&second, |it| it["held"] == true).await;
    assert!(held["status"] == "complete" && held["output"].is_null(), "{held}");
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60);
    assert_eq!(ids(&stage.read("lists/r1.jsonl.held")).len(), 53);
    let changes = "/v1/robots/r1/changes";
    let baseline = served.get(changes).await.text().await.unwrap();
    assert!(baseline.lines().count() == 1 && baseline.contains("\"since\":null"), "{baseline}");

    // By the command line beside the service, which asks the service.
    let accepted = stage.verb("pulls", &["accept", &second]).output().unwrap();
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    let published = served.until(&second, |it| it["output"].is_string()).await;
    assert_eq!(published["held"], false, "{published}");
    assert!(published["evidence"]["quiet_ms"].is_u64() && published["why"].is_string());
    let again = served.ask(Method::POST, &format!("/v1/pulls/{second}/accept")).await;
    assert_eq!(again.status(), 409);

    let since = |mark: &str| format!("{changes}?since={mark}");
    let all = served.get(&since(&first)).await.text().await.unwrap();
    assert_eq!(all.lines().count(), 8, "{all}");
    let header: Value = serde_json::from_str(all.lines().next().unwrap()).unwrap();
    assert_eq!((&header["mark_id"], &header["gone"]), (&json!(second), &json!(7)));
    assert_eq!(served.get(&since(&second)).await.text().await.unwrap(), "");
    assert_eq!(served.get(&since("another")).await.status(), 410);
    assert_eq!(served.get("/v1/robots/r2/changes").await.status(), 404);
    assert_eq!(served.get("/v1/robots/-/changes?robot_id=..").await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

/// Waits until the service knows that number of pulls, and has published that number of their lists.
async fn pulls_of(served: &Served, number: usize, published: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let listed = served.get_json("/v1/pulls").await;
        let pulls = listed["pulls"].as_array().unwrap();
        let with_output = pulls.iter().filter(|it| it["output"].is_string()).count();
        if (pulls.len(), with_output) == (number, published) {
            return pulls.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{listed}\n{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_service_confirms_a_list_by_another_pull_and_publishes_none_that_it_cannot_confirm() {
    let stage = Stage::new(&lost_on(2));
    let served = Served::with_lists(&stage, &["--confirm"]);
    let first = served.start_pull("r1").await;
    served.until_it_says(1, &format!("mark {first}: pulling again to confirm its list")).await;
    let waiting = served.until(&first, |it| it["held"] == true).await;
    assert!(waiting["output"].is_null(), "{waiting}");
    let pulls = pulls_of(&served, 2, 1).await;
    let confirmed = pulls.iter().find(|it| it["output"].is_string()).unwrap();
    assert_eq!(confirmed["evidence"]["confirmed_by"], json!(first), "{confirmed}");
    // No person needs to decide on the list that was confirmed.
    let first = served.until(&first, |it| it["held"] == false).await;
    assert!(first["output"].is_null(), "{first}");

    // The third request lacks a page. The fourth shows it, and the fifth confirms the fourth.
    served.start_pull("r1").await;
    served.until_it_says(1, "0 customers are only in the list before, 10 customers are only").await;
    let pulls = pulls_of(&served, 5, 2).await;
    let published = pulls.iter().filter(|it| it["output"].is_string());
    assert_eq!(published.map(|it| it["accounts"].as_u64()).collect::<Vec<_>>(), [Some(60); 2]);
    for pull in &pulls {
        served.until(pull["mark_id"].as_str().unwrap(), |it| it["held"] == false).await;
    }
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_list_whose_confirming_pulls_do_not_complete_is_named_for_a_person() {
    // The last page of the second and of the third request is never sent.
    let never = Schedule { lost_pages: vec![5], lost_pages_on: Some(vec![1, 2]), ..lost_on(0) };
    let stage = Stage::new(&never);
    let served = Served::with_lists(&stage, &["--confirm"]);
    let first = served.start_pull("r1").await;
    let held = format!("robot r1: no pull confirmed the list of {first}; `qopen pulls accept");
    served.until_it_says(1, &held).await;
    let pulls = pulls_of(&served, 3, 0).await;
    assert_eq!(pulls.iter().filter(|it| it["status"] == "incomplete").count(), 2, "{pulls:?}");
    let accepted = served.ask(Method::POST, &format!("/v1/pulls/{first}/accept")).await;
    assert_eq!(accepted.status(), 202);
    served.until(&first, |it| it["output"].is_string()).await;
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn an_interrupted_pull_confirms_a_list_without_a_further_request() {
    let stage = Stage::new(&Schedule { accounts: 60, page_size: 10, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let serve = || Served::new(&stage, &["--out", "lists", "--confirm"], None);
    let mut served = serve();
    let first = served.start_pull("r1").await;
    let began = Instant::now();
    // Within the quiet that would complete it.
    while !served.get_json("/v1/pulls").await["pulls"]
        .as_array()
        .unwrap()
        .iter()
        .any(|it| it["mark_id"] != first && it["status"] == "open" && it["pages"] == 6)
    {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.process.kill().unwrap();
    served.process.wait().unwrap();
    let served = serve();
    let pulls = pulls_of(&served, 2, 1).await;
    let published = pulls.iter().find(|it| it["output"].is_string()).unwrap();
    let evidence = &published["evidence"];
    assert_eq!(
        (&evidence["interrupted"], &evidence["confirmed_by"]),
        (&json!(true), &json!(first))
    );
    assert!(!served.log().contains("anew"), "{}", served.log());
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_service_pulls_a_list_again_that_lacks_a_page() {
    let stage = Stage::new(&lost_on(1));
    let served = Served::with_lists(&stage, &["--verify-gone", "--retry", "1"]);
    served.published("r1").await;
    let second = served.start_pull("r1").await;
    served.until_it_says(1, &format!("mark {second}: the list lacks pages; requesting")).await;
    let pulls = pulls_of(&served, 3, 2).await;
    let held = pulls.iter().find(|it| it["mark_id"] == second).unwrap();
    assert!(held["output"].is_null(), "{held}");
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60);
    assert_eq!(served.stop().code(), Some(0));
}

/// Returns at a time of which the next minute is at least 20 s away.
async fn early_in_a_minute() {
    let second = jiff::Timestamp::now().as_second().rem_euclid(60);
    if second > 40 {
        tokio::time::sleep(Duration::from_secs(u64::try_from(60 - second).unwrap())).await;
    }
}

#[tokio::test]
async fn a_schedule_has_guards_of_its_own() {
    let stage = Stage::new(&Schedule { accounts: 60, gone_each: 7, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let schedules = "[[schedule]]
        cron = '* * * * *'\nrobots = ['r1']\nmax_gone = 5
        [[schedule]]
        cron = '* * * * *'\nrobots = ['r2']\nmax_gone = '100%'\nconfirm = true
        [[schedule]]
        cron = '* * * * *'\nrobots = ['r3']
        [[schedule]]
        cron = '* * * * *'\nrobots = ['r3']\nmax_gone = 1\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), schedules).unwrap();
    // The pulls of the API end before the schedules are due.
    early_in_a_minute().await;
    let served = Served::new(&stage, &["--out", "lists", "--max-gone", "6"], None);
    assert!(served.log().contains("max_gone = \"100%\", confirm = true"), "{}", served.log());
    for robot in ["r1", "r3"] {
        served.published(robot).await;
    }
    // The last guard of r1 is its schedule's, of r3 the service's. No list confirms another one of r2.
    for (robot, limit) in [("r1", 5), ("r3", 6)] {
        let why = "is held: 7 of the 60 customers of the last list are gone, more than";
        served.until_it_says(1, &format!("the list of robot {robot} {why} {limit};")).await;
    }
    served.until_it_says(1, "is due at the same time with other guards").await;
    served.until_it_says(1, "robot r2: no two consecutive lists have the same customers").await;
    assert!(!stage.exists("lists/r2.jsonl"));
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_service_publishes_an_empty_list_that_a_person_accepts() {
    let stage = Stage::new(&Schedule { accounts: 60, gone_each: 60, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let guarded = ["--out", "lists", "--max-gone", "5"];
    let served = Served::new(&stage, &[&guarded[..], &["--allow-empty"]].concat(), None);
    let first = served.start_pull("r1").await;
    served.until(&first, |it| it["output"].is_string()).await;
    let empty = served.start_pull("r1").await;
    served.until(&empty, |it| it["held"] == true).await;
    assert_eq!(served.stop().code(), Some(0));
    // The next process does not allow empty lists.
    let served = Served::new(&stage, &guarded, None);
    let accepted = served.ask(Method::POST, &format!("/v1/pulls/{empty}/accept")).await;
    assert_eq!(accepted.status(), 202);
    served.until(&empty, |it| it["output"].is_string()).await;
    assert_eq!(stage.read("lists/r1.jsonl"), "");
    assert_eq!(served.stop().code(), Some(0));
}
