//! The form of lists: format and options.

mod asked;
mod ending;
mod layout;
pub(crate) mod singer;
mod times;

pub(crate) use asked::{Asked, Words};
pub(crate) use layout::{CsvArgs, Language, Layout, OutputFormat};
pub(crate) use times::use_zone;
