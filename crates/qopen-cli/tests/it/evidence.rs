//! What counts for and against completeness, by callbacks made by hand.

use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::json;

use crate::callbacks::{TOKEN, callback, connect, now, request, ring, say};
use crate::hostile::{MEMORY, pulled};
use crate::served::{Served, expected};
use crate::support::{Stage, ids, qopen, text, with_settings};

/// A page of a robot's pull.
pub(crate) fn page_of(mark: &str, id: usize, has_more: bool) -> Vec<u8> {
    let accounts = [json!({ "account_id": format!("a{id}") })];
    let data = json!({ "has_more": has_more, "mark_id": mark, "account_list": accounts });
    let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": "r1", "data": data });
    callback(&ring(TOKEN), &page.to_string(), &format!("n{id}"), now())
}

#[tokio::test]
async fn e7_a_report_without_a_mark_counts_once_however_often_it_comes() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let arguments = ["--out", "lists", "--idle-timeout", "45s"];
    let served = Served::new(&stage, &arguments, None);
    let first = served.start_pull("r1").await;
    served.until(&first, |it| it["waiting_for"] == "the first page").await;
    let report =
        r#"{"event_type":42016,"err_code":"70001","err_msg":null,"robot_id":"r1","data":[]}"#;
    let report = callback(&ring(TOKEN), report, "n", now());
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    assert_eq!(say(&mut stream, std::slice::from_ref(&report)).await, [200]);
    served.until(&first, |it| it["status"] == "failed").await;

    let second = served.start_pull("r1").await;
    served.until(&second, |it| it["waiting_for"] == "the first page").await;
    assert_eq!(say(&mut stream, std::slice::from_ref(&report)).await, [200]);
    let open = |pull: &serde_json::Value| pull["status"] == "open";
    assert!(open(&served.get_json(&format!("/v1/pulls/{second}")).await));
    assert!(served.stop().success());

    // The next process knows it too.
    let served = Served::new(&stage, &arguments, None);
    served.until(&second, open).await;
    let size = || {
        let files = std::fs::read_dir(stage.folder.path().join("qopen-data")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let (before, mut stream) = (size(), connect(&stage.listen, "127.0.0.1").await);
    let batch = vec![report; 100];
    for _ in 0..50 {
        assert!(say(&mut stream, &batch).await.iter().all(|it| *it == 200));
    }
    assert_eq!(size(), before, "a report is kept once");
    assert!(crate::memory::status(served.process.id(), "VmHWM:").unwrap() < MEMORY);
    assert!(open(&served.get_json(&format!("/v1/pulls/{second}")).await));
    let pages = [page_of(&second, 1, true), page_of(&second, 2, false)];
    assert_eq!(say(&mut stream, &pages).await, [200, 200]);
    let pull = served.until(&second, |it| it["status"] != "open").await;
    assert_eq!((&pull["status"], &pull["accounts"]), (&"complete".into(), &2.into()), "{pull}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e8_copies_do_not_keep_a_whole_list_from_completing() {
    // They go on for two minutes.
    let schedule = Schedule { copies: Some((60, 2000)), ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let began = Instant::now();
    let (code, said) =
        pulled(&stage, &["--robot", "r1", "--out", "list", "--idle-timeout", "5s"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn e8_many_late_pages_make_few_publications() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--settle", "1s"], None);
    let mark = served.start_pull("r1").await;
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    assert_eq!(say(&mut stream, &[page_of(&mark, 0, false)]).await, [200]);
    served.until(&mark, |it| it["output"].is_string()).await;
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    for late in 1..=30 {
        ticks.tick().await;
        assert_eq!(say(&mut stream, &[page_of(&mark, late, true)]).await, [200]);
    }
    let lines = || ids(&stage.read("lists/r1.jsonl")).len();
    let pull = served.until(&mark, |it| it["accounts"] == 31 && lines() == 31).await;
    // Thirty late pages, and a revision waits for at least two seconds. A slow machine takes longer, for more of them.
    let revision = pull["revision"].as_u64().unwrap();
    let most = 2 + begun.elapsed().as_secs() / 2;
    assert!((2..=most).contains(&revision), "{revision} of at most {most}: {pull}");
}

#[tokio::test]
async fn e1_quarantine_holds_bytes_and_a_person_can_retry_show_and_release_them() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let arguments = ["--out", "lists", "--idle-timeout", "3s"];
    let served = Served::new(&stage, &arguments, None);
    let mark = served.start_pull("r1").await;
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let odd = b"\xff\x00 not text \xfe".as_slice();
    let ring = ring(TOKEN);
    let content = ring.encrypt(odd, qopen::callback::Padding::Pkcs7);
    let body = serde_json::to_vec(&ring.sign(content, "n", now().to_string())).unwrap();
    let requests = [page_of(&mark, 1, true), request(&body), page_of(&mark, 2, false)];
    assert_eq!(say(&mut stream, &requests).await, [200, 200, 200]);
    let pull = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(pull["status"], "incomplete", "{pull}");
    assert!(served.stop().success());

    let quarantine = |arguments: &[&str]| {
        let arguments = [&["quarantine"], arguments].concat();
        let output = with_settings(qopen(stage.folder.path(), &arguments)).output().unwrap();
        assert!(
            output.status.code().unwrap() != 101,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    };
    let listed = text(&quarantine(&["list"]).stdout);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let item = listed.split(' ').next().unwrap().to_owned();
    assert_eq!(quarantine(&["show", "--raw", &item]).stdout, odd);
    assert!(!quarantine(&["retry"]).status.success(), "the same bytes are not read now either");
    assert!(quarantine(&["release", &item]).status.success());

    // The released item no longer counts against the list.
    let served = Served::new(&stage, &arguments, None);
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!((&pull["status"], &pull["accounts"]), (&"complete".into(), &2.into()), "{pull}");
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), ["a1", "a2"]);
}
