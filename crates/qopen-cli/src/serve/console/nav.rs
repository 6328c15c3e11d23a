//! The navigation.

use super::texts::{Text, frame};

/// A page of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nav {
    Robots,
    Pulls,
}

/// The page after the login.
pub(super) const FIRST: &str = "/console/robots";

/// The pages of the navigation with their paths and names, in its order.
pub(super) const PAGES: &[(Nav, &str, &Text)] = &[
    (Nav::Robots, "/console/robots", &frame::ROBOTS),
    (Nav::Pulls, "/console/pulls", &frame::PULLS),
];
