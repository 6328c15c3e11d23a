//! Lists as Singer messages on standard output, and the state of earlier ones.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use qopen::journal::{Note, PullState};
use qopen::sink::{SingerSink, SingerState, Sink as _, shown_path};
use qopen::types::RobotId;

use crate::exit::Failure;
use crate::lang::phrase;
use crate::say::caution;
use crate::topics::warnings;
use crate::values::home::home_path;

/// Options of Singer.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SingerArgs {
    /// Singer: read the STATE of earlier messages from this file
    ///
    /// The file holds the value of a STATE message, as a target prints it. The last line counts. An empty
    /// file is no state.
    #[arg(long, value_name = "FILE", value_parser = home_path())]
    pub(crate) state: Option<std::path::PathBuf>,
}

/// The sink of the process, which knows the earlier messages.
static SINK: Mutex<Option<SingerSink>> = Mutex::new(None);

/// Returns the sink of the messages.
pub(crate) fn sink() -> SingerSink {
    let mut kept = SINK.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert_with(SingerSink::stdout).clone()
}

/// Reads what earlier messages told: from the file, and from the pulls of the journal. `forget` permits to leave
/// robots out. Other formats refuse a state.
pub(crate) fn prepare(
    args: &SingerArgs,
    is_singer: bool,
    pulls: &[PullState],
    forget: bool,
) -> Result<(), Failure> {
    if !is_singer {
        return match &args.state {
            None => Ok(()),
            Some(_) => Err(Failure::usage(phrase!(
                "--state: for Singer messages only; add --format singer --out -, or leave it out",
                "--state：仅用于 Singer 消息；请加上 --format singer --out -，或去掉它",
            ))),
        };
    }
    let mut state = match &args.state {
        Some(file) => read(file)?,
        None => SingerState::default(),
    };
    let sink = SingerSink::stdout();
    let mut last = 0;
    for pull in pulls {
        let mut version = None;
        for noted in &pull.notes {
            if let Note::Ordered { location, order } = &noted.note
                && sink.is_at(location)
            {
                version = Some(*order);
                last = last.max(*order);
            }
        }
        if let (Some(version), Some(Note::Published { location, revision, accounts, .. })) =
            (version, pull.published().map(|it| &it.note))
            && sink.is_at(location)
        {
            state.add(&pull.pull, version, *revision, *accounts);
        }
    }
    let sink = sink.after(state).after_version(last).forget_left_out(forget);
    *SINK.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
    Ok(())
}

/// Bytes of a state's file that are read, at most: those of its end.
const MOST: u64 = 64 << 20;

fn read(file: &Path) -> Result<SingerState, Failure> {
    let what = phrase!(
        "the state in {file} (from --state)",
        "{file} 中的状态（来自 --state）",
        file = shown_path(file),
    );
    let text = end_of(file).map_err(|error| Failure::usage_of(&what, &error))?;
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let Some(last) = last else { return Ok(SingerState::default()) };
    let state = SingerState::parse(&text).or_else(|| SingerState::parse(last));
    state.ok_or_else(|| {
        let example = r#"{"bookmarks": {}}"#;
        Failure::usage(phrase!(
            "{what} cannot be used: it is not the value of a STATE message; give the last line that the target printed, or leave --state out to begin anew\n  example: {example}",
            "{what}无法使用：它不是 STATE 消息的值；请给出目标端打印的最后一行，或去掉 --state 重新开始\n  示例：{example}",
            what = what,
            example = example,
        ))
    })
}

/// Reads the end of a file that grows by lines, or all of a pipe.
fn end_of(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    let is_cut = length > MOST;
    if is_cut {
        file.seek(SeekFrom::Start(length - MOST))?;
    }
    let mut end = Vec::new();
    (&mut file).take(MOST).read_to_end(&mut end)?;
    if is_cut {
        // Its first line has no beginning.
        let line = end.iter().position(|it| *it == b'\n').unwrap_or(end.len());
        end.drain(..line);
    }
    // No state must not look like an empty one.
    if is_cut && end.trim_ascii().is_empty() || file.read(&mut [0])? > 0 {
        let why = format!("a state has at most {} MiB; give the last line alone", MOST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(end).map_err(not_text)
}

/// Warns about robots of earlier messages that the last list left out.
pub(crate) fn say_left_out(robots: &[RobotId]) {
    const SHOWN: usize = 5;
    let Some((first, rest)) = robots.split_first() else { return };
    let mut names = first.to_string();
    rest.iter().take(SHOWN - 1).for_each(|robot| names.push_str(&format!(", {robot}")));
    if robots.len() > SHOWN {
        names.push_str(&format!(" and {} more", robots.len() - SHOWN));
    }
    caution!(
        warnings::ACTIVATE_LEFT_OUT,
        "ACTIVATE_VERSION is left out, because the target would lose the customers of robots of earlier messages: {names}; pull all robots together, or drop those with --new-baseline",
        "省略了 ACTIVATE_VERSION，否则目标端会丢失之前消息中机器人的客户：{names}；请一起拉取全部机器人，或用 --new-baseline 去掉它们",
        names = names,
    );
}
