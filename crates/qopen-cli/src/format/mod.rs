//! The form of lists: format and options.

mod asked;
mod ending;
mod layout;
mod output_format;
pub(crate) mod singer;
mod times;

pub(crate) use asked::{Asked, Words};
pub(crate) use layout::{CsvArgs, Language, Layout};
pub(crate) use output_format::OutputFormat;
pub(crate) use times::use_zone;
