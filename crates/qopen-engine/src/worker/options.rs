//! Settings of a worker.

use std::time::Duration;

use qopen_journal::WorkerId;
use uuid::Uuid;

/// Settings of a [`Worker`](crate::Worker).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The worker's name, different from every other worker's. Default: a new UUID.
    pub id: WorkerId,
    /// How long a claim lasts without renewal. The worker renews its claims three times as often.
    /// Default 15 s.
    pub lease: Duration,
    /// Maximum number of pulls that the worker holds. Default 256.
    pub most: usize,
    /// Time limit of one step of a publication. A publication without progress for longer loses its
    /// claim to another worker. Default 150 s, longer than a step of `PostgresSink`, 120 s.
    pub stalled: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let id = WorkerId::new(Uuid::now_v7().to_string());
        let (lease, stalled) = (Duration::from_secs(15), Duration::from_secs(150));
        Self { id, lease, most: 256, stalled }
    }
}
