//! Formats with a line for each record.

use std::sync::Arc;

use qopen_types::{Account, RobotId};

use crate::csv_json::JsonRows;
use crate::csv_options::CsvOptions;
use crate::csv_row::{header, push_row, quoted, row};
use crate::{Record, RecordEncoder, SinkError};

/// The byte order mark, in UTF-8.
pub(crate) const BOM: &str = "\u{feff}";

/// A format with a line for each record. A line of CSV may have line breaks in quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LineForm {
    Jsonl,
    Csv(CsvOptions),
}

impl LineForm {
    /// What a list has before its first record.
    pub(crate) fn head(self) -> Vec<u8> {
        let Self::Csv(options) = self else { return Vec::new() };
        let mut head = String::new();
        if options.bom {
            head.push_str(BOM);
        }
        push_row(header(Account::COLUMNS, options), &mut head);
        head.push('\n');
        head.into_bytes()
    }

    /// The line of a record, without its end.
    pub(crate) fn line(self, record: &Record<'_>) -> Result<Vec<u8>, SinkError> {
        match self {
            Self::Jsonl => {
                serde_json::to_vec(record).map_err(|error| SinkError::Encode(error.into()))
            }
            Self::Csv(options) => {
                let mut line = String::new();
                let cells = row(Account::COLUMNS, record, options);
                push_row(cells.iter().map(String::as_str), &mut line);
                Ok(line.into_bytes())
            }
        }
    }

    /// Encodes a robot's accounts as lines.
    pub(crate) fn encoder(self, robot: &RobotId) -> RecordEncoder {
        match self {
            Self::Jsonl => json_encoder(robot),
            Self::Csv(options) => {
                let rows = JsonRows::new(robot, options);
                Arc::new(move |account, line| rows.write(account, line))
            }
        }
    }
}

/// Returns an encoder of a robot's records as JSON: the bytes that a [`Record`] is serialized to.
#[must_use]
pub fn json_encoder(robot: &RobotId) -> RecordEncoder {
    let begin = format!("{{\"robot_id\":{}", quoted(robot.as_str()));
    Arc::new(move |account, record| write_with_robot(&begin, account, record))
}

/// Appends the JSON of a record to `out`, straight from its account's JSON, if that is spelled in a usual way. Returns
/// false if it is not; `out` is then as before. `robot` is the JSON before the account's fields.
fn write_with_robot(robot: &str, account: &str, out: &mut String) -> bool {
    let begin = out.len();
    out.push_str(robot);
    let bracket = out.len();
    let written = Account::write_canonical_json(account, out);
    match written {
        // The account's own fields follow, in the place of its opening bracket.
        true => out.replace_range(bracket..=bracket, ","),
        false => out.truncate(begin),
    }
    written
}
