//! The published list of a pull, as its journal notes it.

use std::time::SystemTime;

use qopen::journal::{Comparison, Note, Noted, PullState};

/// The published list of a pull.
pub(crate) struct Listed<'a> {
    pub(crate) at: SystemTime,
    pub(crate) revision: u32,
    pub(crate) accounts: u64,
    pub(crate) location: &'a str,
    pub(crate) set_aside: u64,
    pub(crate) changes: Option<&'a Comparison>,
    pub(crate) sequence: u64,
}

impl<'a> Listed<'a> {
    pub(crate) fn of(state: &'a PullState) -> Option<Self> {
        let Noted { at, note } = state.published()?;
        let Note::Published { revision, accounts, location, set_aside, compared, .. } = note else {
            return None;
        };
        let at_location = |noted: &Noted| match &noted.note {
            Note::Ordered { location: there, order } if there == location => Some(*order),
            _ => None,
        };
        let sequence = state.notes.iter().rev().find_map(at_location).unwrap_or(state.order);
        Some(Self {
            at: *at,
            revision: *revision,
            accounts: *accounts,
            location,
            set_aside: *set_aside,
            changes: compared.as_ref(),
            sequence,
        })
    }
}
