//! A pull in the console, seen with a real browser.

use qopen_simulator::Schedule;
use reqwest::header::{COOKIE, HeaderMap};
use tokio::task::block_in_place;

use crate::callbacks::{connect, say};
use crate::chromium::Chromium;
use crate::console_pages::{Reader, form_of};
use crate::evidence::page_of;
use crate::served::Served;
use crate::support::{Stage, ids};

/// The number beside a term of the page's facts.
fn fact(term: &str) -> String {
    format!(
        "[...document.querySelectorAll('#pull-state dt')].find(it => it.innerText === '{term}')?.nextElementSibling.innerText"
    )
}

fn url(served: &Served, mark: &str) -> String {
    format!("{}/console/pull?robot_id=r1&mark_id={mark}", served.control)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_seen_progressing_without_a_reload() {
    let Some(mut browser) = Chromium::launch("en") else { return };
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::with_lists(&stage, &["--settle", "5s", "--idle-timeout", "90s"]);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"] == "the first page").await;
    block_in_place(|| {
        browser.open(&url(&served, &mark));
        browser.eval("window.kept = 'the same page'");
        assert_eq!(browser.eval(&fact("Status")), "Open");
        assert!(browser.text("#pull-why").contains("It waits for the first page."));
    });
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let is = |term: &str, value: usize| format!("{} === '{value}'", fact(term));
    for id in 1..=4 {
        assert_eq!(say(&mut stream, &[page_of(&mark, id, true)]).await, [200]);
        block_in_place(|| {
            browser.until(&is("Pages", id));
            browser.until(&is("Customers", id));
        });
    }
    assert_eq!(say(&mut stream, &[page_of(&mark, 1, true)]).await, [200]);
    block_in_place(|| {
        browser.until(&is("Copies of pages", 1));
        assert!(
            browser.text("#pull-why").contains("It waits for the page that is marked as the last.")
        );
        let clock = browser.eval(&fact("Clock"));
        assert!(
            clock.as_str().unwrap().starts_with("The pull ends at the earliest in "),
            "{clock}"
        );
    });
    assert_eq!(say(&mut stream, &[page_of(&mark, 5, false)]).await, [200]);
    block_in_place(|| {
        // The settle clock counts down by itself.
        let settling =
            format!("{0}?.startsWith('The list is complete at the') && {0}", fact("Clock"));
        let clock = browser.until(&settling);
        let left = clock.as_str().unwrap().strip_prefix("The list is complete at the earliest in ");
        let left: u64 = left.unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((1..=5).contains(&left), "{left}");
        browser.until(&format!("!({} ?? '').includes(' {left} s, if')", fact("Clock")));
        browser.until(&fact("Published in"));
        assert_eq!(browser.eval(&fact("Status")), "Complete");
        assert_eq!(browser.eval(&fact("Customers")), "5");
        assert!(
            browser.text("#pull-why").contains("The page that is marked as the last was seen.")
        );
        assert!(browser.text("#pull-actions").contains("Resume the pull"));
        assert_eq!(browser.eval("window.kept"), "the same page");
    });
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), ["a1", "a2", "a3", "a4", "a5"]);
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_ended_by_a_click_and_the_page_says_why_it_is_not_complete() {
    let Some(mut browser) = Chromium::launch("zh-CN") else { return };
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let served = Served::with_lists(&stage, &["--idle-timeout", "60s"]);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["waiting_for"] == "the first page").await;
    block_in_place(|| {
        browser.open(&url(&served, &mark));
        assert_eq!(browser.eval("document.documentElement.lang"), "zh-Hans");
        assert!(browser.text("#pull-why").contains("正在等待第一个分页"));
        browser.follow("#act-end", "/console/pull");
        assert!(browser.text(".flash").contains("已请求结束拉取"));
        browser.until(&format!("{} === '不完整'", fact("状态")));
        assert!(browser.text("#pull-why").contains("被人为结束"));
    });
    // Another process has only what the journal keeps of it.
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &["--out", "lists"], None);
    let page =
        Reader::new(&served, "zh").page(&format!("/console/pull?robot_id=r1&mark_id={mark}")).await;
    assert!(page.contains("被人为结束") && page.contains("继续拉取"), "{page}");
    assert_eq!(served.stop().code(), Some(0));
}

#[tokio::test]
async fn i15_a_live_stream_needs_a_session_and_ends_with_it() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let token = "canary-control-token-0123456789";
    let served = Served::new(&stage, &["--idle-timeout", "60s"], Some(token));
    let start = served.http.post(format!("{}/v1/pulls", served.control)).bearer_auth(token);
    let start = start.header("content-type", "application/json");
    let started = start.body(r#"{"robot_id":"r1","mark_id":"m1"}"#).send().await.unwrap();
    assert_eq!(started.status(), 202);
    let path = "/console/pull/events?robot_id=r1&mark_id=m1";
    let reader = Reader::new(&served, "en");
    let stream = async |name: &str, value: &str| {
        let request = served.http.get(format!("{}{path}", served.control));
        request.header("accept", "text/event-stream").header(name, value).send().await.unwrap()
    };
    let bearer = format!("Bearer {token}");
    for (name, value) in [("x-none", ""), ("cookie", "qopen-console=x"), ("authorization", &bearer)]
    {
        assert_eq!(stream(name, value).await.status(), 401, "{name}");
    }

    let login = form_of(&reader.page("/console/login").await, "/console/login");
    let form = format!("{login}&token={token}");
    let answer = reader.send("/console/login", &form, HeaderMap::new()).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let mut live = stream("cookie", &cookie).await;
    assert_eq!(
        (live.status().as_u16(), &live.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let first = live.chunk().await.unwrap().expect("the parts come at once");
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("event: parts\n") && first.contains("pull-state"), "{first}");

    let with_cookie = |cookie: &str| HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]);
    let url = format!("{}/console/pulls", served.control);
    let page = served.http.get(url).headers(with_cookie(&cookie)).send().await.unwrap();
    let logout = form_of(&page.text().await.unwrap(), "/console/logout");
    let answer = reader.send("/console/logout", &logout, with_cookie(&cookie)).await;
    assert_eq!(answer.status(), 303);
    let rest = async { while live.chunk().await.unwrap().is_some() {} };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), rest).await;
    ended.expect("the stream ends with the session");
    assert_eq!(stream("cookie", &cookie).await.status(), 401);
    assert_eq!(served.stop().code(), Some(0));
}
