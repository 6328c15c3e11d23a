//! Options of the service that hold for schedules, too.

use crate::format::Layout;
use crate::guards::Guards;
use crate::output::Output;

/// The options of schedules that have none of their own.
pub(in crate::serve) struct Defaults {
    /// The place of lists.
    pub(in crate::serve) output: Option<Output>,
    /// The form of lists there.
    pub(in crate::serve) layout: Layout,
    pub(in crate::serve) guards: Guards,
}
