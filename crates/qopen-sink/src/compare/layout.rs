//! How a list is written: JSON Lines, or CSV with its options.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use qopen_types::RobotId;

use super::lines::Lines;
use super::prefix::{prefix_of, read_id, robot_of};
use super::problem::ListProblem;
use super::row::{first_cell, from_json, to_json};
use crate::Format;
use crate::csv_options::{CsvOptions, Labels, marked};
use crate::csv_row::{header, push_cell};
use crate::line_form::{BOM, LineForm};

/// Bytes that no header of CSV reaches.
const LONGEST_HEAD: u64 = 4096;

const LANGUAGES: [Option<Labels>; 3] = [None, Some(Labels::Zh), Some(Labels::En)];

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Jsonl,
    Csv(CsvLayout),
}

/// The options of a list in CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CsvLayout {
    bom: bool,
    labels: Option<Labels>,
    /// Whether texts have marks; `None` if the list is the same both ways.
    safe: Option<bool>,
}

impl From<LineForm> for Layout {
    fn from(form: LineForm) -> Self {
        match form {
            LineForm::Jsonl => Self::Jsonl,
            LineForm::Csv(CsvOptions { bom, safe, labels }) => {
                Self::Csv(CsvLayout { bom, labels, safe: Some(safe) })
            }
        }
    }
}

impl Layout {
    /// Recognizes a list by its first bytes. The marks of CSV are not known then.
    pub(super) fn of(mut file: &File) -> io::Result<Result<Self, ListProblem>> {
        file.rewind()?;
        let mut begin = Vec::new();
        file.take(LONGEST_HEAD).read_to_end(&mut begin)?;
        Ok(Self::of_begin(&begin))
    }

