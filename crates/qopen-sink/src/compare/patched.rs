//! The list on one side of its changes, from the one on the other side.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fs::File;

use qopen_types::RobotId;
use serde_json::value::RawValue;

use super::change::ChangeLine;
use super::fields::rewound;
use super::found::Change;
use super::lines::Lines;
use super::list::{Accounts, Digester, ListDigest, PartReader};
use super::problem::ListProblem;
use crate::SinkError;

/// A side of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Earlier,
    Later,
}

/// A change, with the records that it has.
struct Entry {
    id: String,
    change: Change,
    fields: Vec<String>,
    account: Option<Box<RawValue>>,
    before: Option<Box<RawValue>>,
}

impl Entry {
    fn account(&self) -> Option<&[u8]> {
        self.account.as_deref().map(|it| it.get().as_bytes())
    }

    fn before(&self) -> Option<&[u8]> {
        self.before.as_deref().map(|it| it.get().as_bytes())
    }
}

/// The changes of one robot, in the order of the account ids.
pub(super) struct ChangeReader<'a> {
    lines: Lines<'a, &'a File>,
    left: u64,
    robot: &'a RobotId,
    current: Option<Entry>,
}

impl<'a> ChangeReader<'a> {
    /// Reads this number of changes.
    pub(super) fn new(lines: Lines<'a, &'a File>, left: u64, robot: &'a RobotId) -> Self {
        Self { lines, left, robot, current: None }
    }

    /// Moves to the change after the one of that account.
    fn advance_after(&mut self, id: &str) -> Result<(), SinkError> {
        self.current = None;
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.lines.advance()?;
        let entry = self.read().filter(|it| *it.id > *id);
        self.current = Some(entry.ok_or_else(|| self.damaged())?);
        Ok(())
    }

    fn read(&self) -> Option<Entry> {
        let line: ChangeLine<'_> = serde_json::from_slice(self.lines.line()).ok()?;
        let is_fit = match line.change {
            Change::Added => line.account.is_some() && line.before.is_none(),
            Change::Gone => line.account.is_none() && line.before.is_some(),
            _ => line.account.is_some() && line.before.is_some(),
        };
        (is_fit && line.r#type == "change" && line.robot_id == *self.robot).then(|| Entry {
            id: line.account_id.as_str().to_owned(),
            change: line.change,
            fields: line.fields,
            account: line.account.map(ToOwned::to_owned),
            before: line.before.map(ToOwned::to_owned),
        })
    }

    fn damaged(&self) -> SinkError {
        self.lines.fails(ListProblem::NotChanges { line: self.lines.number() })
    }
}

/// A list that is made from the one on the other side of its changes.
pub(super) struct Patched<'a> {
    side: Side,
    from: PartReader<'a>,
    has_from: bool,
    changes: ChangeReader<'a>,
    seen: Digester,
    expected: ListDigest,
    /// Whether the list's account is the current one.
    is_kept: bool,
    /// The current id and line, if they come from a change.
    own: Option<(String, Vec<u8>)>,
}

/// What a step of [`Patched`] takes.
enum Step {
    /// The account of the list, which has no change.
    Keep,
    /// A record of a change.
    Replace(Vec<u8>),
    /// Nothing: the account is not on this side.
    Skip,
}

impl<'a> Patched<'a> {
    /// The list on `side`, from the one on the other side. Its end fails if it is not the expected one.
    pub(super) fn new(
        side: Side,
        mut from: PartReader<'a>,
        mut changes: ChangeReader<'a>,
        expected: ListDigest,
    ) -> Result<Self, SinkError> {
        let has_from = from.advance()?;
        changes.advance_after("")?;
        let (seen, is_kept, own) = (Digester::default(), false, None);
        Ok(Self { side, from, has_from, changes, seen, expected, is_kept, own })
    }

    /// The list's account and the change that come next: which is first, and what it leads to.
    fn step(&self) -> Result<Option<(Ordering, Step)>, SinkError> {
        let mismatched = || self.changes.lines.fails(ListProblem::Mismatched);
        let Some(change) = &self.changes.current else {
            return Ok(self.has_from.then_some((Ordering::Less, Step::Keep)));
        };
        let order = match self.has_from {
            true => self.from.id().cmp(&change.id),
            false => Ordering::Greater,
        };
        if order.is_lt() {
            return Ok(Some((order, Step::Keep)));
        }
        let replace =
            |it: Option<&[u8]>| it.map(|it| Step::Replace(it.to_vec())).ok_or_else(mismatched);
        let is_at_both = order.is_eq();
        let step = match (self.side, change.change) {
            (Side::Earlier, Change::Gone) if !is_at_both => replace(change.before())?,
            (Side::Later, Change::Added) if !is_at_both => replace(change.account())?,
            (Side::Earlier, Change::Added) | (Side::Later, Change::Gone) if is_at_both => {
                Step::Skip
            }
            (_, Change::Added | Change::Gone) => return Err(mismatched()),
            (Side::Later, _) if is_at_both => replace(change.account())?,
            (Side::Earlier, _) if is_at_both => {
                let records = change.account().zip(change.before());
                let (account, before) = records.ok_or_else(mismatched)?;
                let record = rewound(account, &change.fields, before);
                Step::Replace(record.ok_or_else(|| self.changes.damaged())?)
            }
            _ => return Err(mismatched()),
        };
        Ok(Some((order, step)))
    }
}

impl Accounts for Patched<'_> {
    fn advance(&mut self) -> Result<bool, SinkError> {
        self.own = None;
        // The list's account was current until now.
        if std::mem::take(&mut self.is_kept) {
            self.has_from = self.from.advance()?;
        }
        while let Some((order, step)) = self.step()? {
            if let Step::Keep = step {
                self.is_kept = true;
                self.seen.add(self.from.line());
                return Ok(true);
            }
            let id = self.changes.current.as_mut().map(|it| std::mem::take(&mut it.id));
            let id = id.unwrap_or_default();
            if order.is_eq() {
                self.has_from = self.from.advance()?;
            }
            self.changes.advance_after(&id)?;
            if let Step::Replace(record) = step {
                let line = self.from.layout.line(record);
                let line = line.ok_or_else(|| self.changes.damaged())?;
                self.seen.add(&line);
                self.own = Some((id, line));
                return Ok(true);
            }
        }
        match self.seen.finish() == self.expected {
            true => Ok(false),
            false => Err(self.changes.lines.fails(ListProblem::Mismatched)),
        }
    }

    fn id(&self) -> &str {
        match &self.own {
            Some((id, _)) => id,
            None => self.from.id(),
        }
    }

    fn line(&self) -> &[u8] {
        match &self.own {
            Some((_, line)) => line,
            None => self.from.line(),
        }
    }

    fn record(&self) -> Option<Cow<'_, [u8]>> {
        self.from.layout.record(self.line())
    }

    fn not_a_record(&self) -> SinkError {
        match &self.own {
            Some(_) => self.changes.damaged(),
            None => self.from.not_a_record(),
        }
    }
}
