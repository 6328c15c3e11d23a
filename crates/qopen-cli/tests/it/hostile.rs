//! The binary under attack: forgeries, replays, floods, slow senders.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::callbacks::{TOKEN, callback, connect, now, ring, say};
use crate::served::{Served, expected};
use crate::support::{Stage, ids, limited, text};

/// Forged callbacks in all, and how many connections bring them.
const FORGED: usize = 100_000;
const FORGERS: usize = 16;

/// What the process may hold at the most meanwhile, in KiB.
pub(crate) const MEMORY: u64 = 128 << 10;

/// How long a pull of the robot takes, from the request to its published list.
async fn pull(served: &Served, stage: &Stage, schedule: &Schedule, robot: &str) -> Duration {
    let began = Instant::now();
    let mark = served.start_pull(robot).await;
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    assert_eq!(pull["status"], "complete", "{pull}");
    let took = began.elapsed();
    assert_eq!(ids(&stage.read(&format!("lists/{robot}.jsonl"))), expected(schedule, robot));
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_a_pull_completes_while_a_hundred_thousand_forged_callbacks_come() {
    let schedule = Schedule { accounts: 3000, page_size: 50, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists", "--idle-timeout", "30s"], None);
    let quiet = pull(&served, &stage, &schedule, "r1").await;

    // The flood goes on until the pull has ended, however long that takes.
    let pulled = AtomicBool::new(false);
    let pulled = &pulled;
    let forge = async |forger: usize| {
        let mut stream = connect(&stage.listen, "127.0.0.2").await;
        let (forged, page) = (ring("forged"), format!("{{\"event_type\":42016,\"n\":{forger}}}"));
        let request = callback(&forged, &page, "n", now());
        let batch = vec![request; 50];
        let mut sent = 0;
        while sent < FORGED / FORGERS || !pulled.load(Ordering::Relaxed) {
            assert!(say(&mut stream, &batch).await.iter().all(|status| *status == 401));
            sent += batch.len();
        }
        sent
    };
    let began = Instant::now();
    let flood = futures_util::future::join_all((0..FORGERS).map(forge));
    let under = async {
        let under = pull(&served, &stage, &schedule, "r2").await;
        pulled.store(true, Ordering::Relaxed);
        under
    };
    let (sent, under) = tokio::join!(flood, under);
    let (sent, flooded) = (sent.iter().sum::<usize>(), began.elapsed());
    assert!(sent >= FORGED);
    println!(
        "{sent} forged callbacks in {flooded:.1?}; a pull took {under:.1?} meanwhile, {quiet:.1?} before"
    );
    let refused = served.figure("qopen_callbacks_rejected_total{reason=\"signature\"}").await;
    assert_eq!(refused, sent as f64);
    let peak = crate::memory::status(served.process.id(), "VmHWM:").unwrap();
    println!("peak resident memory: {} MiB", peak >> 10);
    assert!(peak < MEMORY, "{peak} KiB");
    assert!(served.stop().success());
}

#[tokio::test]
async fn replays_change_nothing_are_counted_and_refused_by_age_where_that_is_wanted() {
    let schedule = Schedule { accounts: 60, page_size: 20, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = Served::new(&stage, &["--out", "lists"], None);
    let mark = served.start_pull("r1").await;
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    let list = stage.read("lists/r1.jsonl");
    // A genuine page of it, from long ago and again and again, each time under another nonce.
    let robot = "r1".parse().unwrap();
    let pages = qopen_simulator::Dataset::new(&schedule, &robot, false);
    let pages = pages.pages(&mark.parse().unwrap());
    let replay: Vec<_> = (0..200)
        .map(|n| callback(&ring(TOKEN), &pages[n % 3].payload, &format!("n{n}"), 1_500_000_000))
        .collect();
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    assert!(say(&mut stream, &replay).await.iter().all(|status| *status == 200));
    assert_eq!(served.figure("qopen_callbacks_duplicate_pages_total").await, 200.0);
    assert_eq!(served.figure("qopen_callbacks_stale_total").await, 200.0);
    let after = served.get_json(&format!("/v1/pulls/{mark}")).await;
    assert_eq!((&after["pages"], &after["revision"]), (&pull["pages"], &pull["revision"]));
    assert_eq!(stage.read("lists/r1.jsonl"), list);
    assert!(served.stop().success());

    let served = Served::new(&stage, &["--refuse-stale", "10m"], None);
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    assert!(say(&mut stream, &replay).await.iter().all(|status| *status == 401));
    assert_eq!(served.figure("qopen_callbacks_rejected_total{reason=\"stale\"}").await, 200.0);
    let fresh = callback(&ring(TOKEN), &pages[0].payload, "fresh", now());
    assert_eq!(say(&mut stream, &[fresh]).await, [200]);
}

#[tokio::test]
async fn i11_a_flood_of_unknown_marks_is_counted_and_what_is_kept_of_it_is_bounded() {
    let stage = Stage::new(&Schedule::default());
    let served = Served::new(&stage, &[], None);
    let mut stream = connect(&stage.listen, "127.0.0.1").await;
    let page = |n: usize| {
        let name = "x".repeat(20_000);
        let account = json!({ "account_id": format!("a{n}"), "profile": { "name": name } });
        let data = json!({ "has_more": n.is_multiple_of(2), "mark_id": format!("m{n}"), "account_list": [account] });
        let page = json!({ "event_type": 42016, "err_code": 0, "robot_id": "r1", "data": data });
        callback(&ring(TOKEN), &page.to_string(), "n", now())
    };
    let size = || {
        let files = std::fs::read_dir(stage.folder.path().join("qopen-data")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let (before, mut taken) = (size(), 0);
    for batch in 0..100 {
        let batch: Vec<_> = (0..50).map(|n| page(batch * 50 + n)).collect();
        taken += say(&mut stream, &batch).await.iter().filter(|it| **it == 200).count();
    }
    assert_eq!(served.figure("qopen_callbacks_unknown_marks_total").await, 5000.0);
    assert_eq!(served.figure("qopen_journal_pulls").await, 0.0);
    // 64 MiB of external pulls' pages are kept; what is more is answered so that it comes again.
    assert!((3000..3400).contains(&taken), "{taken}");
    let refused = served.figure("qopen_callbacks_rejected_total{reason=\"unavailable\"}").await;
    assert_eq!(refused as usize, 5000 - taken);
    assert!(size() - before < 128 << 20, "{}", size() - before);
    assert!(crate::memory::status(served.process.id(), "VmHWM:").unwrap() < MEMORY);
}

#[tokio::test]
async fn i11_connections_leave_files_for_the_journal_and_the_lists() {
    let schedule = Schedule { accounts: 60, page_size: 20, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let serve = Served::command(&stage, &["--out", "lists"]);
    let served = Served::spawn(limited("-n 300", &serve));
    assert!(served.log().contains("86 instead of 1024"), "{}", served.log());
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(connect(&stage.listen, "127.0.0.2").await);
    }
    pull(&served, &stage, &schedule, "r1").await;
    assert!(served.figure("qopen_connections_open").await <= 86.0);
    assert!(served.figure("qopen_connections_evicted_total").await >= 900.0);
}

/// A process of `qopen pull`, and its exit code and words when it has ended.
pub(crate) async fn pulled(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = stage.pull(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), text(&output.stderr))
}

/// Sends all but the last byte of the greatest body, again where it is hung up on.
async fn hold(address: &str, from: &str) {
    const BODY: usize = 16 << 20;
    let head = format!("POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY}\r\n\r\n");
    let piece = vec![b'x'; 1 << 16];
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        let Ok(mut stream) = socket.connect(address.parse().unwrap()).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut left = BODY - 1;
        let mut sound = stream.write_all(head.as_bytes()).await.is_ok();
        while sound && left > 0 {
            let most = left.min(piece.len());
            sound = stream.write_all(&piece[..most]).await.is_ok();
            left -= most;
        }
        // Until it is hung up on.
        let _ = stream.read(&mut [0; 1024]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_senders_of_all_but_a_byte_cost_no_customer() {
    let schedule =
        Schedule { accounts: 300, page_size: 20, max_delay_ms: 3000, ..Schedule::default() };
    // As neighbours of the platform, and through the one proxy through which it comes too.
    for from in ["127.0.0.2", "127.0.0.1"] {
        let stage = Stage::new(&schedule);
        let attack: Vec<_> = (0..16)
            .map(|_| {
                let address = stage.listen.clone();
                tokio::spawn(async move { hold(&address, from).await })
            })
            .collect();
        let began = Instant::now();
        let arguments = ["--robot", "r1", "--out", "list", "--idle-timeout", "8s"];
        let (code, said) = pulled(&stage, &arguments).await;
        assert_eq!(code, Some(0), "{from}: {said}");
        assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"), "{from}");
        assert!(began.elapsed() < Duration::from_secs(60), "{from}: {:?}", began.elapsed());
        attack.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_a_listener_of_other_events_that_hangs_costs_no_customer() {
    let schedule = Schedule {
        accounts: 300,
        page_size: 10,
        foreign_events: 270,
        parallel: 300,
        ..Schedule::default()
    };
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", hung.local_addr().unwrap());
    let stage = Stage::new(&schedule);
    let arguments = ["--robot", "r1", "--out", "list", "--forward", &url, "--idle-timeout", "15s"];
    let (code, said) = pulled(&stage, &arguments).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ids(&stage.read("list")), expected(&schedule, "r1"));
}
