//! Comparison of two lists, beside the publication that it is a part of.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use qopen::sink::{CompareOptions, FileSink, Format, ListInfo, ListKind, ListWriter, Sink as _};
use qopen::types::{MarkId, RobotId};
use qopen::{PulledList, Replay};

use crate::Result;
use crate::measure::Spread;
use crate::pages::Template;
use crate::publication::published;
use crate::pull::usage_of;
use crate::report::Table;
use crate::scratch::Scratch;

pub(crate) const PAGES: usize = 10_000;
pub(crate) const ACCOUNTS: usize = 100;
const ROUNDS: usize = 3;
pub(crate) const ROBOT: &str = "robot";

/// Lists to compare with: one account in how many differs.
const CASES: [(&str, usize); 3] =
    [("the same accounts", 0), ("1 % of them changed", 100), ("all of them changed", 1)];

pub(crate) fn run() -> Result<()> {
    let list = list()?;
    let folder = Scratch::new("comparison")?;
    let path = folder.path().join("list");
    let mut publications = Vec::new();
    let mut comparisons = vec![Vec::new(); CASES.len()];
    let mut peak = 0;
    for _ in 0..ROUNDS {
        publications.push(published(&list, PAGES * ACCOUNTS, &path, Format::Jsonl)?);
        for (case, times) in CASES.iter().zip(&mut comparisons) {
            let (seconds, bytes) = compared_by_another(&path, case.1)?;
            times.push(seconds);
            peak = peak.max(bytes);
        }
    }
    let title = format!(
        "Comparison of two lists of {} customers in files of {:.0} MB; peak memory of the process {:.0} MiB",
        PAGES * ACCOUNTS,
        path.metadata()?.len() as f64 / 1e6,
        peak as f64 / f64::from(1 << 20)
    );
    let columns = ["step", "s, min–median–max", "customers/s", "÷ publication"];
    let mut table = Table::new("comparison", title, &columns);
    let base = Spread::of(publications.clone());
    let publication = [("publication without comparison".to_owned(), publications)];
    let cases = CASES.map(|it| format!("comparison, {}", it.0)).into_iter().zip(comparisons);
    for (name, times) in publication.into_iter().chain(cases) {
        let it = Spread::of(times);
        table.row([
            name,
            format!("{:.2}–{:.2}–{:.2}", it.min, it.median, it.max),
            format!("{:.0}", (PAGES * ACCOUNTS) as f64 / it.median),
            format!("{:.2}", it.median / base.median),
        ]);
    }
    table.finish()
}

/// A list of the customers.
pub(crate) fn list() -> Result<PulledList> {
    let template = Template::new(ACCOUNTS, &ROBOT.parse()?, &"mark".parse()?)?;
    let mut replay = Replay::default();
    for number in 0..PAGES {
        replay.add(template.text(number, number + 1 == PAGES)?.into_bytes())?;
    }
    Ok(replay.finish()?.into_iter().next().ok_or("no list")?.list)
}

/// Compares in a process of its own, whose memory is the comparison's. Returns seconds and bytes.
fn compared_by_another(path: &Path, every: usize) -> Result<(f64, u64)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["compared", path.to_str().ok_or("no text")?, &every.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let (seconds, peak) = text.trim().split_once(' ').ok_or("the comparison failed")?;
    Ok((seconds.parse()?, peak.parse()?))
}

/// Compares a list with a copy in which one account in `every` differs. Prints seconds and bytes.
pub(crate) fn compared(path: &str, every: &str) -> Result<()> {
    let every: usize = every.parse()?;
    let (robot, mark): (RobotId, MarkId) = (ROBOT.parse()?, "next".parse()?);
    let sink = FileSink::new(path, Format::Jsonl);
    let mut writer = sink.begin(ListKind::Complete)?;
    writer.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    let changes = copy_with_changes(path, every, &robot, &mut *writer)?;
    writer.settle()?;
    let begun = Instant::now();
    let found = writer.compare(CompareOptions::default(), &mut |_, _| Ok(()))?;
    let seconds = begun.elapsed().as_secs_f64();
    let found = found.and_then(|it| it.first().map(|it| it.counts.total()));
    if found != Some(changes) {
        return Err(format!("{found:?} of {changes} changes were found").into());
    }
    let peak = usage_of(std::process::id()).map_or(0, |it| it.peak);
    println!("{seconds} {peak}");
    Ok(())
}

fn copy_with_changes(
    path: &str,
    every: usize,
    robot: &RobotId,
    writer: &mut dyn ListWriter,
) -> Result<u64> {
    let begin = format!("{{\"robot_id\":\"{ROBOT}\",");
    let encoder = writer.encoder(robot).ok_or("the sink has no encoder")?;
    let (mut changes, mut record) = (0, String::new());
    for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let line = line?;
        let account = line.strip_prefix(&begin).ok_or("another list")?;
        let mut account = format!("{{{account}");
        if every > 0 && number % every == 0 {
            account = account.replace("\"gender\":", "\"gender\":1");
            changes += 1;
        }
        record.clear();
        if !encoder(&account, &mut record) {
            return Err("an account is not in its usual form".into());
        }
        writer.write_encoded(robot, record.as_bytes())?;
    }
    Ok(changes)
}
