//! Comparison of two lists in PostgreSQL, beside the steps of the publication that it is a part of. Needs the
//! server's programs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Instant;

use qopen::postgres::{FoundChanges, PostgresSink};
use qopen::sink::{CompareOptions, Format, ListInfo, ListKind, Record, Sink as _};
use qopen::types::{Account, MarkId, RobotId};
use qopen_postgres::testing::Server;
use tokio::runtime::Runtime;

use crate::Result;
use crate::comparison::{ACCOUNTS, PAGES, ROBOT, list};
use crate::publication::published;
use crate::report::Table;
use crate::scratch::Scratch;

/// Lists one after the other: one account in how many differs from the file, and by which gender.
const LISTS: [(&str, usize, &str); 4] = [
    ("first list", 0, ""),
    ("the same accounts", 0, ""),
    ("1 % of them changed", 100, "1"),
    ("all of them changed", 1, "2"),
];

/// The seconds of the steps, and the number of changes.
struct Steps {
    send: f64,
    compare: f64,
    commit: f64,
    read: f64,
    changes: u64,
}

pub(crate) fn run() -> Result<()> {
    let Some(server) = Server::start() else { return Ok(()) };
    let folder = Scratch::new("comparison")?;
    let path = folder.path().join("list");
    published(&list()?, PAGES * ACCOUNTS, &path, Format::Jsonl)?;
    let sink = PostgresSink::new(&server.url())?;
    sink.check()?;
    let title = format!(
        "Publication of lists of {} customers in PostgreSQL on this machine, one after the other",
        PAGES * ACCOUNTS
    );
    let columns =
        ["list", "changes", "sending, s", "comparison, s", "switch, s", "reading the changes, s"];
    let mut table = Table::new("comparison_postgres", title, &columns);
    for (number, (name, every, gender)) in LISTS.into_iter().enumerate() {
        let it = publish(&sink, &path, &format!("m{number}"), every, gender)?;
        table.row([
            name.to_owned(),
            it.changes.to_string(),
            format!("{:.1}", it.send),
            format!("{:.1}", it.compare),
            format!("{:.1}", it.commit),
            format!("{:.1}", it.read),
        ]);
    }
    table.finish()
}

fn publish(
    sink: &PostgresSink,
    path: &Path,
    mark: &str,
    every: usize,
    gender: &str,
) -> Result<Steps> {
    let (robot, mark): (RobotId, MarkId) = (ROBOT.parse()?, mark.parse()?);
    let begun = Instant::now();
    let mut writer = sink.begin(ListKind::Complete)?;
    writer.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let mut line = line?;
        if every > 0 && number % every == 0 {
            line = line.replace("\"gender\":", &format!("\"gender\":{gender}"));
        }
        let account: Account = serde_json::from_str(&line)?;
        writer.write(&Record::new(&robot, &account))?;
    }
    writer.settle()?;
    let send = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let found = writer.compare(CompareOptions::default(), &mut |_, _| Ok(()))?;
    let compare = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    writer.commit()?;
    let commit = begun.elapsed().as_secs_f64();
    let changes = found.and_then(|it| it.first().map(|it| it.counts.total())).unwrap_or(0);
    let begun = Instant::now();
    let lines = Runtime::new()?.block_on(read(sink, &robot))?;
    let read = begun.elapsed().as_secs_f64();
    match lines == changes + 1 {
        true => Ok(Steps { send, compare, commit, read, changes }),
        false => Err(format!("{lines} lines of {changes} changes were read").into()),
    }
}

/// Reads the changes of the last list. Returns the number of lines.
async fn read(sink: &PostgresSink, robot: &RobotId) -> Result<u64> {
    let FoundChanges::Lines(mut lines) = sink.changes(robot, None).await? else {
        return Err("there are no changes".into());
    };
    let mut count = 0;
    while let Some(piece) = lines.next().await? {
        count += piece.iter().filter(|it| **it == b'\n').count() as u64;
    }
    Ok(count)
}
