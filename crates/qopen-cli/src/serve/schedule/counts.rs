//! Counts of scheduled pulls.

use std::sync::atomic::AtomicU64;

/// Results of due times, per robot.
#[derive(Default)]
pub(crate) struct Counts {
    pub(in crate::serve) started: AtomicU64,
    /// A pull of the robot was open.
    pub(in crate::serve) skipped: AtomicU64,
    /// The journal could not be read or written at that time.
    pub(in crate::serve) failed: AtomicU64,
    /// A robot with a new customer is not one of the app, or is recycled.
    pub(in crate::serve) unlisted: AtomicU64,
}
