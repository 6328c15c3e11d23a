//! The navigation.

use super::texts::{self, Text, frame};

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
    (Nav::Held, "/console/held", &texts::held::NAV),
    (Nav::Quarantine, "/console/quarantine", &texts::quarantine::NAV),
    (Nav::Callbacks, "/console/callbacks", &texts::callbacks::NAV),
];
