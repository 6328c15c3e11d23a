//! Callbacks in the console: accepted and rejected, by reason and time.

use std::time::{Duration, SystemTime};

use qopen_simulator::Schedule;

use crate::callbacks::{TOKEN, callback, connect, now, request, ring, say};
use crate::console_pages::Reader;
use crate::served::Served;
use crate::support::Stage;

/// Returns the total of a kind in the table of outcomes, if the page has the kind.
fn total(page: &str, kind: &str) -> Option<String> {
    let (_, row) = page.split_once(&format!("<tr data-kind=\"{kind}\">"))?;
    let (_, number) = row.split_once("<td class=\"number\"")?;
    let (_, number) = number.split_once('>')?;
    Some(number.split('<').next().unwrap().to_owned())
}

#[tokio::test]
async fn rejected_callbacks_are_shown_by_reason_in_the_minute_in_which_they_came() {
    let stage = Stage::new(&Schedule::default());
    let served = Served::new(&stage, &[], None);
    let reader = Reader::new(&served, "en");
    let page = reader.page("/console/callbacks").await;
    assert!(page.contains("No request came in this time."), "{page}");
    assert_eq!((total(&page, "accepted").as_deref(), total(&page, "signature")), (Some("0"), None));

    let event = r#"{"event_type":20001}"#;
    let before = SystemTime::now();
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let wrong = callback(&ring("wrong"), event, "n", now());
    let right = callback(&ring(TOKEN), event, "n", now());
    let garbled = request(b"{}");
    let elsewhere = String::from_utf8(garbled.clone()).unwrap().replace("/callback", "/elsewhere");
    let all = [wrong.clone(), wrong.clone(), wrong, right, garbled, elsewhere.into_bytes()];
    assert_eq!(say(&mut stream, &all).await, [401, 401, 401, 200, 400, 404]);

    // At once, and not only after the next look at the counts.
    let page = reader.page("/console/callbacks").await;
    let after = SystemTime::now();
    for (kind, count) in [
        ("signature", Some("3")),
        ("accepted", Some("1")),
        ("malformed", Some("1")),
        ("other_path", Some("1")),
        ("stale", None),
        ("connection", None),
    ] {
        assert_eq!(total(&page, kind).as_deref(), count, "{kind}: {page}");
    }
    assert!(
        page.contains("Is QOPEN_CALLBACK_TOKEN the one of the platform&#39;s console?")
            || page.contains("Is QOPEN_CALLBACK_TOKEN the one of the platform's console?"),
        "{page}"
    );
    let label = "rejected: wrong signature: 3 in all, at most 3 in one bar of 1 min";
    assert!(page.contains(&format!("aria-label=\"{label}\"")), "{page}");
    // The table has the minute. The counts are of one or, around its end, of two minutes.
    let minute = |at: SystemTime| {
        let at = jiff::Timestamp::try_from(at).unwrap();
        at.strftime("<time datetime=\"%Y-%m-%dT%H:%M:00Z\">").to_string()
    };
    let margin = Duration::from_secs(1);
    let table = page.split_once("<details>").unwrap().1;
    let rows: Vec<&str> = table.split("<tr>").skip(2).collect();
    assert!((1..=2).contains(&rows.len()), "{table}");
    for row in &rows {
        let is_then = row.contains(&minute(before)) || row.contains(&minute(after + margin));
        assert!(is_then, "{row}");
    }
    let cell = "<td class=\"number\" data-kind=\"signature\">3</td>";
    assert!(rows.iter().any(|it| it.contains(cell)), "{table}");

    let day = Reader::new(&served, "zh-CN").page("/console/callbacks?span=day").await;
    assert!(day.contains("拒绝：签名错误：共 3，单个柱（20 分钟）最多 3"), "{day}");
    assert_eq!(served.stop().code(), Some(0));
}
