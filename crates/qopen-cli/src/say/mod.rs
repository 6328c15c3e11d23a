//! All output to standard output and standard error. A closed pipe or a full disk stops no work.

pub(crate) mod writer;

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use indicatif::MultiProgress;
use jiff::Timestamp;
use serde_json::json;
use tracing::Level;

use crate::exit::{Exit, Failure};
use crate::lang::{self, Lang, Phrase, Text};
use crate::topics::{Topic, warnings};

/// Whether each line on standard error is a JSON object.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether each text on standard error begins with the time.
static TIMED: AtomicBool = AtomicBool::new(false);

/// The live lines of a terminal, if any.
static LIVE: OnceLock<MultiProgress> = OnceLock::new();

/// The state of standard output.
static OUTPUT: AtomicU8 = AtomicU8::new(WELL);

const WELL: u8 = 0;
const LEFT: u8 = 1;
const FAILED: u8 = 2;

/// Writes each text to standard error as a JSON object from now on, in English.
pub(crate) fn in_json() {
    JSON.store(true, Ordering::Relaxed);
    lang::choose(Lang::En);
}

/// Whether each line on standard error is a JSON object.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Begins each text on standard error with the time from now on, like a service's log.
pub(crate) fn with_times() {
    TIMED.store(true, Ordering::Relaxed);
}

/// Writes standard error by a thread from now on, so that its reader delays no work.
pub(crate) fn by_thread() {
    writer::start(|dropped| {
        caution!(
            warnings::TEXTS_DROPPED,
            "dropped {dropped} texts because standard error was not read",
            "标准错误未被读取，丢弃了 {dropped} 条提示",
            dropped = dropped,
        );
    });
}

/// Writes every text above these live lines from now on.
pub(crate) fn above(lines: MultiProgress) {
    // A terminal is written to directly, so that its lines keep their order.
    writer::flush(|| None);
    let _ = LIVE.set(lines);
}

/// Writes to standard error while live lines are away.
fn to_stderr(text: &[u8]) {
    match LIVE.get() {
        Some(lines) => lines.suspend(|| writer::write(text)),
        None => writer::write(text),
    }
}

/// Standard error as the log's writer. Never fails.
#[derive(Debug)]
pub(crate) struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        to_stderr(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to standard error. Ignores failures.
pub(crate) fn to_person(text: Arguments<'_>) {
    with_level(Level::INFO, text);
}

/// Escapes characters that move a cursor, hide text or turn its direction, as JSON does: `\u001b`. Line
/// breaks and tabs stay.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let is_odd = |it: char| {
        it.is_control() && !matches!(it, '\n' | '\t')
            || matches!(it, '\u{2028}' | '\u{2029}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for it in text.chars() {
        match is_odd(it) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(it))),
            false => escaped.push(it),
        }
    }
    Cow::Owned(escaped)
}

/// Returns a text of the platform as one line of at most 300 characters.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let mut line: String = text.chars().take(MOST).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    flat(&line)
}

/// Returns a text of the platform as one line without tabs, of any length.
pub(crate) fn flat(text: &str) -> String {
    escaped(&text.replace(['\n', '\r', '\t'], " ")).into_owned()
}

/// Writes to standard error, in JSON with the level. Ignores failures.
pub(crate) fn with_level(level: Level, text: Arguments<'_>) {
    line(level, None, &text.to_string());
}

/// Writes a line with the name of the topic that tells more: in brackets, or in JSON in the field `explain`.
pub(crate) fn remark(level: Level, topic: &Topic, text: &Phrase) {
    let name = topic.name;
    match is_json() {
        true => line(level, Some(name), &format!("qopen: {}\n", text.shown())),
        false => line(level, None, &format!("qopen: {} [{name}]\n", text.shown())),
    }
}

/// Writes the failure that ends a command, with the command that tells more.
pub(crate) fn failure(failure: &Failure) {
    let (name, message) = (failure.topic().name, failure.message().shown());
    match is_json() {
        true => line(Level::ERROR, Some(name), &format!("qopen: {message}\n")),
        false => {
            let more = MORE.shown();
            let text = format!("qopen: {message}\n  {more}qopen explain {name}\n");
            line(Level::ERROR, None, &text);
        }
    }
}

/// Before the command that tells more.
pub(crate) const MORE: Text = Text::new("more: ", "更多：");

