//! Parts that a storage of your own needs: the ages of records, and packed payloads.

pub use crate::age::{Ages, Observer};
pub use crate::pack::{LARGE, pack, unpack};
