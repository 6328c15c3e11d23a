//! Decisions in the console: held lists are accepted, items read again and released.

use qopen::callback::{CallbackKeys, Keyring};
use qopen_simulator::Schedule;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::task::block_in_place;

use crate::callbacks::{TOKEN, callback, connect, now, ring, say};
use crate::chromium::Chromium;
use crate::console_pages::{Reader, form_of};
use crate::evidence::page_of;
use crate::served::Served;
use crate::support::{SETTINGS, Stage, ids};

/// A service with a held list of 53 customers in place of 60.
async fn holding() -> (Stage, Served, String) {
    let stage = Stage::new(&Schedule { accounts: 60, gone_each: 7, ..Schedule::default() });
    let served = Served::with_lists(&stage, &["--max-gone", "5"]);
    served.published("r1").await;
    let held = served.start_pull("r1").await;
    served.until(&held, |it| it["held"] == true).await;
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60);
    (stage, served, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_is_reviewed_and_accepted_by_clicks_and_then_published() {
    let Some(mut browser) = Chromium::launch("en") else { return };
    let (stage, served, held) = holding().await;
    block_in_place(|| {
        browser.open(&format!("{}/console/held", served.control));
        assert!(browser.text("main table").contains(&held));
        browser.follow("main td a.button", "/console/held/list");
        let counts = browser.text("dl.facts");
        for shown in [
            "Of the 60 customers of the last list, 7 are gone",
            "Customers in it\n53",
            "Customers in the last list\n60",
            "Gone\n7",
        ] {
            assert!(counts.contains(shown), "{shown}: {counts}");
        }
        assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 60, "reading decides nothing");
        browser.follow("#act-accept", "/console/pull");
        assert!(browser.text(".flash").contains("The list is accepted"));
        let state = "document.querySelector('#pull-state').innerText";
        browser.until(&format!("{state}.includes('Published in')"));
        assert!(
            browser.text("#pull-why").contains("A guard held the list, and a person accepted it.")
        );
        browser.open(&format!("{}/console/held", served.control));
        assert!(browser.text("main").contains("No list is held."));
    });
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 53);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn i15_a_form_without_its_token_or_from_another_site_decides_nothing() {
    let (stage, served, held) = holding().await;
    let reader = Reader::new(&served, "en");
    let review = reader.page(&format!("/console/held/list?robot_id=r1&mark_id={held}")).await;
    let form = form_of(&review, "/console/held/accept");
    let (rest, token): (Vec<_>, Vec<_>) =
        form.split('&').map(str::to_owned).partition(|it| !it.starts_with("csrf="));
    let wrong = form.replace(&token[0], "csrf=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let foreign = |name: &'static str, value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    };
    for (form, headers) in [
        (rest.join("&"), HeaderMap::new()),
        (format!("{}&csrf=", rest.join("&")), HeaderMap::new()),
        (wrong, HeaderMap::new()),
        (form.clone(), foreign("origin", "http://evil.test")),
        (form.clone(), foreign("origin", "null")),
        (form.clone(), foreign("sec-fetch-site", "cross-site")),
        (form.clone(), foreign("sec-fetch-site", "same-site")),
        (form.clone(), foreign("host", "evil.test")),
    ] {
        for action in ["held/accept", "pull/resume", "pull/end", "quarantine/retry"] {
            let answer = reader.send(&format!("/console/{action}"), &form, headers.clone()).await;
            let status = answer.status().as_u16();
            assert!([403, 421].contains(&status), "{status} {action} {form} {headers:?}");
        }
    }
    // Neither does a link.
    for action in
        ["held/accept", "pull/resume", "pull/end", "quarantine/retry", "quarantine/release"]
    {
        let answer = reader.get(&format!("/console/{action}?{form}")).await;
        assert_eq!(answer.status(), 405, "{action}");
    }
    let pull = served.get_json(&format!("/v1/pulls/{held}")).await;
    assert!(pull["held"] == true && pull["output"].is_null(), "{pull}");

    // The counts that a person saw count.
    let stale = form.replace("seen=", "seen=9");
    let answer = reader.send("/console/held/accept", &stale, HeaderMap::new()).await;
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(reader.page(&location).await.contains("the held list has changed"), "{location}");

    // The form itself works without JavaScript, once.
    let page = reader.submit(&review, "/console/held/accept").await;
    assert!(page.contains("The list is accepted"), "{page}");
    served.until(&held, |it| it["output"].is_string()).await;
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 53);
    let again = reader.submit(&review, "/console/held/accept").await;
    assert!(
        again.contains("Nothing was published: no list of this pull is held any more."),
        "{again}"
    );
    let review = reader.get(&format!("/console/held/list?robot_id=r1&mark_id={held}")).await;
    assert_eq!(review.status(), 303, "there is nothing to review");
    for (path, status) in [
        ("/console/held/list?robot_id=r1&mark_id=none", 404),
        ("/console/pull?robot_id=r2&mark_id=none", 404),
        ("/console/pull?robot_id=r1", 400),
        ("/console/pull/events?robot_id=r1&mark_id=none", 404),
        ("/console/quarantine/item?item=00", 404),
        ("/console/callbacks?span=year", 400),
    ] {
        let answer = reader.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    assert_eq!(served.stop().code(), Some(0));
}

const NEXT: &str = "canary-next-aes-key-of-32-bytes!";

/// A ring with another AES key than the service.
fn next_ring() -> Keyring {
    Keyring::new(SETTINGS[0].1, CallbackKeys::new(TOKEN, &NEXT.into()).unwrap())
}

/// A service with a pull of two pages: one that can be read, and one that needs the next key.
async fn quarantining(stage: &Stage, more: &[&str]) -> (Served, String) {
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(stage, &[&["--out", "lists"], more].concat(), None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"] == "the first page").await;
    let accounts = [
        json!({ "account_id": "a1", "nick_name": "canary-customer", "remark_phones": ["13912345678"] }),
    ];
    let data = json!({ "has_more": true, "mark_id": mark, "account_list": accounts });
    let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": "r1", "data": data });
    let sealed = callback(&next_ring(), &page.to_string(), "next", now());
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    assert_eq!(say(&mut stream, &[sealed, page_of(&mark, 2, false)]).await, [200, 200]);
    served.until(&mark, |it| it["status"] == "incomplete").await;
    (served, mark)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn items_are_read_again_by_a_click_and_the_pull_then_has_the_whole_list() {
    let Some(mut browser) = Chromium::launch("en") else { return };
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let (served, mark) = quarantining(&stage, &[]).await;
    let pull = format!("{}/console/pull?robot_id=r1&mark_id={mark}", served.control);
    let quarantine = format!("{}/console/quarantine", served.control);
    block_in_place(|| {
        browser.open(&pull);
        let why = browser.text("#pull-why");
        assert!(why.contains("A callback could not be read and is in quarantine"), "{why}");
        browser.open(&quarantine);
        browser.follow("#act-retry", "/console/quarantine");
        assert!(browser.text(".flash").contains("Items that were read: 0 of 1."));
        assert!(browser.text("main table").contains("decryption"));
    });
    let file = stage.folder.path().join("qopen.toml");
    std::fs::write(&file, format!("encoding_aes_key_next = \"{NEXT}\"\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    served.signal("HUP");
    served.until_it_says(1, "were read again").await;
    block_in_place(|| {
        browser.open(&quarantine);
        browser.follow("#act-retry", "/console/pull");
        let said = browser.text(".flash");
        assert!(said.contains("Items that were read: 1 of 1.") && said.contains(&mark), "{said}");
        browser.follow("#act-resume", "/console/pull");
        let state = "document.querySelector('#pull-state').innerText";
        browser.until(&format!("{state}.includes('Published in')"));
        assert!(browser.text("#pull-state").contains("Customers\n2"));
        browser.open(&quarantine);
        assert!(browser.text("main").contains("Nothing is in quarantine."));
    });
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), ["a1", "a2"]);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn an_item_is_released_after_a_review_and_its_list_published_without_it() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let (served, mark) = quarantining(&stage, &[]).await;
    let items = served.get_json("/v1/quarantine").await;
    let item = items["items"][0]["item"].as_str().unwrap();
    let reader = Reader::new(&served, "zh");
    let list = reader.page("/console/quarantine").await;
    assert!(list.contains(&item[..12]) && list.contains("解密"), "{list}");
    let review = reader.page(&format!("/console/quarantine/item?item={item}")).await;
    assert!(review.contains("此操作无法撤销") && review.contains(&mark), "{review}");
    assert!(!review.contains("/console/quarantine/content"), "contents are off");
    let content = form_of(&review, "/console/quarantine/release");
    let shown = reader.send("/console/quarantine/content", &content, HeaderMap::new()).await;
    assert_eq!(shown.status(), 403);
    let page = reader.submit(&review, "/console/quarantine/release").await;
    assert!(page.contains("该项已放行") && page.contains(&mark), "{page}");
    // The list of what came may not be written yet.
    let mut page = page;
    while !page.contains("action=\"/console/pull/resume\"") {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        page = reader.page(&format!("/console/pull?robot_id=r1&mark_id={mark}")).await;
    }
    let page = reader.submit(&page, "/console/pull/resume").await;
    assert!(page.contains("拉取已继续"), "{page}");
    served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), ["a2"]);
    let again = reader.submit(&review, "/console/quarantine/release").await;
    assert!(again.contains("隔离区中没有名为"), "{again}");
    assert!(reader.page("/console/quarantine").await.contains("隔离区为空"));
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn i10_customers_are_on_no_page_without_the_flag_and_a_click() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let (served, mark) = quarantining(&stage, &["--console-data"]).await;
    // A page of a pull that was not requested here, and hostile names.
    let data = json!({ "has_more": false, "mark_id": "<img src=x>\u{202E}\"'&", "account_list": [
        { "account_id": "canary-id", "nick_name": "canary-customer", "remark_phones": ["13912345678"] }] });
    let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": "<script>alert(1)</script>", "data": data });
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let sealed = callback(&ring(TOKEN), &page.to_string(), "odd", now());
    assert_eq!(say(&mut stream, &[sealed]).await, [200]);
    served.until_metrics("qopen_callbacks_unknown_marks_total 1\n").await;
    let items = served.get_json("/v1/quarantine").await;
    let items: Vec<&str> =
        items["items"].as_array().unwrap().iter().map(|it| it["item"].as_str().unwrap()).collect();
    assert_eq!(items.len(), 2);
    let reader = Reader::new(&served, "en");
    let mut paths = vec![
        "/console/quarantine".to_owned(),
        "/console/held".to_owned(),
        "/console/callbacks".to_owned(),
        format!("/console/pull?robot_id=r1&mark_id={mark}"),
        "/console/pull?robot_id=r1&mark_id=%22%3E%3Cscript%3E".to_owned(),
    ];
    paths.extend(items.iter().map(|it| format!("/console/quarantine/item?item={it}")));
    let mut readable = None;
    for path in paths {
        let page = reader.get(&path).await.text().await.unwrap();
        for secret in ["canary", "13912345678"] {
            assert!(!page.contains(secret), "{secret} at {path}: {page}");
        }
        for raw in ["<script>", "<img src=x>", "\"><"] {
            let markup = page.replace("<script src=\"", "").replace("\"><", "");
            assert!(!markup.contains(raw), "{raw} at {path}: {page}");
        }
        if page.contains("&lt;script&gt;alert(1)") && path.contains("item=") {
            readable = Some(page);
        }
    }
    // The click.
    let review = readable.expect("the item names its pull");
    let form = form_of(&review, "/console/quarantine/content");
    let shown = reader.send("/console/quarantine/content", &form, HeaderMap::new()).await;
    assert_eq!(shown.status(), 200);
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("canary-customer") && !shown.contains("<img src=x>"), "{shown}");
    let link = reader.get(&format!("/console/quarantine/content?{form}")).await;
    assert_eq!(link.status(), 303, "a link shows nothing");
    assert!(!served.log().contains("canary"), "{}", served.log());
    assert_eq!(served.stop().code(), Some(0));
}
