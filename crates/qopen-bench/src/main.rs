//! Reproducible benchmarks: `cargo xtask bench`. Each bench measures a thing and its comparison in
//! one run, in turns, and prints ratios; absolute figures say little about another machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks on its streams"
)]

mod comparison;
mod comparison_postgres;
mod http;
mod http_client;
mod journal;
mod measure;
mod pages;
mod peers;
mod platform;
mod postgres;
mod profile;
mod publication;
mod pull;
mod receiving;
mod report;
mod scratch;
mod served;
mod upkeep;

use std::process::ExitCode;

/// Every bench that takes a few minutes at most.
const ALL: [&str; 13] = [
    "receiving",
    "http",
    "profile",
    "journal",
    "postgres",
    "upkeep",
    "publication",
    "comparison",
    "comparison_postgres",
    "peers",
    "pull",
    "robots",
    "served",
];

/// Their tables, in the order of the page.
const TABLES: [&str; 19] = [
    "receiving",
    "together",
    "stages",
    "http",
    "profile",
    "peers",
    "journal",
    "postgres",
    "lists",
    "compaction",
    "revisions",
    "looks",
    "publication",
    "comparison",
    "comparison_postgres",
    "pull",
    "growth",
    "robots",
    "served",
];

/// The result of a bench; the message is for a person.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: cargo xtask bench [BENCH]...

  receiving   CPU of a received page, alone and under load, beside the MD5 of one page, and its stages
  http        pages a second over HTTP, in memory and durable, and how long each takes
  profile [ACCOUNTS]
              where the time of a page of 100 goes over HTTP, where perf is installed
  journal     durable appends beside a growing file with group commit
  postgres    the same in PostgreSQL beside a raw INSERT, and how long a list takes from its last page,
              where the server is installed
  lists       the last part of postgres: from the last page to the published list
  upkeep      appends while a journal of 2 GB is compacted, revisions of a long list, and looks at a long
              history in PostgreSQL, where the server is installed
  publication [CUSTOMERS [FILE]...]
              a list of 100,000 customers from the journal to each kind of file and database, beside copying
              the file, or to some of JSONL, CSV, XLSX and SQLite; PostgreSQL where the server is installed
  comparison  a list of 1,000,000 customers compared with the last one, beside its publication
  comparison_postgres
              the same in PostgreSQL, step by step, where the server is installed
  peers       pages a second beside receivers in Go and Python, where those are installed
  pull        a whole pull of 10,000 to 1,000,000 customers: time, CPU, peak memory
  robots      pulls of 1,000 robots at once: time, CPU, peak memory, and how long an answer takes
  served      a service with up to 100,000 pulls in its journal: its start, its list of pulls, and how long
              an answer takes; PostgreSQL where the server is installed
  growth      as pull, up to 10,000,000 customers: 10 minutes, and 30 GB of disk

All of them but growth unless some are named; with --write, docs/BENCHMARKS.md is written
from all and the named ones; with --page, from the tables that are in target/bench.
Tables go to standard output, figures to target/bench/*.json.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("bench: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["help" | "--help" | "-h", ..] => print!("{USAGE}"),
        ["platform", arguments @ ..] => pull::platform(arguments)?,
        ["compared", path, every] => comparison::compared(path, every)?,
        ["profile", accounts] if accounts.parse::<usize>().is_ok() => {
            profile::run_with(accounts.parse()?)?;
        }
        ["publication", customers, formats @ ..] if customers.parse::<usize>().is_ok() => {
            publication::run_with(customers.parse()?, formats)?;
        }
        ["receiver", how @ ..] => http::receiver(how.first().copied())?,
        [] => run(&ALL)?,
        ["--write", more @ ..] => {
            report::forget()?;
            run(&ALL)?;
            if !more.is_empty() {
                run(more)?;
            }
            report::write_page(&TABLES)?;
        }
        ["--page"] => report::write_page(&TABLES)?,
        names => {
            for name in names {
                match *name {
                    "receiving" => receiving::run()?,
                    "http" => http::run()?,
                    "profile" => profile::run()?,
                    "journal" => journal::run()?,
                    "postgres" => postgres::run()?,
                    "lists" => postgres::run_lists()?,
                    "upkeep" => upkeep::run()?,
                    "comparison" => comparison::run()?,
                    "comparison_postgres" => comparison_postgres::run()?,
                    "publication" => publication::run()?,
                    "peers" => peers::run()?,
                    "pull" => pull::run()?,
                    "robots" => pull::run_robots()?,
                    "served" => served::run()?,
                    "growth" => pull::run_long()?,
                    other => return Err(format!("no bench {other:?}\n{USAGE}").into()),
                }
            }
        }
    }
    Ok(())
}
