//! The verbs of what is kept.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::format::{CsvArgs, OutputFormat};
use crate::values::out::out_path;

#[derive(Debug, Subcommand)]
pub(crate) enum JournalVerb {
    /// Copy everything in a journal that no process has open into another; again, what came since
    Copy {
        /// The journal: a folder, or a postgres:// URL
        #[arg(value_parser = out_path())]
        from: PathBuf,
        /// Where it is copied to: a folder, or a postgres:// URL
        #[arg(value_parser = out_path())]
        to: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PullsVerb {
    /// All of them, a line each
    List {
        /// As JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// One of them, with everything that happened to it
    Show {
        /// Its mark, or the beginning of it
        mark: String,
        /// As JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Delete everything that the journal has of a pull, also from the disk
    Purge {
        /// Its mark, or the beginning of it
        mark: String,
    },
    /// Write the list of a kept pull to a file, without publishing it
    Export(ExportArgs),
    /// Read everything in the journal and say what is damaged
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineVerb {
    /// All items, a line each: never their contents
    List {
        /// As JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Print an item whole: it is customers' data. One that is not text is printed as base64
    Show {
        /// Its name in the list, or the beginning of it
        item: String,
        /// Print the bytes as they are
        #[arg(long)]
        raw: bool,
    },
    /// Let an item no longer stand against any list, read or not; noted with the pulls
    Release {
        /// Its name in the list, or the beginning of it
        item: String,
    },
    /// Read items again, as this version does, and put what can be read where it belongs; accounts
    /// are read again whenever their list is published
    Retry,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The pull's mark, or the beginning of it
    pub(crate) mark: String,
    /// Write to a file, a folder as ROBOT.jsonl, or - for standard output
    #[arg(long, value_name = "PATH|-", value_parser = out_path())]
    pub(crate) out: PathBuf,
    /// Write the list in this format [default: by the ending, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// Write what there is of a list that is not complete
    #[arg(long)]
    pub(crate) partial: bool,
    /// Select the robot, where several robots' pulls have the mark
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
}
