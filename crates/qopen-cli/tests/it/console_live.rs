//! A pull in the console, seen with a real browser.

use qopen_simulator::Schedule;
use tokio::task::block_in_place;

use crate::chromium::Chromium;
use crate::console_pages::Reader;
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
    // Thirty pages, one after another.
    let slow = Schedule {
        accounts: 300,
        page_size: 10,
        max_delay_ms: 400,
        shuffle: false,
        parallel: 1,
        ..Schedule::default()
    };
    let stage = Stage::new(&slow);
    let served = Served::with_lists(&stage, &["--settle", "3s", "--idle-timeout", "20s"]);
    let mark = served.start_pull("r1").await;
    block_in_place(|| {
        browser.open(&url(&served, &mark));
        browser.eval("window.kept = 'the same page'");
        let pages = format!("Number({})", fact("Pages"));
        let first = browser.until(&format!("{pages} > 0 && {pages}")).as_u64().unwrap();
        assert!(first < 25, "the pull was over before the page was seen");
        assert_eq!(browser.eval(&fact("Status")), "Open");
        assert!(
            browser.text("#pull-why").contains("It waits for the page that is marked as the last")
        );
        let later = format!("{pages} > {first} && {pages} < 30 && {}", fact("Clock"));
        let clock = browser.until(&later);
        assert!(
            clock.as_str().unwrap().starts_with("The pull ends at the earliest in "),
            "{clock}"
        );
        // The settle clock counts down by itself.
        let left = |it: &serde_json::Value| {
            let text =
                it.as_str().unwrap().strip_prefix("The list is complete at the earliest in ");
            text.unwrap().split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        let settling = format!("{0}?.startsWith('The list is complete') && {0}", fact("Clock"));
        let first = left(&browser.until(&settling));
        assert!((1..=3).contains(&first), "{first}");
        let fewer = format!("!({0} ?? '').includes(' {first} s, if') && true", fact("Clock"));
        browser.until(&fewer);
        browser.until(&fact("Published in"));
        assert_eq!(browser.eval(&fact("Status")), "Complete");
        assert_eq!(browser.eval(&fact("Customers")), "300");
        assert!(
            browser.text("#pull-why").contains("The page that is marked as the last was seen.")
        );
        assert!(browser.text("#pull-actions").contains("Resume the pull"));
        assert_eq!(browser.eval("window.kept"), "the same page");
    });
    assert_eq!(ids(&stage.read("lists/r1.jsonl")).len(), 300);
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
