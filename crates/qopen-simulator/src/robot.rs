//! Robots of the simulated app.

use qopen_types::RobotId;
use serde::{Deserialize, Serialize};

/// The list that has a robot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "callers make it")]
pub enum SimulatedRobotKind {
    /// The list of scan-code robots.
    #[default]
    Host,
    /// The list of platform robots.
    Platform,
}

/// A robot of the simulated app. In JSON only `robot_id` has no default. A robot of both lists is there
/// twice, once of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct SimulatedRobot {
    /// The robot's id.
    pub robot_id: RobotId,
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// The list that has it.
    #[serde(default)]
    pub kind: SimulatedRobotKind,
    /// Whether it is logged in; a platform robot always is.
    #[serde(default = "yes")]
    pub is_online: bool,
    /// False if it was recycled.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl SimulatedRobot {
    /// A scan-code robot that is online and enabled.
    #[must_use]
    pub fn host(robot_id: RobotId, name: impl Into<String>) -> Self {
        let kind = SimulatedRobotKind::Host;
        Self { robot_id, name: name.into(), kind, is_online: true, enabled: true }
    }

    /// A platform robot that is enabled.
    #[must_use]
    pub fn platform(robot_id: RobotId, name: impl Into<String>) -> Self {
        Self { kind: SimulatedRobotKind::Platform, ..Self::host(robot_id, name) }
    }

    pub(crate) fn is_offline(&self) -> bool {
        !self.enabled || self.kind == SimulatedRobotKind::Host && !self.is_online
    }
}

/// What the platform knows of a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Unknown,
    Offline,
    Online,
}
