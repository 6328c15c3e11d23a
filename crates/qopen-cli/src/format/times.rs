//! The time zone of lists.

use std::sync::{Arc, Mutex, PoisonError};

use qopen::sink::XlsxZone;

use crate::exit::Failure;
use crate::lang::Phrase;
use crate::zone::Zone;

/// The zone, or the reason why there is none. A reload replaces it.
static ZONE: Mutex<Option<Result<Zone, Phrase>>> = Mutex::new(None);

/// Uses a zone from now on. Whether there is one matters to lists with times only.
pub(crate) fn use_zone(zone: Result<Zone, Failure>) {
    let zone = zone.map_err(|failure| failure.message().clone());
    *ZONE.lock().unwrap_or_else(PoisonError::into_inner) = Some(zone);
}

/// Checks that there is a zone.
pub(super) fn check() -> Result<(), Failure> {
    zone().map(drop).map_err(Failure::usage)
}

/// The zone as lists have it.
pub(super) fn of_lists() -> XlsxZone {
    let Ok(zone) = zone() else { return XlsxZone::default() };
    let name: Arc<str> = zone.label().into();
    XlsxZone::new(name, move |at| zone.offset(at))
}

fn zone() -> Result<Zone, Phrase> {
    let mut kept = ZONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A verb without settings has the zone of the system.
    kept.get_or_insert_with(Zone::system).clone()
}
