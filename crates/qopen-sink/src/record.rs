//! A record of a list: the robot, and the account under the protocol's own names.

use std::fmt;

use qopen_types::{Account, RobotId};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A customer of a robot.
///
/// As JSON it is one object: `robot_id`, then the account's fields under the protocol's names,
/// types as the protocol's tables have them, lists never null, unknown fields kept. Should the
/// account have an unknown field called `robot_id`, that one is written as `account_robot_id`.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    robot_id: &'a RobotId,
    account: &'a Account,
}

impl<'a> Record<'a> {
    /// That account of that robot.
    #[must_use]
    pub fn new(robot_id: &'a RobotId, account: &'a Account) -> Self {
        Self { robot_id, account }
    }

    /// The robot.
    #[must_use]
    pub fn robot_id(&self) -> &'a RobotId {
        self.robot_id
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &'a Account {
        self.account
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = self.account;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("robot_id", self.robot_id)?;
        it.write_fields(&mut map)?;
        for (name, value) in it.extra.iter() {
            map.serialize_entry(if name == "robot_id" { "account_robot_id" } else { name }, value)?;
        }
        if !it.unread.is_empty() {
            map.serialize_entry("_unread", &it.unread)?;
        }
        map.end()
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("robot_id", self.robot_id)
            .field("account", self.account)
            .finish()
    }
}
