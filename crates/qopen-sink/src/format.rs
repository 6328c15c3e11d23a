//! Encoders of JSONL and CSV.

use std::io::Write;

use qopen_types::{Account, RobotId};

use crate::csv_options::{CsvOptions, marked};
use crate::csv_row::{header, quoted, row};
use crate::list_format::Format;
use crate::{Record, SinkError};

/// The byte order mark, in UTF-8.
pub(crate) const BOM: &[u8] = "\u{feff}".as_bytes();

/// Records on their way into bytes.
pub(crate) enum Encoder<W: Write> {
    /// With room for a line.
    Jsonl(W, String),
    Csv(Box<csv::Writer<W>>, CsvOptions),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(format: Format, options: CsvOptions, mut out: W) -> Result<Self, SinkError> {
        Ok(match format {
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
        }
    }

    /// A record straight from its account's JSON, where that is spelled in a usual way.
    pub(crate) fn write_json(&mut self, robot: &RobotId, account: &str) -> Result<bool, SinkError> {
        let Self::Jsonl(out, scratch) = self else { return Ok(false) };
        scratch.clear();
        if !Account::write_canonical_json(account, scratch) {
            return Ok(false);
        }
        let encode = |error: Box<dyn std::error::Error + Send + Sync>| SinkError::Encode(error);
        out.write_all(b"{\"robot_id\":").map_err(|error| encode(error.into()))?;
        serde_json::to_writer(&mut *out, robot).map_err(|error| encode(error.into()))?;
        // The account's own fields follow, in the place of its opening bracket.
        let rest = scratch.strip_prefix('{').unwrap_or(scratch);
        for part in [",", rest, "\n"] {
            out.write_all(part.as_bytes()).map_err(|error| encode(error.into()))?;
        }
        Ok(true)
    }

    /// Everything written so far, handed to the writer below.
    pub(crate) fn finish(self) -> Result<W, SinkError> {
        match self {
            Self::Jsonl(out, _) => Ok(out),
            Self::Csv(writer, _) => {
                writer.into_inner().map_err(|error| SinkError::Encode(error.into_error().into()))
            }
        }
    }
}

/// Whether a list that was written before, in any format and with any options, has a customer of that
/// robot.
pub(crate) fn holds(mut list: impl std::io::BufRead, robot: &RobotId) -> std::io::Result<bool> {
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
