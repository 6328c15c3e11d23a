//! Parts for a sink of your own.

pub use crate::temporary::unnamed;