fn line(level: Level, explain: Option<&str>, text: &str) {
    if !is_json() {
        let time = TIMED.load(Ordering::Relaxed).then(Timestamp::now);
        let text = escaped(text);
        return match time {
            Some(time) => {
                to_stderr(format!("{} {text}", time.strftime("%Y-%m-%dT%H:%M:%SZ")).as_bytes());
            }
            None => to_stderr(text.as_bytes()),
        };
    }
    let message = text.strip_prefix("qopen: ").unwrap_or(text).trim_end_matches('\n');
    // The same names and forms as the log's own lines.
    let mut object = json!({
        "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        "level": level.as_str(),
        "message": message,
        "target": "qopen",
    });
    if let Some(name) = explain {
        object["explain"] = name.into();
    }
    object_to_person(&object.to_string());
}

/// Writes a JSON object to standard error, regardless of the form of other lines. Ignores failures.
pub(crate) fn object_to_person(object: &str) {
    to_stderr(format!("{object}\n").as_bytes());
}

/// Writes to standard output. Writes nothing more after the first failure.
pub(crate) fn to_reader(text: Arguments<'_>) {
    let text = text.to_string();
    write(|out| out.write_all(escaped(&text).as_bytes()));
}

/// Writes bytes to standard output, text or not.
pub(crate) fn bytes_to_reader(bytes: &[u8]) {
    write(|out| out.write_all(bytes));
}

fn write(what: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
    if OUTPUT.load(Ordering::Relaxed) != WELL {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = what(&mut out).and_then(|()| out.flush()) {
        let what = if error.kind() == io::ErrorKind::BrokenPipe { LEFT } else { FAILED };
        OUTPUT.store(what, Ordering::Relaxed);
        if what == FAILED {
            to_person(format_args!("qopen: standard output cannot be written: {error}\n"));
        }
    }
}

/// The exit code of a command whose only result is its standard output.
pub(crate) fn exit_of_reader(exit: Exit) -> Exit {
    match (exit, OUTPUT.load(Ordering::Relaxed)) {
        (Exit::Complete, LEFT) => Exit::ReaderLeft,
        (Exit::Complete, FAILED) => Exit::Output,
        _ => exit,
    }
}

/// Whether standard output was closed when the process began.
#[cfg(unix)]
pub(crate) fn is_closed() -> bool {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

    use rustix::fs::{OFlags, fcntl_getfl};
    // The standard library replaces a closed descriptor by /dev/null, opened for reading and writing. A shell
    // opens it for writing.
    let out = io::stdout();
    let both = fcntl_getfl(&out).is_ok_and(|it| it & OFlags::RWMODE == OFlags::RDWR);
    let null = std::fs::metadata("/dev/null").ok();
    let here = std::fs::metadata("/dev/stdout").ok();
    both && null
        .zip(here)
        .is_some_and(|(null, here)| here.file_type().is_char_device() && null.rdev() == here.rdev())
}

#[cfg(not(unix))]
pub(crate) fn is_closed() -> bool {
    false
}

/// Writes a line to standard error.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::to_person(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Writes a line to standard error in the language of the process: a [`phrase!`](crate::lang::phrase).
macro_rules! tell {
    ($($phrase:tt)*) => {
        $crate::say::say!("qopen: {}", $crate::lang::phrase!($($phrase)*).shown())
    };
}

/// Writes a warning line to standard error: its topic, and a [`phrase!`](crate::lang::phrase).
macro_rules! caution {
    ($topic:expr, $($phrase:tt)*) => {
        $crate::say::remark(tracing::Level::WARN, &$topic, &$crate::lang::phrase!($($phrase)*))
    };
}

/// Writes a line to standard output.
macro_rules! answer {
    ($($text:tt)*) => {
        $crate::say::to_reader(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) use {answer, caution, say, tell};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_is_spelled_and_texts_of_the_platform_are_one_line() {
        assert_eq!(
            escaped("a\u{1b}[31m\u{7}\u{9b}\u{202e}b\n\tc"),
            "a\\u001b[31m\\u0007\\u009b\\u202eb\n\tc"
        );
        assert!(matches!(escaped("plain 中文 ü"), Cow::Borrowed(_)));
        assert_eq!(
            one_line("busy\n2026-01-01T00:00:00Z qopen: \u{1b}c"),
            "busy 2026-01-01T00:00:00Z qopen: \\u001bc"
        );
        assert_eq!(one_line(&"ü".repeat(5000)).chars().count(), 301);
        // JSON has the same escapes, so an object keeps its meaning.
        let object = serde_json::json!({ "name": "\u{202e}\u{85}" }).to_string();
        let read: Option<serde_json::Value> = serde_json::from_str(&escaped(&object)).ok();
        assert_eq!(read, serde_json::from_str(&object).ok());
    }
}
