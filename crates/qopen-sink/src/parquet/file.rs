//! A list on its way into a file.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use qopen_types::{Account, Cell, Column};

use super::column::{Values, is_beyond};
use super::robots::{KEY, Lists};
use super::schema::schema;
use crate::csv_row::{extra, unread_and};
use crate::{ListInfo, Record, SinkError};

/// Customers of a row group.
const ROWS: usize = 122_880;

/// Bytes of values that a row group has in memory: 64 MiB. The last customer may exceed them.
const BYTES: usize = 64 << 20;

/// The name and version of the writer.
const CREATED_BY: &str = concat!("qopen-sink version ", env!("CARGO_PKG_VERSION"));

pub(crate) struct ParquetFile<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: &'static [Column],
    robots: Values,
    values: Vec<Values>,
    extra: Values,
    unread: Values,
    lists: Lists,
    /// Customers that wait, and the bytes of their values.
    rows: usize,
    bytes: usize,
    /// Limits of `rows` and `bytes`.
    limits: (usize, usize),
}

impl<W: Write + Send> ParquetFile<W> {
    pub(crate) fn new(out: W) -> Result<Self, SinkError> {
        Self::with_limits(out, ROWS, BYTES)
    }

    pub(super) fn with_limits(out: W, rows: usize, bytes: usize) -> Result<Self, SinkError> {
        let columns = Account::COLUMNS;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(CREATED_BY.to_owned())
            .build();
        let schema = schema(columns).map_err(encode)?;
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(encode)?;
        let optional = || Values::OptionalTexts(Default::default(), Vec::new());
        Ok(Self {
            file,
            columns,
            robots: Values::Texts(Default::default()),
            values: columns.iter().map(Values::of).collect(),
            extra: optional(),
            unread: optional(),
            lists: Lists::default(),
            rows: 0,
            bytes: 0,
            limits: (rows, bytes),
        })
    }

    /// Adds a list to the metadata.
    pub(crate) fn begin_list(&mut self, list: &ListInfo<'_>, is_complete: bool) {
        self.lists.announce(list, is_complete);
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.lists.count(record.robot_id());
        let mut bytes = self.robots.push_text(record.robot_id().as_str());
        for (column, values) in self.columns.iter().zip(&mut self.values) {
            bytes += values.push(column.cell, record);
        }
        bytes += self.extra.push_text(&extra(record));
        bytes += self.unread.push_text(&unread_and(record, &beyond(self.columns, record)));
        self.bytes += bytes;
        self.rows += 1;
        match self.rows >= self.limits.0 || self.bytes >= self.limits.1 {
            true => self.pass_on(),
            false => Ok(()),
        }
    }

    /// Completes the file.
    pub(crate) fn finish(mut self) -> Result<W, SinkError> {
        self.pass_on()?;
        let lists = self.lists.to_json().map_err(|error| SinkError::Encode(error.into()))?;
        self.file.append_key_value_metadata(KeyValue::new(KEY.to_owned(), lists));
        self.file.into_inner().map_err(encode)
    }

    /// Writes the row group.
    fn pass_on(&mut self) -> Result<(), SinkError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(encode)?;
        let columns = std::iter::once(&mut self.robots).chain(&mut self.values);
        for values in columns.chain([&mut self.extra, &mut self.unread]) {
            values.write(&mut group).map_err(encode)?;
        }
        group.close().map_err(encode)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

/// The paths and numbers of times that a list cannot have as times.
fn beyond(columns: &[Column], record: &Record<'_>) -> Vec<(&'static str, i64)> {
    let time = |it: &Column| match it.cell {
        Cell::UnixSeconds(read) => Some((it.path, read(record.account()))),
        _ => None,
    };
    columns.iter().filter_map(time).filter(|it| is_beyond(it.1)).collect()
}

/// The text of a wrapped cause repeats the cause.
fn encode(error: ParquetError) -> SinkError {
    SinkError::Encode(match error {
        ParquetError::External(cause) => cause,
        error => error.into(),
    })
}
