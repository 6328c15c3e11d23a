//! The navigation.

use super::texts::{self, Text, frame};
use super::{callbacks, held, quarantine};

/// A page of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nav {
    Robots,
    Pulls,
    Held,
    Quarantine,
    Callbacks,
}

/// The page after the login.
pub(super) const FIRST: &str = "/console/robots";

/// The pages of the navigation with their paths and names, in its order.
pub(super) const PAGES: &[(Nav, &str, &Text)] = &[
    (Nav::Robots, "/console/robots", &frame::ROBOTS),
    (Nav::Pulls, "/console/pulls", &frame::PULLS),
    (Nav::Held, held::PATH, &texts::held::NAV),
    (Nav::Quarantine, quarantine::PATH, &texts::quarantine::NAV),
    (Nav::Callbacks, callbacks::PATH, &texts::callbacks::NAV),
];
