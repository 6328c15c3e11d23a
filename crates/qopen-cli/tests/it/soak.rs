//! Everything that goes wrong, again and again: nothing grows, and every list is right.

use std::time::{Duration, Instant};

use qopen_simulator::{Chance, Schedule};

use crate::memory::status;
use crate::served::{Served, expected};
use crate::support::{Stage, ids};

const ROBOTS: usize = 8;

/// What may come on top of what it held at rest after the first half, in KiB.
const GROWTH: u64 = 8 << 10;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holds {
    memory: u64,
    files: usize,
    threads: u64,
}

fn holds(process: u32) -> Holds {
    Holds {
        memory: status(process, "VmRSS:").unwrap(),
        files: std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
        threads: status(process, "Threads:").unwrap(),
    }
}

/// `cargo xtask soak` makes it long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_under_chaos_leave_nothing_behind() {
    let seconds = std::env::var("QOPEN_SOAK_SECONDS").ok().and_then(|it| it.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(20));
    let schedule = Schedule {
        accounts: 300,
        page_size: 20,
        shuffle: true,
        duplicates: Chance::new(40),
        lost_acks: Chance::new(30),
        max_delay_ms: 20,
        drift: true,
        nulls: true,
        unknown: true,
        spaces: true,
        conflicts: 5,
        broken_accounts: 2,
        foreign_events: 3,
        foreign_marks: 3,
        forged: 5,
        stale_timestamps: true,
        token_uses: Some(40),
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let mut command = Served::command(&stage, &["--out", "lists", "--retain", "15s"]);
    // Memory that is given back is seen to be.
    command.env("MALLOC_ARENA_MAX", "2");
    let served = Served::spawn(command);
    let half = async || {
        let (began, mut lists) = (Instant::now(), 0);
        while began.elapsed() < length / 2 {
            let each = (0..ROBOTS).map(async |robot| {
                let robot = format!("r{robot}");
                let mark = served.start_pull(&robot).await;
                let pull = served.until(&mark, |it| it["output"].is_string()).await;
                assert_eq!(pull["status"], "complete", "{pull}");
                let list = stage.read(&format!("lists/{robot}.jsonl"));
                assert_eq!(ids(&list), expected(&schedule, &robot), "{robot}");
            });
            lists += futures_util::future::join_all(each).await.len();
        }
        // At rest, after everything kept for late pages has expired.
        let began = Instant::now();
        // Idle connections are open files, too: both halves are measured without them.
        while served.figure("qopen_journal_pulls").await > 0.0
            || served.figure("qopen_connections_open").await > 0.0
        {
            assert!(began.elapsed() < Duration::from_secs(120), "pulls are kept for ever");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        (lists, holds(served.process.id()))
    };
    let ((first, early), (second, late)) = (half().await, half().await);
    let lists = first + second;
    println!("{lists} lists in {length:?}: {early:?}, then {late:?}");
    assert!(late.memory < early.memory + GROWTH, "{early:?} {late:?}");
    assert!(late.files <= early.files + 4, "{early:?} {late:?}");
    assert!(late.threads <= early.threads + 2, "{early:?} {late:?}");
    assert_eq!(served.figure("qopen_pulls_open").await, 0.0);
    assert!(served.stop().success());
}
