//! GetRobotStatusSync: whether robots are online and enabled.

use std::collections::{BTreeMap, BTreeSet};

use qopen_types::{Endpoint as _, GetRobotStatusSync, Item, RobotId, RobotStatusRequest};

use crate::content_error::ContentError;
use crate::{SendError, Sender};

/// Robots of a request, by the platform's limit.
const ROBOTS: usize = 100;

/// The state of a robot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RobotState {
    /// Whether the robot is logged in. A platform robot has no such state.
    pub is_online: Option<bool>,
    /// False if the robot was recycled.
    pub enabled: Option<bool>,
}

/// The states of robots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RobotStates {
    /// The states that the platform returned. A robot that is neither here nor in `failed` was left out.
    pub states: BTreeMap<RobotId, RobotState>,
    /// Robots whose state the platform could not tell.
    pub failed: BTreeSet<RobotId>,
    /// Entries whose id is unreadable.
    pub unreadable: usize,
    /// States of robots that were not asked for, which are dropped.
    pub unasked: usize,
}

impl Sender {
    /// Asks whether robots are online and enabled, in requests of up to 100 robots (protocol section 6).
    ///
    /// Sends nothing without robots. Each request has the retries, the token and the rate limit of
    /// [`call`](Self::call).
    ///
    /// # Errors
    /// [`SendError`], of the first request that fails.
    pub async fn robot_status(&self, robots: &[RobotId]) -> Result<RobotStates, SendError> {
        let mut all = RobotStates::default();
        let asked: Vec<RobotId> = BTreeSet::from_iter(robots).into_iter().cloned().collect();
        for part in asked.chunks(ROBOTS) {
            let mut request = RobotStatusRequest::default();
            request.robot_id_list = part.to_vec();
            let data = self.call::<GetRobotStatusSync>(&request).await?.data.unwrap_or_default();
            if data.robot_status_list.is_none() && data.failed_list.is_empty() {
                let source = ContentError::Absent { field: "robot_status_list" };
                return Err(SendError::Content { endpoint: GetRobotStatusSync::NAME, source });
            }
            let is_asked = |robot: &RobotId| part.binary_search(robot).is_ok();
            for item in data.failed_list {
                match item {
                    Item::Valid(robot) if is_asked(&robot) => drop(all.failed.insert(robot)),
                    Item::Valid(_) => all.unasked += 1,
                    Item::Invalid(_) => all.unreadable += 1,
                }
            }
            for item in data.robot_status_list.unwrap_or_default() {
                match item {
                    Item::Valid(it) if is_asked(&it.robot_id) => {
                        let state = RobotState { is_online: it.is_online, enabled: it.enable };
                        all.states.insert(it.robot_id, state);
                    }
                    Item::Valid(_) => all.unasked += 1,
                    Item::Invalid(_) => all.unreadable += 1,
                }
            }
        }
        Ok(all)
    }
}
