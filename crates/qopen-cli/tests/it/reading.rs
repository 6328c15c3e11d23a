//! Robots and their last lists over the control API, for programs that only read.

use qopen_simulator::Schedule;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::served::{Served, expected};
use crate::support::{Stage, ids, text};

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap()
}

#[tokio::test]
async fn the_last_published_list_of_a_robot_is_read_whole_from_a_customer_on_or_not_again() {
    let moving = Schedule { accounts: 60, gone_each: 7, new_each: 1, ..Schedule::default() };
    let stage = Stage::new(&moving);
    let served = Served::with_lists(&stage, &["--max-gone", "5"]);
    let path = "/v1/robots/r1/accounts";
    assert_eq!(served.get_json("/v1/robots").await, json!({ "robots": [] }));
    assert_eq!(served.get(path).await.status(), 404);
    let first = served.published("r1").await;

    let answer = served.get(path).await;
    let tag = header(&answer, "etag").to_owned();
    let is_tag_of = |tag: &str, mark: &str, revision: u32| {
        tag.starts_with(&format!("\"{mark}-")) && tag.ends_with(&format!(".{revision}\""))
    };
    assert!(is_tag_of(&tag, &first, 1), "{tag}");
    assert_eq!(header(&answer, "content-type"), "application/x-ndjson");
    assert_eq!((header(&answer, "qopen-mark"), header(&answer, "qopen-revision")), (&*first, "1"));
    assert!(header(&answer, "last-modified").ends_with(" GMT"));
    let whole = answer.text().await.unwrap();
    assert_eq!(whole, stage.read("lists/r1.jsonl"));
    assert_eq!(ids(&whole), expected(&moving, "r1"));

    // The rest, after each customer.
    let all = ids(&whole);
    for (after, from) in [(&*all[0], 1), (&all[58], 59), (&all[59], 60), ("!", 0)] {
        let rest = served.get(&format!("{path}?after={after}")).await.text().await.unwrap();
        assert_eq!(ids(&rest), all[from..], "{after}");
    }
    let rest = served.get(&format!("{path}?format=csv&after={}", all[57])).await;
    assert_eq!(header(&rest, "content-type"), "text/csv; charset=utf-8");
    assert_eq!(rest.text().await.unwrap().lines().count(), 3);

    let again = async |query: &str, tags: &str| {
        let url = format!("{}{path}{query}", served.control);
        let answer = served.http.get(url).header("if-none-match", tags).send().await.unwrap();
        (answer.status(), answer.headers().get("etag").cloned(), answer.text().await.unwrap())
    };
    for tags in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".into()] {
        let (status, given, body) = again("", &tags).await;
        assert_eq!((status, &*body), (StatusCode::NOT_MODIFIED, ""), "{tags}");
        assert_eq!(given.unwrap(), tag);
    }
    // Another form, or another part, is another body.
    for query in ["?format=csv", "?format=csv&bom=true", &format!("?after={}", all[0])] {
        assert_eq!(again(query, &tag).await.0, StatusCode::OK, "{query}");
    }

    // A list that is held is not the last one; an accepted one is.
    let second = served.start_pull("r1").await;
    served.until(&second, |it| it["held"] == true).await;
    assert_eq!(again("", &tag).await.0, StatusCode::NOT_MODIFIED);
    let lists = async || served.get_json("/v1/robots").await["robots"][0].clone();
    let robot = lists().await;
    assert_eq!((&robot["robot_id"], &robot["next"]), (&json!("r1"), &Value::Null), "{robot}");
    assert_eq!(
        (&robot["last"]["mark_id"], &robot["last"]["accounts"]),
        (&json!(first), &json!(60))
    );
    assert!(robot["last"]["age_s"].as_u64().unwrap() < 600, "{robot}");
    let accepted = served.ask(Method::POST, &format!("/v1/pulls/{second}/accept")).await;
    assert_eq!(accepted.status(), 202);
    served.until(&second, |it| it["output"].is_string()).await;
    let robot = lists().await;
    let marks: Vec<_> =
        robot["lists"].as_array().unwrap().iter().map(|it| &it["mark_id"]).collect();
    assert_eq!(marks, [&json!(first), &json!(second)], "{robot}");
    assert_eq!(
        (&robot["last"]["mark_id"], &robot["last"]["changes"]["gone"]),
        (&json!(second), &json!(7))
    );
    let (status, given, body) = again("", &tag).await;
    assert_eq!(status, StatusCode::OK);
    assert!(is_tag_of(given.unwrap().to_str().unwrap(), &second, 1));
    assert_eq!(body, stage.read("lists/r1.jsonl"));
    for (query, status) in
        [("?bom=true", 400), ("?after=", 400), ("?format=odt", 400), ("?since=x", 400)]
    {
        assert_eq!(served.get(&format!("{path}{query}")).await.status(), status, "{query}");
    }
    assert_eq!(served.get("/v1/robots/-/accounts?robot_id=..").await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

/// Asks for the list of r1: its status, tag and revision, and its customers.
async fn last_list(served: &Served) -> (StatusCode, String, String, Vec<String>) {
    let answer = served.get("/v1/robots/r1/accounts").await;
    let (status, tag) = (answer.status(), header(&answer, "etag").to_owned());
    let revision = header(&answer, "qopen-revision").to_owned();
    (status, tag, revision, ids(&answer.text().await.unwrap()))
}

#[tokio::test]
async fn a_late_page_is_in_the_last_list_when_it_is_published_and_not_before() {
    let late =
        Schedule { accounts: 60, page_size: 10, late_page: Some((2, 3000)), ..Schedule::default() };
    let stage = Stage::new(&late);
    let [lists, away] = ["lists", "away"].map(|it| stage.folder.path().join(it));
    std::fs::create_dir(&lists).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.published("r1").await;
    // Without its folder, the next revision waits.
    std::fs::rename(&lists, &away).unwrap();
    let (_, tag, revision, customers) = last_list(&served).await;
    assert_eq!((&*revision, customers.len()), ("1", 50));
    let pull = format!("/v1/pulls/{mark}/accounts");
    while header(&served.get(&pull).await, "qopen-revision") != "2" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(last_list(&served).await, (StatusCode::OK, tag.clone(), revision, customers));
    std::fs::rename(&away, &lists).unwrap();
    served.until(&mark, |it| it["revision"] == 2 && it["accounts"] == 60).await;
    let (_, newer, revision, customers) = last_list(&served).await;
    assert_eq!((&*revision, customers.len()), ("2", 60));
    assert_ne!(newer, tag);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_list_under_the_mark_of_a_deleted_pull_has_a_tag_of_its_own() {
    let stage = Stage::new(&Schedule { accounts: 60, gone_each: 7, ..Schedule::default() });
    let served = Served::with_lists(&stage, &[]);
    let mut tags = Vec::new();
    for customers in [60, 53] {
        let begun = served.start(&json!({ "robot_id": "r1", "mark_id": "nightly" })).await;
        assert_eq!(begun.status(), 202);
        served.until("nightly", |it| it["output"].is_string()).await;
        let (_, tag, _, all) = last_list(&served).await;
        assert_eq!(all.len(), customers);
        assert!(!tags.contains(&tag), "{tag}");
        tags.push(tag);
        assert_eq!(served.ask(Method::DELETE, "/v1/pulls/nightly").await.status(), 204);
    }
    assert_eq!(served.get("/v1/robots/r1/accounts").await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_deleted_list_does_not_make_the_list_before_it_the_last_one() {
    let stage = Stage::new(&Schedule { accounts: 60, gone_each: 7, ..Schedule::default() });
    let served = Served::with_lists(&stage, &[]);
    served.published("r1").await;
    let mark = served.published("r1").await;
    assert_eq!(served.ask(Method::DELETE, &format!("/v1/pulls/{mark}")).await.status(), 204);
    // The place holds the deleted pull's list, which the journal does not have any more.
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 53);
    assert_eq!(served.get("/v1/robots/r1/accounts").await.status(), 410);
    assert_eq!(served.get_json("/v1/robots").await["robots"][0]["last"], Value::Null);
    served.published("r1").await;
    assert_eq!(last_list(&served).await.3.len(), 46);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_list_on_standard_output_is_the_last_one_and_has_no_changes() {
    let stage = Stage::new(&Schedule { accounts: 60, ..Schedule::default() });
    let pulled = stage.run(&["--robot", "r1", "--out", "-"]);
    assert_eq!(pulled.status.code(), Some(0), "{}", text(&pulled.stderr));
    let served = Served::new(&stage, &[], None);
    assert_eq!(last_list(&served).await.3.len(), 60);
    assert_eq!(served.get("/v1/robots/r1/changes").await.status(), 404);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn robots_are_listed_with_their_next_time_and_their_open_pull() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let schedules = "[[schedule]]
        cron = '0 0 1 1 *'\nrobots = ['r2']\n
        [[schedule]]
        cron = '0 0 2 1 *'\nrobots = 'all'\nexcept = ['r3']\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), schedules).unwrap();
    let mut command = Served::command(&stage, &["--out", "lists", "--idle-timeout", "60s"]);
    command.env("QOPEN_TIME_ZONE", "UTC");
    let served = Served::spawn(command);
    let mut marks = Vec::new();
    for robot in ["r1", "r2", "r3"] {
        marks.push(served.start_pull(robot).await);
    }
    let listed = served.get_json("/v1/robots").await;
    let robots = listed["robots"].as_array().unwrap();
    let next = robots.iter().map(|it| it["next"].as_str().map(|it| it[4..].to_owned()));
    let next: Vec<_> = next.collect();
    let at = |day: &str| Some(format!("-01-{day}T00:00:00Z"));
    assert_eq!(next, [at("02"), at("01"), None], "{listed}");
    for (robot, mark) in robots.iter().zip(&marks) {
        assert_eq!((&robot["open"], &robot["last"]), (&json!([mark]), &Value::Null), "{listed}");
    }
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn a_list_is_answered_whole_unless_its_tag_says_that_the_client_has_it() {
    let stage = Stage::new(&Schedule { accounts: 60, ..Schedule::default() });
    let served = Served::with_lists(&stage, &[]);
    let mark = served.published("r1").await;
    let robot = "/v1/robots/r1/accounts".to_owned();
    for path in [robot.clone(), format!("/v1/pulls/{mark}/accounts")] {
        let ask = async |method: Method, name: &str, value: &str| {
            let url = format!("{}{path}", served.control);
            served.http.request(method, url).header(name, value).send().await.unwrap()
        };
        let ranged = ask(Method::GET, "range", "bytes=0-9").await;
        assert_eq!(ranged.status(), StatusCode::OK);
        assert_eq!(header(&ranged, "accept-ranges"), "none");
        assert_eq!(ids(&ranged.text().await.unwrap()).len(), 60);
        // A second may have two lists, and a clock may go back: a time proves nothing.
        let dated = ask(Method::GET, "if-modified-since", "Fri, 31 Dec 2100 23:59:59 GMT").await;
        assert_eq!(dated.status(), StatusCode::OK);
        assert_eq!(ids(&dated.text().await.unwrap()).len(), 60);
        let head = ask(Method::HEAD, "accept", "*/*").await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(&head, "content-type"), "application/x-ndjson");
        assert_eq!(head.text().await.unwrap(), "");
    }
    let head = served.ask(Method::HEAD, &robot).await;
    let url = format!("{}{robot}", served.control);
    let again = served.http.get(url).header("if-none-match", header(&head, "etag")).send().await;
    assert_eq!(again.unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(served.stop().code(), Some(0));
}
