//! One pass over two sorted lists of a robot.

use std::cmp::Ordering;
use std::io::{self, Read, Seek as _, Write};
use std::path::Path;

use qopen_types::{AccountId, ChangeCounts, RobotId};
use tempfile::SpooledTempFile;

use super::fields::{Members, Unreadable, difference};
use super::found::Change;
use super::line::Entry;
use super::list::{Accounts, MOVED_EVERY};
use crate::SinkError;
use crate::csv_row::quoted;

/// Bytes of changes that are held in memory before a file is used: 1 MiB.
const MEMORY: usize = 1 << 20;

/// Bytes that are written at once: 64 KiB.
const BUFFER: usize = 1 << 16;

/// The name of the unnamed file, for messages.
const SPOOL: &str = "a temporary file of changes";

/// Called for each customer that is gone.
pub(super) type Gone<'a> = dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError> + 'a;

/// One robot's changes, until their number is known.
pub(super) struct Spool {
    /// The robot as JSON.
    robot: String,
    file: SpooledTempFile,
    buffer: Vec<u8>,
}

impl Spool {
    /// A spool of this robot whose file is in this folder, or in the system's folder for temporary files.
    pub(super) fn new(robot_id: &RobotId, folder: Option<&Path>) -> Self {
        let file = match folder {
            Some(folder) => SpooledTempFile::new_in(MEMORY, folder),
            None => SpooledTempFile::new(MEMORY),
        };
        Self { robot: quoted(robot_id.as_str()), file, buffer: Vec::new() }
    }

    /// Adds a change. The records are JSON.
    fn push(&mut self, change: &Entry<'_>) -> Result<(), SinkError> {
        change.write(&self.robot, &mut self.buffer)?;
        match self.buffer.len() < BUFFER {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(SinkError::io("writing", Path::new(SPOOL)))
    }

    /// Moves the changes to a writer.
    pub(super) fn drain(mut self, out: &mut dyn Write, path: &Path) -> Result<(), SinkError> {
        self.flush()?;
        let reading = || SinkError::io("reading", Path::new(SPOOL));
        self.file.rewind().map_err(reading())?;
        let mut chunk = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(n) => out.write_all(&chunk[..n]).map_err(SinkError::io("writing", path))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reading()(error)),
            }
        }
    }
}

/// How a pass is made.
pub(super) struct Pass<'a> {
    pub(super) spool: &'a mut Spool,
    pub(super) gone: &'a mut Gone<'a>,
    pub(super) moved: &'a dyn Fn(),
    /// Whether the bytes of both lists come from outside: equal lines may not be JSON then.
    pub(super) is_strict: bool,
}

impl Pass<'_> {
    /// Compares two lists of a robot. The changes are in the spool afterwards.
    pub(super) fn run(
        &mut self,
        robot: &RobotId,
        old: &mut dyn Accounts,
        new: &mut dyn Accounts,
    ) -> Result<ChangeCounts, SinkError> {
        let mut counts = ChangeCounts::default();
        let (mut has_old, mut has_new) = (old.advance()?, new.advance()?);
        for step in 1.. {
            if step % MOVED_EVERY == 0 {
                (self.moved)();
            }
            let order = match (has_old, has_new) {
                (false, false) => break,
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (true, true) => old.id().cmp(new.id()),
            };
            let change = match order {
                Ordering::Less => Some(self.only_one(robot, Change::Gone, old)?),
                Ordering::Greater => Some(self.only_one(robot, Change::Added, new)?),
                Ordering::Equal if old.line() != new.line() => Some(self.both(old, new)?),
                Ordering::Equal => {
                    if self.is_strict && !is_object(new) {
                        return Err(new.not_a_record());
                    }
                    None
                }
            };
            change.into_iter().for_each(|change| change.count(&mut counts));
            if order.is_le() {
                has_old = old.advance()?;
            }
            if order.is_ge() {
                has_new = new.advance()?;
            }
        }
        Ok(counts)
    }

    /// An account that only one list has.
    fn only_one(
        &mut self,
        robot_id: &RobotId,
        kind: Change,
        list: &dyn Accounts,
    ) -> Result<Change, SinkError> {
        let id = AccountId::new(list.id()).map_err(|_| list.not_a_record())?;
        let record = list.record().filter(|it| Members::of(it).is_some());
        let record = Some(&*record.ok_or_else(|| list.not_a_record())?);
        let (account, before) = match kind {
            Change::Gone => (None, record),
            _ => (record, None),
        };
        self.spool.push(&Entry { account_id: id.as_str(), kind, fields: &[], account, before })?;
        if kind == Change::Gone {
            (self.gone)(robot_id, &id)?;
        }
        Ok(kind)
    }

    /// An account that differs.
    fn both(&mut self, old: &dyn Accounts, new: &dyn Accounts) -> Result<Change, SinkError> {
        let before = old.record().ok_or_else(|| old.not_a_record())?;
        let after = new.record().ok_or_else(|| new.not_a_record())?;
        let found = difference(&before, &after).map_err(|which| match which {
            Unreadable::Old => old.not_a_record(),
            Unreadable::New => new.not_a_record(),
        })?;
        let account_id = AccountId::new(new.id()).map_err(|_| new.not_a_record())?;
        let (kind, fields) = (found.kind, &*found.fields);
        let (account, before) = (Some(&*after), Some(found.before.as_bytes()));
        let account_id = account_id.as_str();
        self.spool.push(&Entry { account_id, kind, fields, account, before })?;
        Ok(kind)
    }
}

/// Whether the current record is a JSON object.
fn is_object(list: &dyn Accounts) -> bool {
    list.record().is_some_and(|it| Members::of(&it).is_some())
}
