//! Parts for a sink of your own.

pub use crate::compare::{Digester, compare_records, write_change};
pub use crate::temporary::unnamed;
