//! A list that a guard held, and why.

use std::time::SystemTime;

use qopen::journal::{Note, Noted, PullState};
use qopen::types::RobotId;

/// A held list, which waits for a person.
pub(crate) struct HeldList<'a> {
    /// When it was held.
    pub(crate) at: SystemTime,
    pub(crate) revision: u32,
    /// The customers that it has, if the end of its pull was noted.
    pub(crate) accounts: Option<u64>,
    /// Customers of the last complete list.
    pub(crate) before: u64,
    /// Customers of the last complete list that it lacks.
    pub(crate) gone: u64,
    pub(crate) why: HeldBecause<'a>,
    /// Where it is kept meanwhile.
    pub(crate) location: Option<&'a str>,
}

/// Why a list is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBecause<'a> {
    /// The platform still has customers whom the list lacks.
    Present(u64),
    /// No other pull confirmed it.
    Unconfirmed,
    /// It leaves out robots of the last list.
    LeftOut(&'a [RobotId]),
    /// More customers are gone than the guard allows.
    Gone,
}

impl<'a> HeldBecause<'a> {
    /// Returns the reason in a note that a list is held.
    pub(crate) fn of(note: &'a Note) -> Option<Self> {
        let Note::Held { present, unconfirmed, left_out, .. } = note else { return None };
        Some(match () {
            () if *present > 0 => Self::Present(*present),
            () if *unconfirmed => Self::Unconfirmed,
            () if !left_out.is_empty() => Self::LeftOut(left_out),
            () => Self::Gone,
        })
    }
}

impl<'a> HeldList<'a> {
    /// Returns the list of a pull, if it is held.
    pub(crate) fn of(state: &'a PullState) -> Option<Self> {
        let Noted { at, note } = state.held()?;
        let why = HeldBecause::of(note)?;
        let Note::Held { revision, gone, before, location, .. } = note else { return None };
        let accounts = state.ended().and_then(|noted| match &noted.note {
            Note::Ended { accounts, .. } => Some(*accounts),
            _ => None,
        });
        let (revision, before, gone) = (*revision, *before, *gone);
        Some(Self { at: *at, revision, accounts, before, gone, why, location: location.as_deref() })
    }
}
