//! The verbs about kept pulls, items and journals.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::format::Asked;
use crate::format::singer::SingerArgs;
use crate::values::out::out_path;

#[derive(Debug, Subcommand)]
pub(crate) enum JournalVerb {
    /// Keep unfinished pulls of a restored journal from being complete
    ///
    /// A journal that was restored from a backup lacks the pages that were acknowledged after the
    /// backup, and the platform does not send them again. A copy of a folder, and a database that
    /// was restored by pg_restore or psql, are found without this verb. Run it after a snapshot, a
    /// physical backup or a fail-over that lost commits, before `qopen serve` starts.
    Restored,
    /// Copy a closed journal into another; a repeated copy adds the rest
    ///
    /// No process may have the source open.
    Copy {
        /// Copy from this folder or postgres:// URL
        #[arg(value_parser = out_path())]
        from: PathBuf,
        /// Copy to this folder or postgres:// URL
        #[arg(value_parser = out_path())]
        to: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PullsVerb {
    /// List pulls, one per line
    List {
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// Show a pull with everything that happened to it
    Show {
        /// Select the pull by its mark or the beginning of it
        mark: String,
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// Publish a list that a guard held
    Accept {
        /// Select the pull by its mark or the beginning of it
        mark: String,
    },
    /// Delete a pull from the journal and the disk
    Purge {
        /// Select the pull by its mark or the beginning of it
        mark: String,
    },
    /// Write the list of a kept pull to a file, without publishing it
    Export(ExportArgs),
    /// Read the whole journal and report damage
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RobotsVerb {
    /// List robots with their states and last complete lists
    ///
    /// Asks the platform for its scan-code robots and its platform robots. A list is complete by the
    /// journal; without a journal here the columns of lists are empty.
    List {
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineVerb {
    /// List items without their contents, one per line
    List {
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// Print the content of an item, which is customers' data
    ///
    /// Content that is not text is printed as base64.
    Show {
        /// Select the item by its name or the beginning of it
        item: String,
        /// Print the bytes unchanged
        #[arg(long)]
        raw: bool,
    },
    /// Accept lists without this item, and note it with their pulls
    Release {
        /// Select the item by its name or the beginning of it
        item: String,
    },
    /// Read items again with this version, and add them to their pulls
    ///
    /// Accounts are read again whenever their list is published.
    Retry,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Select the pull by its mark or the beginning of it
    pub(crate) mark: String,
    /// Write to a file, a folder as ROBOT.jsonl, or - for stdout
    #[arg(long, value_name = "PATH|-", value_parser = out_path())]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) layout: Asked,
    #[command(flatten)]
    pub(crate) singer: SingerArgs,
    /// Write an incomplete list too
    #[arg(long)]
    pub(crate) partial: bool,
    /// Select the robot, if pulls of several robots have the mark
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
}
