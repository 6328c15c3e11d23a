//! The form of lists: format and options.

mod asked;
mod ending;
mod layout;

pub(crate) use asked::{Asked, Words};
pub(crate) use layout::{CsvArgs, Language, Layout, OutputFormat};
