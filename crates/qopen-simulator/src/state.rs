//! A simulator's settings, counts and tokens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use qopen_callback::Keyring;
use qopen_types::{RobotId, Secret};

use crate::schedule::Schedule;

/// Settings of a simulator.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct SimulatorConfig {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// URL of the receiver.
    pub callback_url: String,
    /// The app's secret.
    pub app_secret: Secret,
    /// The app's key and callback keys.
    pub ring: Keyring,
    /// The platform's behaviour and its faults.
    pub schedule: Schedule,
}

#[derive(Default)]
pub(crate) struct AtomicCounts {
    pub(crate) requests: AtomicU64,
    pub(crate) tokens: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    pub(crate) attempts: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) robot_lists: AtomicU64,
    pub(crate) robot_states: AtomicU64,
    pub(crate) by_ids: AtomicU64,
}

pub(crate) struct Shared {
    pub(crate) config: SimulatorConfig,
    pub(crate) ring: Keyring,
    pub(crate) client: reqwest::Client,
    pub(crate) counts: AtomicCounts,
    /// Valid tokens, each with its remaining requests.
    pub(crate) tokens: Mutex<BTreeMap<String, usize>>,
    /// Accepted list requests of each robot.
    pub(crate) requests: Mutex<BTreeMap<RobotId, usize>>,
}

impl Shared {
    /// Counts an accepted list request, and returns its number among those of the robot, from 0.
    pub(crate) fn next_request(&self, robot: &RobotId) -> usize {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry(robot.clone()).or_default();
        *count += 1;
        *count - 1
    }

    /// The number of the robot's last list request; 0 if there was none.
    pub(crate) fn last_request(&self, robot: &RobotId) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.get(robot).map_or(0, |count| count.saturating_sub(1))
    }
}
