//! The values of a row group, column by column.

use std::io::Write;

use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};
use bytes::Bytes;
use qopen_types::{Cell, Column, Rows};

use crate::Record;
use crate::csv_row::joined;

/// Texts that are given to the encoder at once. A longer list of one row is given whole.
const BATCH: usize = 1024;

/// Texts one behind the other.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Returns the bytes of memory that the text takes.
    fn push(&mut self, text: &str) -> usize {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        text.len() + size_of::<usize>()
    }

    /// Writes the texts with the levels that they have, and forgets them.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>, levels: &Levels) -> Result<()> {
        let Self { bytes, ends } = std::mem::take(self);
        let bytes = Bytes::from(bytes);
        let column = column.typed::<ByteArrayType>();
        let (mut begin, mut next) = (0, 0);
        let mut text = |end: usize| {
            let text = bytes.slice(begin..end);
            begin = end;
            ByteArray::from(text)
        };
        for batch in levels.batches(ends.len()) {
            let (defined, repeated) = (levels.defined(&batch), levels.repeated(&batch));
            let texts = defined.map_or(batch.len(), |it| it.iter().filter(|it| **it > 0).count());
            let texts: Vec<_> = ends[next..next + texts].iter().map(|it| text(*it)).collect();
            next += texts.len();
            column.write_batch(&texts, defined, repeated)?;
        }
        Ok(())
    }
}

/// The levels of values: whether there is one, and whether it continues the list before it.
#[derive(Default)]
pub(super) struct Levels {
    defined: Option<Vec<i16>>,
    repeated: Option<Vec<i16>>,
}

impl Levels {
    /// Returns ranges of levels that end with a row, or of values where all have the same level.
    fn batches(&self, values: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let all = self.defined.as_ref().map_or(values, Vec::len);
        let mut begin = 0;
        std::iter::from_fn(move || {
            let mut end = (begin + BATCH).min(all);
            while self.repeated.as_ref().is_some_and(|it| it.get(end).is_some_and(|it| *it > 0)) {
                end += 1;
            }
            let batch = begin..end;
            begin = end;
            (!batch.is_empty()).then_some(batch)
        })
    }

    fn defined(&self, batch: &std::ops::Range<usize>) -> Option<&[i16]> {
        self.defined.as_ref().map(|it| &it[batch.clone()])
    }

    fn repeated(&self, batch: &std::ops::Range<usize>) -> Option<&[i16]> {
        self.repeated.as_ref().map(|it| &it[batch.clone()])
    }
}

/// The values of a column.
pub(super) enum Values {
    Texts(Texts),
    /// Texts and their absence.
    OptionalTexts(Texts, Vec<i16>),
    Numbers(Vec<i64>),
    Flags(Vec<bool>),
    /// Milliseconds since the Unix epoch, and their absence.
    Times(Vec<i64>, Vec<i16>),
    /// The texts of elements, each in a column of its own, and the levels of the elements.
    Rows(Vec<Texts>, Vec<i16>, Vec<i16>),
}

impl Values {
    /// Returns an empty column of an account.
    pub(super) fn of(column: &Column) -> Self {
        match column.cell {
            Cell::Text(_) | Cell::Json(_) => Self::Texts(Texts::default()),
            Cell::Integer(_) | Cell::Code(_) => Self::Numbers(Vec::new()),
            Cell::UnixSeconds(_) => Self::Times(Vec::new(), Vec::new()),
            Cell::Flag(_) => Self::Flags(Vec::new()),
            Cell::Rows(..) => {
                let texts: Vec<_> = column.element_names().map(|_| Texts::default()).collect();
                match texts.is_empty() {
                    true => Self::Texts(Texts::default()),
                    false => Self::Rows(texts, Vec::new(), Vec::new()),
                }
            }
        }
    }

