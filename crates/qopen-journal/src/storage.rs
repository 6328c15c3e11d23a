//! Parts that a storage of your own needs: the ages of records, packed payloads, and the claims of one process.

pub use crate::age::{Ages, Observer};
pub use crate::claims::{Claims, SingleProcess};
pub use crate::pack::{LARGE, pack, unpack};
