//! The lines of a file of changes: a header for each robot, then a line for each change.

use std::borrow::Cow;

use qopen_types::{AccountId, ChangeCounts, Digest, MarkId, RobotId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::found::{Change, Predecessor};
use super::list::ListDigest;
use crate::CsvOptions;

/// The list that changes begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangesSince {
    /// The mark of its pull, if it is known.
    pub mark_id: Option<MarkId>,
    /// Its revision, if it is known.
    pub revision: Option<u32>,
    /// Its accounts.
    pub accounts: u64,
    /// The digest of its lines.
    pub digest: Digest,
}

impl ChangesSince {
    pub(super) fn of(mark_id: Option<MarkId>, revision: Option<u32>, list: ListDigest) -> Self {
        Self { mark_id, revision, accounts: list.accounts, digest: list.digest }
    }

    pub(super) fn list(&self) -> ListDigest {
        ListDigest { accounts: self.accounts, digest: self.digest }
    }

    pub(super) fn predecessor(&self) -> Predecessor {
        Predecessor::List { mark_id: self.mark_id.clone(), revision: self.revision }
    }
}

/// The header of one robot's changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangesHeader {
    /// The robot.
    pub robot_id: RobotId,
    /// The mark of the later list's pull, if it is known.
    pub mark_id: Option<MarkId>,
    /// The later list's revision, if it is known.
    pub revision: Option<u32>,
    /// The options of CSV of both lists; `None` if they are in JSON Lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
    /// The earlier list; `None` for a [baseline](Predecessor::Baseline).
    pub since: Option<ChangesSince>,
    /// The later list.
    pub until: ListDigest,
    /// The number of changes, by kind.
    #[serde(flatten)]
    pub counts: ChangeCounts,
}

impl ChangesHeader {
    /// Whether the later list leaves the robot out. A list without a mark has accounts otherwise.
    pub(super) fn is_left_out(&self) -> bool {
        self.mark_id.is_none() && self.until.accounts == 0
    }
}

/// What header lines begin with.
pub(super) const HEADER: &[u8] = b"{\"type\":\"changes\",";

/// What lines of changes begin with.
pub(super) const CHANGE: &[u8] = b"{\"type\":\"change\",";

/// The format of files of changes. A header without `format` has format 1; qopen writes the number from format 2 on.
pub(super) const FORMAT: u32 = 1;

/// The format of a header that a later version of qopen wrote.
pub(super) fn later_format(line: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Format {
        #[serde(default)]
        format: u32,
    }
    let header = line.starts_with(HEADER).then(|| serde_json::from_slice::<Format>(line).ok());
    header.flatten().map(|it| it.format).filter(|it| *it > FORMAT)
}

/// A header as a line without its end.
pub(super) fn header_line(header: &ChangesHeader) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        header: &'a ChangesHeader,
    }
    serde_json::to_vec(&Line { r#type: "changes", header })
}

/// A change as a line.
#[derive(Deserialize)]
pub(super) struct ChangeLine<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    pub(super) robot_id: RobotId,
    pub(super) account_id: AccountId,
    pub(super) change: Change,
    pub(super) fields: Vec<String>,
    /// The later record, which only a gone account lacks.
    #[serde(borrow, default)]
    pub(super) account: Option<&'a RawValue>,
    /// The earlier values of the fields, or the whole earlier record. Only an added account has none.
    #[serde(borrow, default)]
    pub(super) before: Option<&'a RawValue>,
}
