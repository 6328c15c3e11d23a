//! The verbs that set qopen up.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::values::duration;
use crate::values::home::home_path;
use crate::values::out::out_path;

/// The note of `init --help` about its answers.
pub(super) const INIT: &str = "\
Answers:
  Settings come from flags, the environment and --answers. A terminal is asked for the others;
  without one, an error names all that are missing. The file is qopen.toml, or the one that
  --config names. It gets mode 0600 and is never overwritten. A secret is never an argument: type
  it, or give it by its variable or by --answers. If the platform refuses the app key and the
  secret, or cannot be reached, nothing is written.";

/// The note of `listen --help` about its answers.
pub(super) const LISTEN: &str = "\
Callbacks:
  Nothing that comes during a trial is lost. A callback whose signature holds is in the journal
  before it is answered `success`: a page with its pull, if the journal knows that; other pages
  and what cannot be read in quarantine; any other event for `qopen serve --forward`. A request
  that is refused is explained too, the first of each kind, and does not end the waiting. If a
  callback that was kept cannot be read, the exit code is 1; if none comes in time, it is 4.";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Check that lists can be published there
    ///
    /// A file, a folder or a database, as with pull. No list is written.
    #[arg(long, value_name = "PATH|-|URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    /// Connect to the platform and request an access token
    #[arg(long)]
    pub(crate) online: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Ask nothing, even on a terminal
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Read settings, written as in qopen.toml; - is stdin
    ///
    /// Flags and the environment come first.
    #[arg(long, value_name = "FILE", value_parser = home_path())]
    pub(crate) answers: Option<PathBuf>,
    /// Write the file without asking the platform
    #[arg(long)]
    pub(crate) offline: bool,
    /// Name this public URL, to which the console sends callbacks
    ///
    /// Its path becomes the callback path, unless --callback-path names another.
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<String>,
    /// Name this robot in the next command
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
    /// Name this place of lists in the next command
    ///
    /// A file, a folder or a database, as with pull.
    #[arg(long, value_name = "PATH|-|URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// End after the first callback whose signature holds
    #[arg(long)]
    pub(crate) once: bool,
    /// Stop waiting after this time [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}
