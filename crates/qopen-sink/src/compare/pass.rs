//! One pass over two sorted lists of a robot.

use std::cmp::Ordering;
use std::io::{self, Read, Seek as _, Write};
use std::path::Path;

use qopen_types::{AccountId, ChangeCounts, RobotId};
use serde::Serialize as _;
use serde_json::value::RawValue;
use tempfile::SpooledTempFile;

use super::change::ChangeLine;
use super::fields::{Members, Unreadable, difference};
use super::found::Change;
use super::list::{Accounts, MOVED_EVERY};
use crate::SinkError;

/// Bytes of changes that are held in memory before a file is used: 1 MiB.
const MEMORY: usize = 1 << 20;

/// The name of the unnamed file, for messages.
const SPOOL: &str = "a temporary file of changes";

/// Called for each customer that is gone.
pub(super) type Gone<'a> = dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError> + 'a;

/// One robot's changes, until their number is known.
pub(super) struct Spool {
    file: SpooledTempFile,
    line: Vec<u8>,
}

impl Spool {
    /// A spool whose file is in this folder, or in the system's folder for temporary files.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        let file = match folder {
            Some(folder) => SpooledTempFile::new_in(MEMORY, folder),
            None => SpooledTempFile::new(MEMORY),
        };
        Self { file, line: Vec::new() }
    }

    fn push(&mut self, line: &ChangeLine<'_>) -> Result<(), SinkError> {
        self.line.clear();
        line.serialize(&mut serde_json::Serializer::new(&mut self.line))
            .map_err(|error| SinkError::Encode(error.into()))?;
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(SinkError::io("writing", Path::new(SPOOL)))
    }

    /// Moves the changes to a writer.
    pub(super) fn drain(&mut self, out: &mut dyn Write, path: &Path) -> Result<(), SinkError> {
        let reading = || SinkError::io("reading", Path::new(SPOOL));
        self.file.rewind().map_err(reading())?;
        let mut chunk = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => out.write_all(&chunk[..n]).map_err(SinkError::io("writing", path))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reading()(error)),
            }
        }
        self.file.rewind().and_then(|()| self.file.set_len(0)).map_err(reading())
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
                Ordering::Equal if old.line() != new.line() => Some(self.both(robot, old, new)?),
                Ordering::Equal => {
                    if self.is_strict && Members::of(new.line()).is_none() {
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
        robot: &RobotId,
        change: Change,
        list: &dyn Accounts,
    ) -> Result<Change, SinkError> {
        let id = AccountId::new(list.id()).map_err(|_| list.not_a_record())?;
        if Members::of(list.line()).is_none() {
            return Err(list.not_a_record());
        }
        let record: &RawValue = raw(list)?;
        let (account, before) = match change {
            Change::Gone => (None, Some(record)),
            _ => (Some(record), None),
        };
        self.push(robot, id.clone(), change, Vec::new(), account, before)?;
        if change == Change::Gone {
            (self.gone)(robot, &id)?;
        }
        Ok(change)
    }

    /// An account that differs.
    fn both(
        &mut self,
        robot: &RobotId,
        old: &dyn Accounts,
        new: &dyn Accounts,
    ) -> Result<Change, SinkError> {
        let found = difference(old.line(), new.line()).map_err(|which| match which {
            Unreadable::Old => old.not_a_record(),
            Unreadable::New => new.not_a_record(),
        })?;
        let id = AccountId::new(new.id()).map_err(|_| new.not_a_record())?;
        let before: &RawValue =
            serde_json::from_str(&found.before).map_err(|_| old.not_a_record())?;
        self.push(robot, id, found.kind, found.fields, Some(raw(new)?), Some(before))?;
        Ok(found.kind)
    }

    fn push(
        &mut self,
        robot: &RobotId,
        account_id: AccountId,
        change: Change,
        fields: Vec<String>,
        account: Option<&RawValue>,
        before: Option<&RawValue>,
    ) -> Result<(), SinkError> {
        let (r#type, robot_id) = ("change".into(), robot.clone());
        let line = ChangeLine { r#type, robot_id, account_id, change, fields, account, before };
        self.spool.push(&line)
    }
}

/// The current record of a list, as JSON.
fn raw(list: &dyn Accounts) -> Result<&RawValue, SinkError> {
    serde_json::from_slice(list.line()).map_err(|_| list.not_a_record())
}
