//! The kinds of ends, without their causes.

use crate::status::Status;

/// The kind of a pull's end, for counts and for fields of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StatusKind {
    /// [`Status::Complete`].
    Complete,
    /// [`Status::Incomplete`].
    Incomplete,
    /// [`Status::NoCallback`].
    NoCallback,
    /// [`Status::Refused`].
    Refused,
    /// [`Status::NotSent`].
    NotSent,
    /// [`Status::Reported`].
    Reported,
    /// [`Status::Cancelled`].
    Cancelled,
}

impl StatusKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Complete,
        Self::Incomplete,
        Self::NoCallback,
        Self::Refused,
        Self::NotSent,
        Self::Reported,
        Self::Cancelled,
    ];

    /// A short name, for the label of a metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::NoCallback => "no_callback",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::Reported => "reported",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Status {
    /// The kind of the end.
    #[must_use]
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Complete(_) => StatusKind::Complete,
            Self::Incomplete(_) => StatusKind::Incomplete,
            Self::NoCallback => StatusKind::NoCallback,
            Self::Refused(_) => StatusKind::Refused,
            Self::NotSent(_) => StatusKind::NotSent,
            Self::Reported { .. } => StatusKind::Reported,
            Self::Cancelled => StatusKind::Cancelled,
        }
    }
}
