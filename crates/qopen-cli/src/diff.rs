//! `qopen diff`: shows what changed between two lists.

use std::io::{self, BufWriter, Write};

use qopen::sink::{Compared, SinkError, compare_lists};

use crate::args::DiffArgs;
use crate::exit::{Exit, Failure};
use crate::lang::{Phrase, phrase};
use crate::report::{CUSTOMERS, kinds_in_words};
use crate::say::{self, answer};

/// Bytes of changes that are written at once: 64 KiB.
const CHUNK: usize = 1 << 16;

pub(crate) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let mut out: Box<dyn Write> = match args.json {
        true => Box::new(BufWriter::with_capacity(CHUNK, Reader)),
        false => Box::new(io::sink()),
    };
    let compared = compare_lists(&args.old, &args.new, &mut *out);
    drop(out);
    let compared = match compared {
        Ok(compared) => compared,
        // The rest is of no use to a reader that left. The main function knows the exit code.
        Err(_) if !is_read() => return Ok(Exit::Complete),
        Err(error) => return Err(failure(args, &error)),
    };
    if !args.json {
        show(&compared);
    }
    Ok(Exit::Complete)
}

fn show(compared: &[Compared]) {
    if compared.is_empty() {
        answer!("{}", phrase!("both lists are empty", "两份列表都为空").shown());
    }
    for it in compared {
        let counts = it.counts;
        let after = (it.accounts_before + counts.added).saturating_sub(counts.gone);
        let none = || Phrase::new("no changes", "没有变化");
        let said = phrase!(
            "robot {robot}: {kinds}; {before} before, {after} now",
            "机器人 {robot}：{kinds}；之前 {before}，现在 {after}",
            robot = it.robot_id,
            kinds = kinds_in_words(&counts).unwrap_or_else(none),
            before = CUSTOMERS.count(it.accounts_before),
            after = after,
        );
        answer!("{}", said.shown());
    }
}

fn failure(args: &DiffArgs, error: &SinkError) -> Failure {
    let is_input = match error {
        SinkError::NotAList { .. } => true,
        SinkError::Io { path, .. } => *path == args.old || *path == args.new,
        _ => false,
    };
    let what = phrase!("the lists could not be compared", "无法比较列表");
    match is_input {
        true => Failure::usage_of(what, error),
        false => Failure::unexpected(what, error),
    }
}

fn is_read() -> bool {
    say::exit_of_reader(Exit::Complete) == Exit::Complete
}

/// Standard output, which fails once its reader left.
struct Reader;

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        say::bytes_to_reader(bytes);
        match is_read() {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
