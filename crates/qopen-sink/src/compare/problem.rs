//! Why a file cannot be compared.

/// Why a file is not a list that can be compared. `line` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// The file has another format, such as CSV.
    #[error("its first line is not JSON; only lists in JSON Lines are compared")]
    AnotherFormat,
    /// A line is not a JSON object that begins with `robot_id` and `account_id`, without white space around tokens.
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
    #[error("its first line is not JSON; only lists in JSON Lines are read")]
    NotJsonLines,
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
