//! A change as a line of a file of changes.

use qopen_types::RobotId;

use super::change::CHANGE;
use super::fields::difference;
use super::found::Change;
use crate::SinkError;
use crate::csv_row::quoted;

/// A change on its way into a line.
pub(super) struct Entry<'a> {
    pub(super) account_id: &'a str,
    pub(super) kind: Change,
    pub(super) fields: &'a [String],
    pub(super) account: Option<&'a [u8]>,
    pub(super) before: Option<&'a [u8]>,
}

impl Entry<'_> {
    /// Writes the line, with its end. The robot and the records are JSON.
    pub(super) fn write(&self, robot: &str, out: &mut Vec<u8>) -> Result<(), SinkError> {
        let fields =
            serde_json::to_string(self.fields).map_err(|error| SinkError::Encode(error.into()))?;
        let id = quoted(self.account_id);
        let kind = self.kind.as_str();
        let parts = [
            CHANGE,
            b"\"robot_id\":",
            robot.as_bytes(),
            b",\"account_id\":",
            id.as_bytes(),
            b",\"change\":\"",
            kind.as_bytes(),
            b"\",\"fields\":",
            fields.as_bytes(),
        ];
        parts.iter().for_each(|it| out.extend_from_slice(it));
        for (name, record) in [("account", self.account), ("before", self.before)] {
            if let Some(record) = record {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                out.extend_from_slice(record);
            }
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// Writes the change of an account as a line of a file of changes, with its end. The records are JSON: the earlier
/// one, which an added account lacks, and the later one, which a gone account lacks. An account that is not an
/// object, such as an edited one, counts as changed.
///
/// # Errors
/// [`SinkError::Encode`], which does not happen with texts.
pub fn write_change(
    robot_id: &RobotId,
    account_id: &str,
    earlier: Option<&str>,
    later: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), SinkError> {
    let found = match (earlier, later) {
        (Some(old), Some(new)) => difference(old.as_bytes(), new.as_bytes()).ok(),
        _ => None,
    };
    let (kind, fields, before) = match (&found, earlier, later) {
        (Some(found), ..) => (found.kind, &*found.fields, Some(&*found.before)),
        (None, None, _) => (Change::Added, &[][..], None),
        (None, Some(_), None) => (Change::Gone, &[][..], earlier),
        (None, Some(_), Some(_)) => (Change::Changed, &[][..], earlier),
    };
    let (account, before) = (later.map(str::as_bytes), before.map(str::as_bytes));
    Entry { account_id, kind, fields, account, before }.write(&quoted(robot_id.as_str()), out)
}
