//! Lists in Parquet.

mod column;
mod file;
mod read;
mod robots;
mod schema;
#[cfg(test)]
mod tests;

pub(crate) use file::ParquetFile;
pub(crate) use read::holds;
