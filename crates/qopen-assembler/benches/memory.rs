//! Bytes of memory per account, time per account as the pull grows, and the longest single call:
//! `cargo bench -p qopen-assembler --bench memory`. Prints a table. Each size runs in a process of
//! its own, so that peaks do not mix. Linux only: it reads /proc.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(
    clippy::disallowed_methods,
    reason = "the clock is forbidden to the machine, not to its bench"
)]

#[allow(dead_code, reason = "each bench uses a part")]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use qopen_assembler::{Assembler, Config, PullKey, PullOptions, Time};

use support::{Account, Naive, page};

const SIZES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
const ACCOUNTS_A_PAGE: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, which, size, ..] = arguments.as_slice()
        && let Ok(size) = size.parse()
    {
        println!("{}", measure(which, size));
        return;
    }
    println!(
        "| accounts | bytes an account, peak | ns an account | longest call, ms | naive: bytes | naive: ns |"
    );
    println!("|---|---|---|---|---|---|");
    for size in SIZES {
        let (ours, naive) = (child("assembler", size), child("naive", size));
        println!("| {size} | {} | {} |", ours, naive.rsplit_once(" | ").map_or("", |it| it.0));
    }
}

fn child(which: &str, size: usize) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let output = Command::new(program).args([which, &size.to_string()]).output();
    output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned()).unwrap_or_default()
}

fn measure(which: &str, size: usize) -> String {
    let key = PullKey::new("robot", "mark");
    let before = peak();
    let (mut total, mut longest) = (Duration::ZERO, Duration::ZERO);
    let mut assembler = Assembler::<Account>::new(Config::default());
    let _ = assembler.start(Time::ZERO, key.clone(), PullOptions::default());
    let mut naive = Naive::default();
    for number in 0..size / ACCOUNTS_A_PAGE {
        let page = page(&key, number, ACCOUNTS_A_PAGE);
        let begun = Instant::now();
        if which == "naive" {
            naive.add(page);
        } else {
            assembler.handle_page(Time::ZERO, page);
            while assembler.poll_event().is_some() {}
        }
        let took = begun.elapsed();
        total += took;
        longest = longest.max(took);
    }
    let held = assembler.progress(&key).map_or(0, |it| it.figures.accounts) + naive.len();
    assert_eq!(held, size);
    let bytes = (peak() - before) / size as u64;
    let each = total.as_nanos() / size as u128;
    format!("{bytes} | {each} | {:.1}", longest.as_secs_f64() * 1000.0)
}

/// The peak of resident memory, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
