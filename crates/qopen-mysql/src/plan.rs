//! What a new list changes: found in one pass over sorted rows and sorted records, in constant memory.

use mysql_async::Conn;
use qopen_sink::storage::{Digester, compare_records};
use qopen_sink::{Change, ChangeCounts, SinkError};
use qopen_types::{AccountId, Digest, RobotId};

use crate::cursor::Cursor;
use crate::published::Published;
use crate::spool::Reader;
use crate::steps::{Found, Step, Steps};

/// Accounts after which a pass reports progress.
pub(crate) const MOVED_EVERY: u64 = 1_024;

/// A pass over one robot's list: rows of `robot_account`, changes of the list that the new one is a revision of, and
/// new records.
pub(crate) struct Pass<'a> {
    pub(crate) connection: &'a mut Conn,
    pub(crate) list: &'a Published,
    /// The place of the robot's list among the new ones.
    pub(crate) place: usize,
    /// The number of the list that the new one is a revision of.
    pub(crate) replaced: Option<i64>,
    /// Whether changes are looked for.
    pub(crate) is_compared: bool,
    pub(crate) steps: &'a mut Steps,
    pub(crate) moved: &'a dyn Fn(),
}

/// The function that gets each customer who is gone.
pub(crate) type Gone<'a> = &'a mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>;

impl Pass<'_> {
    /// Finds the steps, counts the changes and digests the new list. `new` is at the first record that is not an earlier
    /// list's.
    pub(crate) async fn run(
        self,
        new: &mut Option<Reader<'_>>,
        gone: Gone<'_>,
    ) -> Result<(ChangeCounts, Digest), SinkError> {
        let Self { connection, list, place, replaced, is_compared, steps, moved } = self;
        let key = list.robot_key.as_str();
        let old = Cursor::new("robot_account", "account", "robot_key = ?", vec![key.into()]);
        let mut old = old.open(connection).await?;
        // No list has the number 0.
        let number = replaced.filter(|_| is_compared).unwrap_or(0);
        let past = vec![key.into(), number.into()];
        let past = Cursor::new("`change`", "`before`", "robot_key = ? AND number = ?", past);
        let mut past = past.open(connection).await?;
        let (mut counts, mut digester) = (ChangeCounts::default(), Digester::default());
        let mut passed = 0;
        loop {
            let record = new.as_ref().filter(|it| it.robot == place);
            let ids = [old.id(), past.id(), record.map(|it| it.id.as_str())];
            let Some(id) = ids.into_iter().flatten().min() else { break };
            let [is_old, is_past, is_new] = ids.map(|it| it == Some(id));
            let present = old.text().filter(|_| is_old);
            let before = match is_past {
                true => past.text(),
                false => present,
            };
            let after = record.filter(|_| is_new).map(|it| it.record.as_str());
            if let Some(after) = after {
                digester.add(after.as_bytes());
            }
            let change = match is_compared {
                true => difference(before, after),
                false => None,
            };
            if let Some((kind, _)) = &change {
                kind.count(&mut counts);
            }
            let is_gone = matches!(change, Some((Change::Gone, _)));
            let differs = present != after;
            if differs || change.is_some() {
                let step = Step {
                    id: id.to_owned(),
                    is_deleted: differs && is_old,
                    is_written: differs && is_new,
                    record: record.filter(|_| is_new).map(|it| it.place),
                    change: change.map(|(kind, fields)| Found {
                        kind: kind.as_str().to_owned(),
                        // Texts always encode.
                        fields: serde_json::to_string(&fields).unwrap_or_default(),
                        before: before.map(str::to_owned),
                    }),
                };
                steps.push(&step)?;
            }
            // A row with another id is no customer's.
            if is_gone && let Ok(id) = id.parse() {
                gone(&list.robot_id, &id)?;
            }
            passed += 1;
            if passed % MOVED_EVERY == 0 {
                moved();
            }
            if is_old {
                old.advance(connection).await?;
            }
            if is_past {
                past.advance(connection).await?;
            }
            if is_new && !new.as_mut().map_or(Ok(false), Reader::advance)? {
                *new = None;
            }
        }
        steps.end()?;
        Ok((counts, digester.finish().digest))
    }
}

/// The change from one record to another; `None` if they are equal.
fn difference(before: Option<&str>, after: Option<&str>) -> Option<(Change, Vec<String>)> {
    match (before, after) {
        _ if before == after => None,
        // A row that was edited may have anything for a record.
        (Some(old), Some(new)) => {
            Some(compare_records(old, new).unwrap_or((Change::Changed, Vec::new())))
        }
        (None, _) => Some((Change::Added, Vec::new())),
        (_, None) => Some((Change::Gone, Vec::new())),
    }
}
