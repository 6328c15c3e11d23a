//! All writes to standard output and standard error. A closed pipe or a full disk stops no work.

use std::fmt::Arguments;
use std::io::{self, StderrLock, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use indicatif::MultiProgress;
use jiff::Timestamp;
use serde_json::json;
use tracing::Level;

use crate::exit::Exit;

/// Whether each line on standard error is a JSON object.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether each text on standard error begins with the time.
static TIMED: AtomicBool = AtomicBool::new(false);

/// The live lines of a terminal, if there are any.
static LIVE: OnceLock<MultiProgress> = OnceLock::new();

/// The state of standard output.
static OUTPUT: AtomicU8 = AtomicU8::new(WELL);

const WELL: u8 = 0;
const LEFT: u8 = 1;
const FAILED: u8 = 2;

/// Writes each text to standard error as a JSON object from now on.
pub(crate) fn in_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Whether each line on standard error is a JSON object.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Begins each text on standard error with the time from now on, as a service's log does.
pub(crate) fn with_times() {
    TIMED.store(true, Ordering::Relaxed);
}

/// Writes every text above these live lines from now on.
pub(crate) fn above(lines: MultiProgress) {
    let _ = LIVE.set(lines);
}

/// Writes to standard error while live lines are away.
fn to_stderr(write: impl FnOnce(&mut StderrLock<'_>) -> io::Result<()>) {
    let write = || {
        let _ = write(&mut io::stderr().lock());
    };
    match LIVE.get() {
        Some(lines) => lines.suspend(write),
        None => write(),
    }
}

/// Standard error as the log's writer. Never fails.
#[derive(Debug)]
pub(crate) struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        to_stderr(|err| err.write_all(bytes));
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

/// Writes to standard error; the level is seen where lines are JSON. Ignores failures.
pub(crate) fn with_level(level: Level, text: Arguments<'_>) {
    if !is_json() {
        let time = TIMED.load(Ordering::Relaxed).then(Timestamp::now);
        return to_stderr(|err| match time {
            Some(time) => write!(err, "{} {text}", time.strftime("%Y-%m-%dT%H:%M:%SZ")),
            None => err.write_fmt(text),
        });
    }
    let text = text.to_string();
    let message = text.strip_prefix("qopen: ").unwrap_or(&text).trim_end_matches('\n');
    // The same names and forms as the log's own lines.
    let object = json!({
        "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        "level": level.as_str(),
        "message": message,
        "target": "qopen",
    });
    object_to_person(&object.to_string());
}

/// Writes a JSON object to standard error, whatever the form of other lines. Ignores failures.
pub(crate) fn object_to_person(object: &str) {
    to_stderr(|err| err.write_all(format!("{object}\n").as_bytes()));
}

/// Writes to standard output. Writes nothing more after the first failure.
pub(crate) fn to_reader(text: Arguments<'_>) {
    write(|out| out.write_fmt(text));
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
    // The standard library opens /dev/null, for reading and writing, in the place of what is closed; a
    // shell opens it for writing.
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

/// Writes a line to standard error that warns.
macro_rules! caution {
    ($($text:tt)*) => {
        $crate::say::with_level(
            tracing::Level::WARN,
            format_args!("{}\n", format_args!($($text)*)),
        )
    };
}

/// Writes a line to standard output.
macro_rules! answer {
    ($($text:tt)*) => {
        $crate::say::to_reader(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) use {answer, caution, say};
