//! Encoders of JSONL, CSV and XLSX.

use std::io::{BufRead, Seek, Write};

use qopen_types::{Account, RobotId};

use crate::csv_options::{CsvOptions, marked};
use crate::csv_row::{header, quoted, row};
use crate::list_format::Format;
#[cfg(feature = "xlsx")]
use crate::xlsx::{self, Workbook, XlsxOptions};
use crate::{Record, SinkError};

/// The byte order mark, in UTF-8.
pub(crate) const BOM: &[u8] = "\u{feff}".as_bytes();

/// A format and the options of each.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) format: Format,
    pub(crate) csv: CsvOptions,
    #[cfg(feature = "xlsx")]
    pub(crate) xlsx: XlsxOptions,
}

impl Form {
    /// The options of CSV, if lists of the format are compared with the last one.
    pub(crate) fn compared(&self) -> Option<CsvOptions> {
        match self.format {
            Format::Jsonl | Format::Csv => Some(self.csv),
            #[cfg(feature = "xlsx")]
            Format::Xlsx => None,
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
pub(crate) enum Encoder<W: Write> {
    /// With room for a line.
    Jsonl(W, String),
    Csv(Box<csv::Writer<W>>, CsvOptions),
    #[cfg(feature = "xlsx")]
    Xlsx(Box<Workbook<W>>),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(form: &Form, mut out: W) -> Result<Self, SinkError> {
        let options = form.csv;
        Ok(match form.format {
            Format::Jsonl => Self::Jsonl(out, String::new()),
            Format::Csv => {
                if options.bom {
                    out.write_all(BOM).map_err(|error| SinkError::Encode(error.into()))?;
                }
                let mut writer = csv::Writer::from_writer(out);
                writer
                    .write_record(header(Account::COLUMNS, options))
                    .map_err(|error| SinkError::Encode(error.into()))?;
                Self::Csv(Box::new(writer), options)
            }
            #[cfg(feature = "xlsx")]
            Format::Xlsx => Self::Xlsx(Box::new(Workbook::new(out, form.xlsx.clone())?)),
        })
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        match self {
            Self::Jsonl(out, _) => {
                serde_json::to_writer(&mut *out, record)
                    .map_err(|error| SinkError::Encode(error.into()))?;
                out.write_all(b"\n").map_err(|error| SinkError::Encode(error.into()))
            }
            Self::Csv(writer, options) => writer
                .write_record(row(Account::COLUMNS, record, *options))
                .map_err(|error| SinkError::Encode(error.into())),
            #[cfg(feature = "xlsx")]
            Self::Xlsx(workbook) => workbook.write(record),
        }
    }

    /// A record straight from its account's JSON, where that is spelled in a usual way.
    pub(crate) fn write_json(&mut self, robot: &RobotId, account: &str) -> Result<bool, SinkError> {
        let Self::Jsonl(out, line) = self else { return Ok(false) };
        line.clear();
        if !write_record_json(robot, account, line) {
            return Ok(false);
        }
        line.push('\n');
        out.write_all(line.as_bytes()).map_err(|error| SinkError::Encode(error.into()))?;
        Ok(true)
    }

    /// Everything written so far, handed to the writer below.
    pub(crate) fn finish(self) -> Result<W, SinkError> {
        match self {
            Self::Jsonl(out, _) => Ok(out),
            Self::Csv(writer, _) => {
                writer.into_inner().map_err(|error| SinkError::Encode(error.into_error().into()))
            }
            #[cfg(feature = "xlsx")]
            Self::Xlsx(workbook) => workbook.finish(),
        }
    }
}

/// Appends the JSON of a record to `out`, straight from its account's JSON, if that is spelled in a usual way. Returns
/// false if it is not; `out` is then as before.
pub fn write_record_json(robot: &RobotId, account: &str, out: &mut String) -> bool {
    let begin = out.len();
    out.push_str("{\"robot_id\":");
    out.push_str(&quoted(robot.as_str()));
    let bracket = out.len();
    let written = Account::write_canonical_json(account, out);
    match written {
        // The account's own fields follow, in the place of its opening bracket.
        true => out.replace_range(bracket..=bracket, ","),
        false => out.truncate(begin),
    }
    written
}

/// Whether a list that was written before, in any format and with any options, has a customer of that
/// robot.
pub(crate) fn holds(mut list: impl BufRead + Seek, robot: &RobotId) -> std::io::Result<bool> {
    #[cfg(feature = "xlsx")]
    if list.fill_buf()?.starts_with(b"PK") {
        return xlsx::holds(list, robot);
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