    /// Adds the value of a record. Returns the bytes of memory that it takes.
    pub(super) fn push(&mut self, cell: Cell, record: &Record<'_>) -> usize {
        let account = record.account();
        match (self, cell) {
            (Self::Texts(texts), Cell::Text(read)) => texts.push(read(account)),
            (Self::Texts(texts), Cell::Json(read)) => texts.push(&read(account)),
            (Self::Texts(texts), Cell::Rows(between, read)) => {
                texts.push(&joined(&read(account), between))
            }
            (Self::Numbers(numbers), Cell::Integer(read)) => push(numbers, read(account)),
            (Self::Numbers(numbers), Cell::Code(read)) => push(numbers, read(account).code),
            (Self::Flags(flags), Cell::Flag(read)) => push(flags, read(account)),
            (Self::Times(times, defined), Cell::UnixSeconds(read)) => {
                let time = milliseconds(read(account));
                time.map_or(0, |it| push(times, it)) + push(defined, i16::from(time.is_some()))
            }
            (Self::Rows(texts, defined, repeated), Cell::Rows(_, read)) => {
                push_rows(texts, defined, repeated, &read(account))
            }
            // A column has the values of its cell.
            _ => 0,
        }
    }

    /// Adds a text to a column of texts. An empty one is absent in a column of optional texts.
    pub(super) fn push_text(&mut self, text: &str) -> usize {
        match self {
            Self::Texts(texts) => texts.push(text),
            Self::OptionalTexts(texts, defined) => {
                let size = if text.is_empty() { 0 } else { texts.push(text) };
                size + push(defined, i16::from(!text.is_empty()))
            }
            _ => 0,
        }
    }

    /// Writes the values as the next columns of a row group, and forgets them.
    pub(super) fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        match self {
            Self::Texts(texts) => next(group, |it| texts.write(it, &Levels::default())),
            Self::OptionalTexts(texts, defined) => {
                let levels = Levels { defined: Some(std::mem::take(defined)), repeated: None };
                next(group, |it| texts.write(it, &levels))
            }
            Self::Numbers(numbers) => {
                let numbers = std::mem::take(numbers);
                next(group, |it| {
                    it.typed::<Int64Type>().write_batch(&numbers, None, None).map(drop)
                })
            }
            Self::Flags(flags) => {
                let flags = std::mem::take(flags);
                next(group, |it| it.typed::<BoolType>().write_batch(&flags, None, None).map(drop))
            }
            Self::Times(times, defined) => {
                let (times, defined) = (std::mem::take(times), std::mem::take(defined));
                next(group, |it| {
                    it.typed::<Int64Type>().write_batch(&times, Some(&defined), None).map(drop)
                })
            }
            Self::Rows(columns, defined, repeated) => {
                let (defined, repeated) = (std::mem::take(defined), std::mem::take(repeated));
                let levels = Levels { defined: Some(defined), repeated: Some(repeated) };
                columns
                    .iter_mut()
                    .try_for_each(|it| next(group, |column| it.write(column, &levels)))
            }
        }
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> usize {
    values.push(value);
    size_of::<T>()
}

fn push_rows(
    columns: &mut [Texts],
    defined: &mut Vec<i16>,
    repeated: &mut Vec<i16>,
    rows: &Rows<'_>,
) -> usize {
    let mut size = 2 * size_of::<i16>() * rows.len().max(1);
    if rows.is_empty() {
        defined.push(0);
        repeated.push(0);
    }
    for (n, row) in rows.iter().enumerate() {
        defined.push(1);
        repeated.push(i16::from(n > 0));
        for (n, texts) in columns.iter_mut().enumerate() {
            size += texts.push(row.get(n).map_or("", |it| it));
        }
    }
    size
}

/// Writes the next column of a row group.
fn next<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    write: impl FnOnce(&mut SerializedColumnWriter<'_>) -> Result<()>,
) -> Result<()> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    write(&mut column)?;
    column.close()
}

/// Seconds from the Unix epoch to the years 1 and 10,000, between which readers know dates.
const CALENDAR: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

/// Whether a time that was given cannot be a time of a list.
pub(super) fn is_beyond(unix_seconds: i64) -> bool {
    unix_seconds != 0 && !CALENDAR.contains(&unix_seconds)
}

/// A time in milliseconds. `None` for one that was not given, or is outside of the calendar.
fn milliseconds(unix_seconds: i64) -> Option<i64> {
    (unix_seconds != 0 && !is_beyond(unix_seconds)).then(|| unix_seconds * 1000)
}
