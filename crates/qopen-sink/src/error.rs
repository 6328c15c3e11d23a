//! Errors of sinks.

use std::io;
use std::path::{Path, PathBuf};

use qopen_types::RobotId;

use crate::compare::ListProblem;
use crate::limit::FormatLimit;
use crate::name::shown_path;

/// Why a list could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The folder that should hold the file is not there.
    #[error("the folder {} does not exist; create it or choose another output", shown_path(folder))]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file's place has something other than a regular file.
    #[error("{} is not a regular file and will not be replaced", shown_path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file system did not do it.
    #[error("{action} {} failed", shown_path(path))]
    Io {
        /// The action that failed.
        action: &'static str,
        /// Its path.
        path: PathBuf,
        /// The file system's error.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("the database could not be written")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The name leaves no room for the suffixes of the files beside the list.
    #[error(
        "the name {} is too long, with {suffix} behind it, for the file system",
        shown_path(path)
    )]
    NameTooLong {
        /// The list's path.
        path: PathBuf,
        /// The suffix that does not fit.
        suffix: &'static str,
    },
    /// Lists cannot be written to the database.
    #[error("lists cannot be written to the database: {why}")]
    Unsuitable {
        /// The reason, and what to do.
        why: &'static str,
    },
    /// A step exceeded its time. If it was the last one, the list may be in its place all the same.
    #[error("{step} took longer than {} seconds", limit.as_secs())]
    TimedOut {
        /// The step.
        step: &'static str,
        /// Its longest time.
        limit: std::time::Duration,
    },
    /// The place already holds a later list.
    #[error("superseded: the place already holds a later list")]
    Superseded,
    /// The claim of a note no longer counts: another worker publishes the list.
    #[error("the list is not to be published from here any more")]
    Declined,
    /// The last complete list, or the file of its changes, cannot be compared with.
    #[error(
        "the new list cannot be compared with the last one: {}: {problem}; restore the file, or publish with --new-baseline to start anew",
        shown_path(path)
    )]
    Previous {
        /// The file.
        path: PathBuf,
        /// Its problem.
        problem: ListProblem,
    },
    /// Another process replaced the last list after it was compared with.
    #[error(
        "another process replaced {} during the publication; publish the list again",
        shown_path(path)
    )]
    Replaced {
        /// The list's path.
        path: PathBuf,
    },
    /// The rows of the last complete list in a database, or of its changes, are not those that were published.
    #[error(
        "the new list cannot be compared with the last one: {table} in {location} has {found} rows of robot {robot_id}, and {}; restore them, or publish with --new-baseline to start anew",
        published_rows(*expected)
    )]
    PreviousRows {
        /// The database.
        location: String,
        /// The table.
        table: &'static str,
        /// The robot.
        robot_id: RobotId,
        /// Rows that were published; `None` if no list was.
        expected: Option<u64>,
        /// Rows that were found.
        found: u64,
    },
    /// A file is not a list that can be compared.
    #[error("{} cannot be compared: {problem}", shown_path(path))]
    NotAList {
        /// The file.
        path: PathBuf,
        /// Its problem.
        problem: ListProblem,
    },
    /// A file is not a list that can be read.
    #[error("{} cannot be read: {problem}", shown_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Its problem.
        problem: ListProblem,
    },
    /// The format cannot hold the list.
    #[error("{0}; write JSON Lines or CSV, or a file for each robot")]
    Unfit(FormatLimit),
    /// A record could not be encoded, or its bytes could not be written.
    #[error("a record could not be encoded")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<FormatLimit> for SinkError {
    fn from(limit: FormatLimit) -> Self {
        Self::Unfit(limit)
    }
}

fn published_rows(expected: Option<u64>) -> String {
    match expected {
        Some(rows) => format!("{rows} were published"),
        None => "no list was published".to_owned(),
    }
}

impl SinkError {
    /// A record that was encoded for a writer without an encoder.
    pub(crate) fn without_encoder() -> Self {
        Self::Encode("the writer has no encoder of records".into())
    }

    /// Makes the error of a file operation, for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
