//! Parts for a sink of your own.

pub use crate::compare::compare_records;
pub use crate::temporary::unnamed;
