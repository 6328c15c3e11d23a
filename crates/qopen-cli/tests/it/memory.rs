//! A list that would not fit into memory if it were held there.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use qopen_simulator::Schedule;

use crate::support::{Stage, limited};

/// What the process may use, in KiB, without what files are mapped to: 128 MiB, of which the stacks of
/// its threads reserve some. A hundred thousand customers of 1.5 KB are 150 MB as text, and more when
/// they are parsed.
const LIMIT: u64 = 128 << 10;

/// A figure of a process's status: `VmHWM:`, the most memory that it has had, and `VmRSS:`, what it
/// has, in KiB; `Threads:`.
pub(crate) fn status(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_hundred_thousand_customers_are_pulled_in_less_memory_than_they_would_take() {
    let schedule =
        Schedule { accounts: 100_000, page_size: 200, description: 1000, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    let pull =
        stage.pull(&["--robot", "r1", "--out", "list", "--settle", "3s", "--idle-timeout", "60s"]);
    let mut limited = limited(&format!("-d {LIMIT}"), &pull);
    limited.stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = limited.spawn().unwrap();
    let mut most = 0;
    let status = loop {
        most = most.max(status(process.id(), "VmHWM:").unwrap_or(0));
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    println!("peak resident memory: {} MiB", most >> 10);
    assert!(status.success(), "{status}");
    let list = std::fs::File::open(stage.folder.path().join("list")).unwrap();
    let size = list.metadata().unwrap().len();
    assert_eq!(BufReader::new(list).lines().count(), 100_000);
    assert!(size > 140 << 20, "{size} bytes are no test of {LIMIT} KiB");
}
