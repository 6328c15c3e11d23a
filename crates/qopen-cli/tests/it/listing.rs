//! The list of pulls over the control API, whole and in parts.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qopen_simulator::Schedule;
use serde_json::json;

use crate::console_seed::{List, days_ago, published, pull_id, seed_many};
use crate::served::Served;
use crate::support::Stage;

const PULLS: u64 = 1203;

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_pulls_is_the_same_in_parts() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let pulls = (0..PULLS).map(|number| {
        let list = List { accounts: number, changes: None, at: days_ago(1) };
        let robot = format!("robot-{}", number % 7);
        (pull_id(&robot, &format!("{number:05} a+b&c%20d")), published(&list))
    });
    seed_many(&stage.folder.path().join("qopen-data"), pulls).await;
    let served = Served::with_lists(&stage, &["--retain", "900d"]);
    let whole = served.get_json("/v1/pulls").await;
    assert_eq!(whole["pulls"].as_array().map(Vec::len), Some(PULLS as usize));
    assert!(whole.get("next").is_none());
    let accounts: u64 =
        whole["pulls"].as_array().unwrap().iter().filter_map(|it| it["accounts"].as_u64()).sum();
    assert_eq!(accounts, (0..PULLS).sum::<u64>());
    for limit in [100, 401, 1000, 1203, 5000] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let part = served.get_json(&format!("/v1/pulls?limit={limit}{after}")).await;
            let pulls = part["pulls"].as_array().unwrap();
            assert!(pulls.len() <= limit, "{limit}");
            found.extend(pulls.iter().cloned());
            let Some(next) = part.get("next") else { break };
            let name = |name| utf8_percent_encode(next[name].as_str().unwrap(), NON_ALPHANUMERIC);
            after =
                format!("&after_robot_id={}&after_mark_id={}", name("robot_id"), name("mark_id"));
        }
        assert_eq!(json!(found), whole["pulls"], "{limit}");
    }
    let refused = [
        "limit=0",
        "limit=some",
        "after_robot_id=robot-1",
        "after_mark_id=00001",
        "after_robot_id=&after_mark_id=00001",
    ];
    for query in refused {
        assert_eq!(served.get(&format!("/v1/pulls?{query}")).await.status(), 400, "{query}");
    }
}
