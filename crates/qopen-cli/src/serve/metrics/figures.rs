//! What the metrics are read from, at one moment.

use std::collections::BTreeSet;
use std::time::SystemTime;

use qopen::Stats;
use qopen::callback::listener::Listener;
use qopen::engine::EngineStats;
use qopen::journal::{Backlog, JournalStats, JournalSummary};

use super::robots::Overview;
use crate::serve::service::Service;

/// The sources of all metrics. What could not be read is absent.
pub(super) struct Figures<'a> {
    pub(super) service: &'a Service,
    pub(super) callbacks: &'a Listener,
    pub(super) stats: &'a Stats,
    pub(super) engine: &'a EngineStats,
    pub(super) journal: JournalStats,
    pub(super) summary: Option<JournalSummary>,
    pub(super) backlog: Option<Backlog>,
    pub(super) overview: Option<Overview>,
}

impl<'a> Figures<'a> {
    pub(super) async fn read(service: &'a Service, callbacks: &'a Listener) -> Self {
        let named = service.planned.as_ref().map_or_else(BTreeSet::new, |it| it.named());
        let wants_publication = service.lists.default.is_some();
        let stats = service.client.stats();
        Self {
            service,
            callbacks,
            stats,
            engine: stats.engine(),
            journal: service.journal.stats(),
            summary: service.journal.summary().await.ok(),
            backlog: service.journal.backlog().await.ok(),
            overview: service.last_lists.look(&*service.journal, &named, wants_publication).await,
        }
    }
}

/// A count as a value.
#[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// A number of things in memory as a value.
pub(super) fn size(count: usize) -> f64 {
    number(count as u64)
}

/// Seconds since 1970, by the clock of this machine.
pub(super) fn unix(at: SystemTime) -> f64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A scrape needs no more than milliseconds.
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}
