//! Lists in XLSX.

mod cell;
mod options;
mod outlet;
mod parts;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod workbook;

pub use options::{XlsxOptions, XlsxZone};
pub(crate) use read::holds;
pub(crate) use workbook::Workbook;
