//! The lists in a file, as its metadata names them.

use qopen_types::RobotId;
use serde::{Deserialize, Serialize};

use crate::ListInfo;

/// The key of the metadata.
pub(super) const KEY: &str = "qopen.lists";

/// One robot's list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ListOf {
    pub(super) robot_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    pub(super) customers: u64,
}

/// The lists in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Lists {
    all: Vec<ListOf>,
    /// The list of the last customer.
    current: usize,
}

impl Lists {
    /// Adds a list before its customers. `is_complete` says whether the place of the file is for complete lists.
    pub(super) fn announce(&mut self, list: &ListInfo<'_>, is_complete: bool) {
        self.all.push(ListOf {
            robot_id: list.robot_id.to_string(),
            mark_id: Some(list.mark_id.to_string()),
            revision: Some(list.revision),
            // What has arrived of an unfinished pull has no revision.
            complete: Some(is_complete && list.revision > 0),
            customers: 0,
        });
    }

    /// Counts a customer.
    pub(super) fn count(&mut self, robot: &RobotId) {
        let is_of = |it: &ListOf| it.robot_id == robot.as_str();
        if !self.all.get(self.current).is_some_and(is_of) {
            self.current = self.all.iter().rposition(is_of).unwrap_or_else(|| {
                self.all.push(ListOf {
                    robot_id: robot.to_string(),
                    mark_id: None,
                    revision: None,
                    complete: None,
                    customers: 0,
                });
                self.all.len() - 1
            });
        }
        self.all[self.current].customers += 1;
    }

    pub(super) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.all)
    }
}
