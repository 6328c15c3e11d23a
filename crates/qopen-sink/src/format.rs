//! Encoders of each format.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};

use qopen_types::RobotId;

use crate::compare::WrittenParts;
use crate::csv_options::{CsvOptions, marked};
use crate::csv_row::quoted;
use crate::line_form::LineForm;
use crate::list_format::Format;
#[cfg(feature = "parquet")]
use crate::parquet::ParquetFile;
#[cfg(feature = "xlsx")]
use crate::xlsx::{Workbook, XlsxOptions};
use crate::{ListInfo, ListKind, Record, RecordEncoder, SinkError};

/// A format and the options of each.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) format: Format,
    pub(crate) csv: CsvOptions,
    #[cfg(feature = "xlsx")]
    pub(crate) xlsx: XlsxOptions,
}

impl Form {
    /// The format as one of lines, whose lists are compared with the last one.
    pub(crate) fn lines(&self) -> Option<LineForm> {
        match self.format {
            Format::Jsonl => Some(LineForm::Jsonl),
            Format::Csv => Some(LineForm::Csv(self.csv)),
            #[cfg(feature = "xlsx")]
            Format::Xlsx => None,
            #[cfg(feature = "parquet")]
            Format::Parquet => None,
        }
    }
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        Self {
            format,
            csv: CsvOptions::default(),
            #[cfg(feature = "xlsx")]
            xlsx: XlsxOptions::default(),
        }
    }
}

/// Records on their way into bytes.
#[allow(clippy::large_enum_variant, reason = "a list has one")]
pub(crate) enum Encoder<W: Write + Send> {
    Lines(Lines<W>),
    #[cfg(feature = "xlsx")]
    Xlsx(Box<Workbook<W>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetFile<W>>),
}

/// Records on their way into lines.
pub(crate) struct Lines<W> {
    out: W,
    form: LineForm,
    parts: Option<WrittenParts>,
}

impl<W: Write + Send> Encoder<W> {
    pub(crate) fn new(form: &Form, mut out: W) -> Result<Self, SinkError> {
        if let Some(form) = form.lines() {
            out.write_all(&form.head()).map_err(|error| SinkError::Encode(error.into()))?;
            return Ok(Self::Lines(Lines { out, form, parts: None }));
        }
        match form.format {
            #[cfg(feature = "xlsx")]
            Format::Xlsx => Ok(Self::Xlsx(Box::new(Workbook::new(out, form.xlsx.clone())?))),
            #[cfg(feature = "parquet")]
            Format::Parquet => Ok(Self::Parquet(Box::new(ParquetFile::new(out)?))),
            Format::Jsonl | Format::Csv => unreachable!("they are formats of lines"),
        }
    }

    /// The same, which finds the parts of the list while it is written, if its format is one of lines.
    pub(crate) fn with_parts(mut self) -> Self {
        match &mut self {
            Self::Lines(lines) => lines.parts = Some(WrittenParts::new(lines.form)),
            #[cfg(any(feature = "xlsx", feature = "parquet"))]
            _ => {}
        }
        self
    }

    /// The parts that were found.
    pub(crate) fn take_parts(&mut self) -> Option<WrittenParts> {
        match self {
            Self::Lines(lines) => lines.parts.take(),
            #[cfg(any(feature = "xlsx", feature = "parquet"))]
            _ => None,
        }
    }

    /// Begins a list, which formats with metadata name.
    pub(crate) fn begin_list(&mut self, list: &ListInfo<'_>, kind: ListKind) {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.begin_list(list, kind == ListKind::Complete),
            _ => {
                let _ = (list, kind);
            }
        }
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        match self {
            Self::Lines(lines) => {
                let line = lines.form.line(record)?;
                lines.write(record.robot_id(), &line)
            }
            #[cfg(feature = "xlsx")]
            Self::Xlsx(workbook) => workbook.write(record),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.write(record),
        }
    }

    /// Encodes a robot's accounts, if the format is one of lines.
    pub(crate) fn encoder(&self, robot: &RobotId) -> Option<RecordEncoder> {
        match self {
            Self::Lines(lines) => Some(lines.form.encoder(robot)),
            #[cfg(any(feature = "xlsx", feature = "parquet"))]
            _ => None,
        }
    }

    /// Writes a record that the [`encoder`](Self::encoder) encoded.
    pub(crate) fn write_encoded(&mut self, robot: &RobotId, line: &[u8]) -> Result<(), SinkError> {
        match self {
            Self::Lines(lines) => lines.write(robot, line),
            #[cfg(any(feature = "xlsx", feature = "parquet"))]
            _ => Err(SinkError::without_encoder()),
        }
    }

    /// Everything written so far, handed to the writer below.
    pub(crate) fn finish(self) -> Result<W, SinkError> {
        match self {
            Self::Lines(lines) => Ok(lines.out),
            #[cfg(feature = "xlsx")]
            Self::Xlsx(workbook) => workbook.finish(),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.finish(),
        }
    }
}

impl<W: Write> Lines<W> {
    fn write(&mut self, robot: &RobotId, line: &[u8]) -> Result<(), SinkError> {
        let written = self.out.write_all(line).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|error| SinkError::Encode(error.into()))?;
        if let Some(parts) = &mut self.parts {
            parts.add(robot, line);
        }
        Ok(())
    }
}

/// Whether a list that was written before, in any format and with any options, has a customer of that
/// robot. One in a format that this build cannot read counts as one that has.
pub(crate) fn holds(file: File, robot: &RobotId) -> std::io::Result<bool> {
    let mut list = BufReader::new(file);
    let begin = list.fill_buf()?;
    if begin.starts_with(b"PAR1") {
        #[cfg(feature = "parquet")]
        return crate::parquet::holds(list.get_ref(), robot);
        #[cfg(not(feature = "parquet"))]
        return Ok(true);
    }
    if begin.starts_with(b"PK") {
        #[cfg(feature = "xlsx")]
        return crate::xlsx::holds(list, robot);
        #[cfg(not(feature = "xlsx"))]
        return Ok(true);
    }
    // A record of JSONL is an object. The header of CSV never begins with a bracket.
    if list.fill_buf()?.first() != Some(&b'{') {
        let safe = marked(robot.as_str());
        let reader = csv::ReaderBuilder::new().flexible(true).from_reader(list);
        for row in reader.into_byte_records() {
            let row = row?;
            let cell = row.get(0).unwrap_or_default();
            if cell == robot.as_str().as_bytes() || cell == safe.as_bytes() {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let begin = format!("{{\"robot_id\":{},", quoted(robot.as_str()));
    let mut line = Vec::new();
    loop {
        line.clear();
        if list.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if line.starts_with(begin.as_bytes()) {
            return Ok(true);
        }
    }
}
