//! The counts of a receiver.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use qopen_types::{Reading, Readings};

use crate::{OpenedCallback, Refusals, RejectReason, TimestampAge};

/// Bytes that are kept of a path that is not the callback's.
const PATH: usize = 128;

/// Counts of a receiver. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ReceiverStats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    opened: AtomicU64,
    undecrypted: AtomicU64,
    accepted: AtomicU64,
    other_events: AtomicU64,
    stale: AtomicU64,
    later_keys: AtomicU64,
    other_paths: AtomicU64,
    last_path: Mutex<Option<String>>,
    other_methods: AtomicU64,
    echo_checks: AtomicU64,
    rejected: [AtomicU64; RejectReason::ALL.len()],
    readings: [AtomicU64; Reading::ALL.len()],
    refusals: Refusals,
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl ReceiverStats {
    /// Requests to the callback path.
    #[must_use]
    pub fn received(&self) -> u64 {
        get(&self.0.received)
    }

    /// Callbacks that were verified and opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        get(&self.0.opened)
    }

    /// Callbacks that were verified, but that no key decrypted.
    #[must_use]
    pub fn undecrypted(&self) -> u64 {
        get(&self.0.undecrypted)
    }

    /// Requests answered `success`.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        get(&self.0.accepted)
    }

    /// Opened callbacks with other event types than pages.
    #[must_use]
    pub fn other_events(&self) -> u64 {
        get(&self.0.other_events)
    }

    /// Opened callbacks whose timestamp was stale or unreadable.
    #[must_use]
    pub fn stale(&self) -> u64 {
        get(&self.0.stale)
    }

    /// Opened callbacks that needed another pair of keys than the ring's first.
    #[must_use]
    pub fn later_keys(&self) -> u64 {
        get(&self.0.later_keys)
    }

    /// Requests to other paths, if they are [counted](super::count_other_paths).
    #[must_use]
    pub fn other_paths(&self) -> u64 {
        get(&self.0.other_paths)
    }

    /// Path of the last request to another path: at most 128 bytes, printable.
    #[must_use]
    pub fn last_other_path(&self) -> Option<String> {
        self.0.last_path.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests to the path by another method than POST.
    #[must_use]
    pub fn other_methods(&self) -> u64 {
        get(&self.0.other_methods)
    }

    /// Requests of these with an `echostr`: a console probes the URL.
    #[must_use]
    pub fn echo_checks(&self) -> u64 {
        get(&self.0.echo_checks)
    }

    /// Requests that were not answered `success`, for one reason.
    #[must_use]
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        get(&self.0.rejected[reason as usize])
    }

    /// Requests that were not answered `success`, by reason; only reasons that occurred.
    #[must_use]
    pub fn rejections(&self) -> Vec<(RejectReason, u64)> {
        let counts = RejectReason::ALL.map(|reason| (reason, self.rejected(reason)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Callbacks that needed this tolerated spelling.
    #[must_use]
    pub fn read_as(&self, reading: Reading) -> u64 {
        get(&self.0.readings[reading as usize])
    }

    /// Callbacks that needed a tolerated spelling, by spelling; only those that occurred.
    #[must_use]
    pub fn readings(&self) -> Vec<(Reading, u64)> {
        let counts = Reading::ALL.iter().map(|it| (*it, self.read_as(*it)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Counts tolerated spellings that a handler found beyond opening.
    pub fn count_readings(&self, readings: Readings) {
        readings.iter().for_each(|it| add(&self.0.readings[it as usize]));
    }

    /// Refusals that genuine callbacks may have suffered. Share them with the listeners.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    pub(super) fn count_received(&self) {
        add(&self.0.received);
    }

    pub(super) fn count_opened(&self, callback: &OpenedCallback) {
        add(&self.0.opened);
        if callback.timestamp_age() != TimestampAge::Fresh {
            add(&self.0.stale);
        }
        if callback.matched_key() > 0 {
            add(&self.0.later_keys);
        }
        self.count_readings(callback.readings());
    }

    pub(super) fn count_undecrypted(&self) {
        add(&self.0.undecrypted);
    }

    pub(super) fn count_accepted(&self) {
        add(&self.0.accepted);
    }

    pub(super) fn count_other_event(&self) {
        add(&self.0.other_events);
    }

    pub(super) fn count_other_path(&self, path: &str) {
        add(&self.0.other_paths);
        let printable = path.chars().filter(|c| !c.is_control()).take(PATH).collect();
        *self.0.last_path.lock().unwrap_or_else(PoisonError::into_inner) = Some(printable);
    }

    pub(super) fn count_other_method(&self, method: &Method, query: &str) {
        add(&self.0.other_methods);
        if is_echo_check(method.as_str(), query) {
            add(&self.0.echo_checks);
        }
    }

    /// Counts a rejection that no page suffered, and answers it.
    pub(super) fn refuse(&self, reason: RejectReason, status: StatusCode) -> Response {
        add(&self.0.rejected[reason as usize]);
        tracing::warn!(reason = reason.as_str(), status = status.as_u16(), "callback rejected");
        (status, reason.as_str()).into_response()
    }

    /// Counts a rejection, notes a refusal if a genuine page may have suffered it, and answers it.
    pub(super) fn reject(&self, reason: RejectReason, status: StatusCode) -> Response {
        if reason.is_refusal() {
            self.0.refusals.note();
        }
        self.refuse(reason, status)
    }
}

/// Whether a request to the callback path is a console's check of the URL: a GET with an `echostr`.
#[must_use]
pub fn is_echo_check(method: &str, query: &str) -> bool {
    method == "GET" && query.split('&').any(|it| it.starts_with("echostr="))
}
