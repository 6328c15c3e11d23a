//! Why a file cannot be compared.

use std::io::ErrorKind;

use crate::{CsvOptions, Format, Labels};

/// Why a file is not a list that can be compared. `line` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// The file is neither in JSON Lines nor in CSV.
    #[error("its first line is neither JSON nor the header of a list in CSV")]
    AnotherFormat,
    /// The file is CSV with other columns than [`CSV_COLUMNS`](crate::CSV_COLUMNS).
    #[error(
        "its header differs from the header of a list in CSV of this version, in the columns or in their separator"
    )]
    AnotherHeader,
    /// The file is a list in CSV that another program saved.
    #[error("another program saved it: its lines end with CR LF, and those of qopen with LF")]
    Resaved,
    /// The file is empty. A list in CSV has a header at least.
    #[error("it is empty; a list in CSV has a header at least")]
    NoHeader,
    /// The list has another format than the one that it is compared with.
    #[error("it is in {list}, and the other list in {other}")]
    OtherFormat {
        /// Its format.
        list: Format,
        /// The format of the other list.
        other: Format,
    },
    /// The list has other options of CSV than the one that it is compared with.
    #[error("{}", differing(list, other))]
    OtherOptions {
        /// Its options, as far as the list shows them.
        list: CsvOptions,
        /// The options of the other list.
        other: CsvOptions,
    },
    /// A line is not a JSON object that begins with `robot_id` and `account_id`, without white space around tokens;
    /// or a row of CSV is not as qopen writes it.
    #[error("line {line} is not a customer's record as qopen writes it")]
    NotARecord {
        /// The line.
        line: u64,
    },
    /// The last line has no end.
    #[error("it ends in the middle of line {line}")]
    CutOff {
        /// The line.
        line: u64,
    },
    /// A line is longer than 64 MiB, or a line of changes than 192 MiB.
    #[error("line {line} is longer than {limit} MiB")]
    TooLong {
        /// The line.
        line: u64,
        /// The longest that a line may be, in MiB.
        limit: u64,
    },
    /// An account comes after one with a greater id.
    #[error("line {line} is out of order; a list is sorted by account_id")]
    Unsorted {
        /// The line.
        line: u64,
    },
    /// An account comes twice.
    #[error("line {line} repeats an account")]
    Repeated {
        /// The line.
        line: u64,
    },
    /// A robot's accounts come in two places.
    #[error("line {line} begins a second part of one robot's list")]
    RobotRepeated {
        /// The line.
        line: u64,
    },
    /// The file has more than 65,536 robots.
    #[error("line {line} exceeds the limit of 65536 robots in a file")]
    TooManyRobots {
        /// The line.
        line: u64,
    },
    /// The list is not the one that its file of changes describes.
    #[error(
        "it is not the list that its changes file describes; it was edited or cut after its publication"
    )]
    Altered,
    /// The list is missing, and its file of changes is there.
    #[error("the list is missing, and its changes file is there; the list was removed")]
    Missing,
    /// The file is empty, and no file of changes describes an empty list.
    #[error("the file is empty, and no changes file describes an empty list")]
    Empty,
    /// The file cannot be read.
    #[error("it cannot be read: {kind}")]
    Unreadable {
        /// The kind of the error.
        kind: ErrorKind,
    },
    /// A later version of qopen wrote the changes file.
    #[error(
        "its changes file has format {found}, and this version of qopen reads format {}; use the later qopen that wrote it",
        super::change::FORMAT
    )]
    LaterFormat {
        /// The format of the file.
        found: u32,
    },
    /// A line of a changes file is neither a header nor a change, or does not fit those before it.
    #[error("line {line} is not a line of changes, or does not fit the lines before it")]
    NotChanges {
        /// The line.
        line: u64,
    },
    /// The changes do not lead from or to the list beside them.
    #[error("its changes do not fit the list beside it")]
    Mismatched,
    /// The changes begin with a first list: there is no list to apply them to.
    #[error("it has no changes of one robot: that list was the first")]
    Baseline,
    /// The file that is read has another format, such as CSV.
    #[error("its first line is neither JSON nor the header of a list in CSV")]
    NotJsonLines,
    /// The list is in CSV with labels, whose codes are words.
    #[error(
        "its header and codes are words (--labels), which are not read; use the list without them, or in JSON Lines"
    )]
    Labelled,
    /// A line is not UTF-8.
    #[error("line {line} is not UTF-8 text")]
    NotText {
        /// The line.
        line: u64,
    },
    /// A line is not JSON from a column on, which counts bytes from 1.
    #[error("line {line} is not JSON from column {column} on")]
    NotJson {
        /// The line.
        line: u64,
        /// The column.
        column: u64,
    },
}

/// Says in which option of CSV two lists differ.
fn differing(list: &CsvOptions, other: &CsvOptions) -> String {
    let language = |labels: Option<Labels>| match labels {
        None => "has field names (without --labels)",
        Some(Labels::Zh) => "is in Chinese (--labels zh)",
        Some(Labels::En) => "is in English (--labels en)",
    };
    if list.labels != other.labels {
        let [list, other] = [list, other].map(|it| language(it.labels));
        return format!("its header {list}, and the header of the other list {other}");
    }
    let has = |it: bool| if it { "has" } else { "does not have" };
    if list.bom != other.bom {
        let [list, other] = [list, other].map(|it| has(it.bom));
        return format!("it {list} the byte order mark of --bom, and the other list {other} it");
    }
    let [list, other] = [list, other].map(|it| has(it.safe));
    format!("it {list} the apostrophes of --csv-safe, and the other list {other} them")
}
