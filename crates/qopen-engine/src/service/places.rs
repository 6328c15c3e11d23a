//! One lock for each place, so that a place that hangs delays no other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The turn of a publication at a place.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<String, Turn>>);

impl Places {
    /// The lock of a place; a new one without a place. Places that no publication waits for are dropped.
    pub(super) fn turn_at(&self, place: Option<String>) -> Turn {
        let Some(place) = place else { return Turn::default() };
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(places.entry(place).or_default())
    }
}
