//! A simulator's settings, counts and tokens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use qopen_callback::Keyring;
use qopen_types::Secret;

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
}

pub(crate) struct Shared {
    pub(crate) config: SimulatorConfig,
    pub(crate) ring: Keyring,
    pub(crate) client: reqwest::Client,
    pub(crate) counts: AtomicCounts,
    /// Valid tokens, each with its remaining requests.
    pub(crate) tokens: Mutex<BTreeMap<String, usize>>,
}