    fn of_begin(begin: &[u8]) -> Result<Self, ListProblem> {
        if begin.first().is_none_or(|it| *it == b'{') {
            return Ok(Self::Jsonl);
        }
        for bom in [false, true] {
            for labels in LANGUAGES {
                let layout = CsvLayout { bom, labels, safe: None };
                let head = layout.head();
                let names = &head[..head.len() - 1];
                if begin.starts_with(&head) {
                    return Ok(Self::Csv(layout));
                }
                if begin.strip_prefix(names).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                    return Err(ListProblem::Resaved);
                }
                if begin.len() > BOM.len() && names.starts_with(begin) {
                    return Err(ListProblem::CutOff { line: 1 });
                }
            }
        }
        let names = begin.strip_prefix(BOM.as_bytes()).unwrap_or(begin);
        let is_ours = LANGUAGES.into_iter().any(|labels| {
            let ours = header(&[], CsvOptions::default().labels(labels));
            names.starts_with(ours[0].as_bytes())
                && matches!(names.get(ours[0].len()), Some(b',' | b';' | b'\t' | b'\n'))
        });
        match is_ours {
            true => Err(ListProblem::AnotherHeader),
            // Reading its lines says what it is.
            false => Ok(Self::Jsonl),
        }
    }

    /// The layout with these marks, if it is CSV and they are known.
    pub(super) fn with_marks(self, safe: Option<bool>) -> Self {
        match self {
            Self::Csv(it) => Self::Csv(CsvLayout { safe, ..it }),
            Self::Jsonl => self,
        }
    }

    /// The options of CSV.
    pub(super) fn csv(self) -> Option<CsvOptions> {
        match self {
            Self::Csv(it) => Some(it.options()),
            Self::Jsonl => None,
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Csv(_) => Format::Csv,
            Self::Jsonl => Format::Jsonl,
        }
    }

    /// Whether a list that was written with these options of CSV, or in JSON Lines, can have this layout.
    pub(super) fn fits(self, csv: Option<CsvOptions>) -> bool {
        match (self, csv) {
            (Self::Jsonl, None) => true,
            (Self::Csv(it), Some(csv)) => {
                (it.bom, it.labels) == (csv.bom, csv.labels)
                    && it.safe.is_none_or(|safe| safe == csv.safe)
            }
            _ => false,
        }
    }

    /// The layout that this list and another one have in common.
    ///
    /// # Errors
    /// The problem of this list.
    pub(super) fn agreed(self, other: Self) -> Result<Self, ListProblem> {
        let (Self::Csv(it), Self::Csv(its)) = (self, other) else {
            let (list, other) = (self.format(), other.format());
            return match list == other {
                true => Ok(self),
                false => Err(ListProblem::OtherFormat { list, other }),
            };
        };
        let safe = it.safe.or(its.safe);
        let both = (it.bom, it.labels, safe) == (its.bom, its.labels, its.safe.or(safe));
        match both {
            true => Ok(Self::Csv(CsvLayout { safe, ..it })),
            false => {
                let (list, other) = (it.options(), its.options());
                Err(ListProblem::OtherOptions { list, other })
            }
        }
    }

    /// What a list has before its first record.
    pub(super) fn head(self) -> Vec<u8> {
        match self {
            Self::Csv(it) => it.head(),
            Self::Jsonl => Vec::new(),
        }
    }

    /// Reads the lines or rows.
    pub(super) fn lines<R: io::Read>(self, lines: Lines<'_, R>) -> Lines<'_, R> {
        match self {
            Self::Csv(_) => lines.rows(),
            Self::Jsonl => lines,
        }
    }

    /// What the lines of a robot begin with.
    pub(super) fn prefix(self, robot: &RobotId) -> Vec<u8> {
        match self {
            Self::Jsonl => prefix_of(robot),
            Self::Csv(it) => {
                let mut row = String::new();
                match it.safe {
                    Some(true) => push_cell(&mut row, &marked(robot.as_str())),
                    _ => push_cell(&mut row, robot.as_str()),
                }
                row.push(',');
                row.into_bytes()
            }
        }
    }

    /// Reads what the lines of a line's robot begin with.
    pub(super) fn prefix_in(self, line: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Jsonl => robot_of(line).map(|robot| prefix_of(&robot)),
            Self::Csv(_) => {
                let (cell, length) = first_cell(line)?;
                let bare = CsvOptions::strip_mark(&cell);
                let is_id = RobotId::new(&*cell).is_ok() || RobotId::new(bare).is_ok();
                is_id.then(|| line.get(..=length).map(<[u8]>::to_vec)).flatten()
            }
        }
    }

    /// Reads the robot of a prefix.
    pub(super) fn robot(self, prefix: &[u8]) -> Option<RobotId> {
        let robot = match self {
            Self::Jsonl => robot_of(prefix)?,
            Self::Csv(it) => RobotId::new(it.bare(&first_cell(prefix)?.0)).ok()?,
        };
        (self.prefix(&robot) == prefix).then_some(robot)
    }

    /// Reads the id behind the prefix of a line. Returns false if there is none.
    pub(super) fn read_id(self, rest: &[u8], id: &mut String) -> bool {
        match self {
            Self::Jsonl => read_id(rest, id),
            Self::Csv(it) => {
                id.clear();
                if let Some((cell, length)) = first_cell(rest) {
                    id.push_str(it.bare(&cell));
                    return !id.is_empty() && rest.len() > length;
                }
                false
            }
        }
    }

    /// A line's record as JSON; `None` if it is not as qopen writes it.
    pub(super) fn record(self, line: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Jsonl => Some(Cow::Borrowed(line)),
            Self::Csv(it) => to_json(line, it.labels).map(Cow::Owned),
        }
    }

    /// The line of a record that [`record`](Self::record) returned.
    pub(super) fn line(self, record: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Jsonl => Some(record),
            Self::Csv(it) => from_json(&record, it.labels),
        }
    }
}

impl CsvLayout {
    fn options(self) -> CsvOptions {
        let Self { bom, labels, safe } = self;
        CsvOptions::default().bom(bom).labels(labels).safe(safe == Some(true))
    }

    fn head(self) -> Vec<u8> {
        LineForm::Csv(self.options()).head()
    }

    /// The text of a cell without the mark that it may have.
    fn bare(self, cell: &str) -> &str {
        match self.safe {
            Some(true) => CsvOptions::strip_mark(cell),
            _ => cell,
        }
    }
}
