//! The name of a pull.

use core::fmt;

use crate::{MarkId, RobotId};

/// Identifies a pull by its robot and the mark of its request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a pull has these two names and no other")]
pub struct PullId {
    /// The robot whose customers are requested.
    pub robot_id: RobotId,
    /// The mark of the request.
    pub mark_id: MarkId,
}

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "robot {} mark {}", self.robot_id, self.mark_id)
    }
}
