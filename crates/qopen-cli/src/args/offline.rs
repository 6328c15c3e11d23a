//! The options of the verbs without network.

use std::path::PathBuf;

use clap::Args;

use crate::format::Asked;
use crate::format::singer::SingerArgs;
use crate::values::home::home_path;
use crate::values::out::out_path;

#[derive(Debug, Args)]
pub(crate) struct AssembleArgs {
    /// Read captured callbacks, one JSON object per line; - is stdin
    ///
    /// A callback may be in its envelope or opened.
    #[arg(value_name = "FILE", default_value = "-", value_parser = home_path())]
    pub(crate) files: Vec<PathBuf>,
    /// Write to a file, a folder with one file per robot, or - for stdout
    #[arg(long, value_name = "PATH|-", value_parser = out_path())]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) layout: Asked,
    #[command(flatten)]
    pub(crate) singer: SingerArgs,
    /// Assemble only pulls of this robot
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
    /// Assemble only the pull of this mark
    #[arg(long, value_name = "MARK")]
    pub(crate) mark: Option<String>,
    /// Publish a complete list that lacks up to N unidentified accounts
    ///
    /// The id of such an account cannot be read.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_unidentified: u64,
    /// Let an empty complete list replace a list with customers
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Replace a last list that cannot be compared
    #[arg(long)]
    pub(crate) new_baseline: bool,
    /// Report as JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Compare with this earlier list
    #[arg(value_name = "OLD", value_parser = home_path())]
    pub(crate) old: PathBuf,
    /// Show what changed up to this later list
    #[arg(value_name = "NEW", value_parser = home_path())]
    pub(crate) new: PathBuf,
    /// Write each change as a JSON object, one per line
    ///
    /// The lines are those of a changes file: a header for each robot, then a line for each change.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Read this list in JSON Lines or CSV; - is stdin, JSON Lines only
    #[arg(value_name = "LIST", value_parser = home_path())]
    pub(crate) list: PathBuf,
    /// Write to a file, a folder, or - for stdout
    ///
    /// The default is LIST with the ending of the format.
    #[arg(long, value_name = "PATH|-", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) layout: Asked,
    #[command(flatten)]
    pub(crate) singer: SingerArgs,
}
