//! A workbook on its way into a stream, with a list as its only worksheet.

use std::fmt::Write as _;
use std::io::{self, Write};

use qopen_types::Account;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::cell::{Value, header, row};
use super::outlet::Outlet;
use super::parts::{self, HEADER, TEXT, TIME};
use super::text::escape;
use crate::limit::ROWS;
use crate::{FormatLimit, Record, SinkError, XlsxOptions};

/// Bytes of a worksheet: more need an extension of ZIP that spreadsheets complain about.
const BYTES: u64 = u32::MAX as u64;

/// The longest text of a cell, in UTF-16 code units.
const CHARACTERS: usize = 32_767;

/// Bytes of rows that are compressed at once: 64 KiB.
const CHUNK: usize = 1 << 16;

pub(crate) struct Workbook<W: Write> {
    /// Dropped before the archive, which then completes itself into nothing.
    out: Outlet<W>,
    zip: ZipWriter<StreamWriter<Outlet<W>>>,
    options: XlsxOptions,
    /// The names of columns in references: A, B, …
    letters: Vec<String>,
    /// Rows that are complete, the header included.
    rows: u32,
    most: u32,
    /// Bytes of the worksheet that were written, and those that wait.
    written: u64,
    room: u64,
    waiting: String,
}

impl<W: Write> Workbook<W> {
    pub(crate) fn new(out: W, options: XlsxOptions) -> Result<Self, SinkError> {
        Self::with_limits(out, options, ROWS, BYTES)
    }

    pub(super) fn with_limits(
        out: W,
        options: XlsxOptions,
        most: u32,
        room: u64,
    ) -> Result<Self, SinkError> {
        let (out, inlet) = Outlet::new(out);
        let mut zip = ZipWriter::new_stream(inlet);
        // No time of now: the same list is the same file.
        let file = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default());
        for (name, content) in parts::all(&options) {
            zip.start_file(name, file).map_err(encode)?;
            zip.write_all(content.as_bytes()).map_err(encode)?;
        }
        zip.start_file(parts::SHEET, file).map_err(encode)?;
        let header = header(Account::COLUMNS, &options);
        let letters = (0..header.len()).map(letters).collect();
        let waiting = parts::sheet_begins(header.len());
        let (rows, written) = (0, 0);
        let mut book = Self { out, zip, options, letters, rows, most, written, room, waiting };
        book.begin_row();
        for (column, text) in header.into_iter().enumerate() {
            book.text(column, &text, HEADER)?;
        }
        book.end_row()?;
        Ok(book)
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        if self.rows > self.most {
            return Err(FormatLimit::Rows { most: self.most }.into());
        }
        self.begin_row();
        let (mut column, mut done) = (0, Ok(()));
        let options = self.options.clone();
        row(Account::COLUMNS, record, &options, |value| {
            if done.is_ok() {
                done = self.cell(column, &value);
            }
            column += 1;
        });
        done?;
        self.end_row()
    }

    /// Completes the file.
    pub(crate) fn finish(mut self) -> Result<W, SinkError> {
        let last = self.letters.last().map_or("A", String::as_str);
        let end = parts::sheet_ends(last, self.rows);
        self.waiting.push_str(&end);
        self.pass_on()?;
        let Self { out, zip, .. } = self;
        zip.finish().map_err(encode)?;
        out.take().ok_or_else(|| encode(io::Error::from(io::ErrorKind::BrokenPipe)))
    }

    fn begin_row(&mut self) {
        // Writing into a text does not fail.
        let _ = write!(self.waiting, "<row r=\"{}\">", self.rows + 1);
    }

    fn end_row(&mut self) -> Result<(), SinkError> {
        self.waiting.push_str("</row>");
        self.rows += 1;
        match self.waiting.len() < CHUNK {
            true => Ok(()),
            false => self.pass_on(),
        }
    }

    fn pass_on(&mut self) -> Result<(), SinkError> {
        self.written += self.waiting.len() as u64;
        if self.written > self.room {
            return Err(FormatLimit::Bytes.into());
        }
        self.zip.write_all(self.waiting.as_bytes()).map_err(encode)?;
        self.waiting.clear();
        Ok(())
    }

    fn cell(&mut self, column: usize, value: &Value) -> Result<(), SinkError> {
        match value {
            Value::Empty => Ok(()),
            Value::Text(text) => self.text(column, text, TEXT),
            Value::Number(number) => self.plain(column, "", number),
            Value::Flag(flag) => self.plain(column, " t=\"b\"", &u8::from(*flag)),
            Value::Time(days) => self.plain(column, &format!(" s=\"{TIME}\""), days),
        }
    }

    /// Writes a cell of the row. Its attributes need no escape.
    fn plain(
        &mut self,
        column: usize,
        attributes: &str,
        value: &dyn std::fmt::Display,
    ) -> Result<(), SinkError> {
        let (letters, row) = (&self.letters[column], self.rows + 1);
        let _ = write!(self.waiting, "<c r=\"{letters}{row}\"{attributes}><v>{value}</v></c>");
        Ok(())
    }

    /// Writes a text. A text is never a formula, whatever it begins with.
    fn text(&mut self, column: usize, text: &str, style: u8) -> Result<(), SinkError> {
        let row = self.rows + 1;
        // A text has no more code units than bytes.
        if text.len() > CHARACTERS {
            let length = text.encode_utf16().count();
            if length > CHARACTERS {
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                let column = crate::CSV_COLUMNS.get(column).copied().unwrap_or_default();
                return Err(FormatLimit::Text { row, column, length }.into());
            }
        }
        let letters = &self.letters[column];
        let _ = write!(
            self.waiting,
            "<c r=\"{letters}{row}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
        );
        escape(text, &mut self.waiting);
        self.waiting.push_str("</t></is></c>");
        Ok(())
    }
}

/// The text of a wrapped cause repeats the cause.
fn encode(error: impl Into<ZipError>) -> SinkError {
    SinkError::Encode(match error.into() {
        ZipError::Io(cause) => cause.into(),
        error => error.into(),
    })
}

/// The name of a column in references, counted from 0.
fn letters(column: usize) -> String {
    let mut name = String::new();
    let mut rest = column + 1;
    while rest > 0 {
        let letter = u8::try_from((rest - 1) % 26).unwrap_or_default();
        name.insert(0, char::from(b'A' + letter));
        rest = (rest - 1) / 26;
    }
    name
}
