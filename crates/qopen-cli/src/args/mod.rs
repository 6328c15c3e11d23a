//! The verbs and options of the command line.

mod explain;
mod kept;
mod offline;
mod setup;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use qopen::http::AccountsByIdsVersion;

use crate::format::Asked;
use crate::format::singer::SingerArgs;
use crate::lang::Lang;
use crate::settings::{FORWARD, Given};
use crate::terminal::LogFormat;
use crate::values::address::address;
use crate::values::home::home_path;
use crate::values::out::out_path;
use crate::values::{RetryCodes, at_least_one, duration, lease, retry_codes};
pub(crate) use explain::ExplainArgs;
pub(crate) use kept::{ExportArgs, JournalVerb, PullsVerb, QuarantineVerb, RobotsVerb};
pub(crate) use offline::{AssembleArgs, ConvertArgs, DiffArgs};
pub(crate) use setup::{DoctorArgs, InitArgs, ListenArgs};

/// The heading of the settings.
pub(crate) const SETTINGS: &str = "Settings";

/// The note of `serve --help` about its control API.
pub(crate) const CONTROL: &str = "\
Control:
  On loopback every program of every user of the machine may use the control API, so that
  scripts and probes work at once. Pages in a browser may not. On a machine with several users
  set QOPEN_CONTROL_TOKEN to 16 characters or more, and send it as a bearer token. A request
  names loopback, the address of the listener or a --control-host.";

/// Pull the full customer list of a WeCom (企业微信) robot from qopen
#[derive(Debug, Parser)]
#[command(name = "qopen", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Log more to standard error: -v events, -vv details [env: QOPEN_LOG]
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Color help, errors and log [env: NO_COLOR, TERM]
    #[arg(long, global = true, value_name = "WHEN", default_value_t, hide_short_help = true)]
    pub(crate) color: ColorChoice,
    /// Format standard error [env: QOPEN_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", hide_short_help = true)]
    pub(crate) log_format: Option<LogFormat>,
    /// Speak English or Chinese [env: QOPEN_LANG, LC_ALL, LANG]
    ///
    /// Summaries, progress, warnings, errors and `explain` are in this language. Help, JSON and the
    /// messages of the log stay English.
    #[arg(long, global = true, value_name = "LANG", hide_short_help = true)]
    pub(crate) lang: Option<Lang>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The settings file, and what comes before it: flags, then the environment.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = SETTINGS)]
pub(crate) struct Common {
    /// Read this settings file [default: qopen.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", value_parser = home_path())]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) given: Given,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run everything against a simulated platform, without configuration
    Demo(DemoArgs),
    /// Ask for the settings, check them, and write qopen.toml
    #[command(after_help = setup::INIT)]
    Init(InitArgs),
    /// Wait for callbacks, keep them, and explain each
    #[command(after_help = setup::LISTEN)]
    Listen(ListenArgs),
    /// Pull the customer lists of robots into a file
    Pull(PullArgs),
    /// Receive callbacks as a service, and pull on request over HTTP
    #[command(after_help = CONTROL)]
    Serve(ServeArgs),
    /// Run a simulated platform
    Simulate(SimulateArgs),
    /// Fold captured callbacks into lists, without network
    Assemble(AssembleArgs),
    /// Explain an error, or diagnose a captured callback step by step
    Explain(ExplainArgs),
    /// Show what changed between two lists
    Diff(DiffArgs),
    /// Convert a list in JSON Lines or CSV to another format
    Convert(ConvertArgs),
    /// List, show, accept, export, purge and check kept pulls
    #[command(subcommand)]
    Pulls(PullsVerb),
    /// List the robots of the app
    #[command(subcommand)]
    Robots(RobotsVerb),
    /// List, show, release and retry quarantined items
    #[command(subcommand)]
    Quarantine(QuarantineVerb),
    /// Create or update the tables of a journal or of lists
    Migrate(MigrateArgs),
    /// Copy a journal, or note that it was restored
    #[command(subcommand)]
    Journal(JournalVerb),
    /// Show every setting with its origin, and check the setup
    Doctor(DoctorArgs),
    /// Ask a running service on this machine whether it is ready
    Healthcheck(HealthcheckArgs),
    /// Print a completion script for a shell
    Completions {
        /// Print the script of this shell
        shell: Shell,
    },
    /// Write the man pages of all verbs to a folder
    Man {
        /// Write the pages to this folder, which exists
        #[arg(value_name = "FOLDER", value_parser = home_path())]
        folder: PathBuf,
    },
    /// Print the JSON Schema of qopen.toml
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Wait this time for an answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Write the list to this file
    #[arg(long, value_name = "PATH", default_value = "customers.jsonl", value_parser = out_path())]
    pub(crate) out: PathBuf,
    /// Simulate a robot with this number of customers
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) accounts: usize,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Pull the customers of this robot; repeatable
    #[arg(long = "robot", value_name = "ID")]
    pub(crate) robots: Vec<String>,
    /// Resume the interrupted or incomplete pull of this mark; repeatable
    ///
    /// The beginning of a mark is enough.
    #[arg(long, value_name = "MARK", conflicts_with_all = ["robots", "robots_file", "all_robots", "new"])]
    pub(crate) resume: Vec<String>,
    /// Start a new pull, even if an interrupted one could be resumed
    #[arg(long)]
    pub(crate) new: bool,
    /// Read robot ids from this file, one per line; # begins a comment
    #[arg(long, value_name = "FILE", value_parser = home_path())]
    pub(crate) robots_file: Option<PathBuf>,
    /// Pull the customers of every robot of the app
    ///
    /// The platform lists the robots. Recycled ones are left out.
    #[arg(long, conflicts_with_all = ["robots", "robots_file"])]
    pub(crate) all_robots: bool,
    /// Write to a file, a folder, a database, or - for stdout
    ///
    /// A folder gets one file per robot. A database is an SQLite file (lists.db, .sqlite, .sqlite3, or
    /// sqlite:PATH for any name), postgres://USER@HOST/DATABASE, or, in a build with the feature mysql,
    /// mysql://USER@HOST/DATABASE. With --resume the default is the place of the interrupted pull.
    #[arg(long, value_name = "PATH|-|URL", required_unless_present = "resume", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) layout: Asked,
    #[command(flatten)]
    pub(crate) singer: SingerArgs,
    /// Request each customer's tags too
    #[arg(long)]
    pub(crate) need_tags: bool,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
    /// Treat a list with fewer customers than this as incomplete
    #[arg(long, value_name = "N")]
    pub(crate) expect_accounts: Option<u64>,
    /// Run up to this number of pulls at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub(crate) concurrency: usize,
    /// Report as JSON, one object per line
    ///
    /// Reports go to standard output, or to standard error if the list goes to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of the verbs that send requests and receive callbacks.
#[derive(Debug, Args)]
pub(crate) struct Receiving {
    /// Complete a list after this quiet time since the last page
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) settle: Duration,
    /// End a pull after this time without a new page
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// Limit the duration of a pull
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Publish a complete list that lacks up to N unidentified accounts
    ///
    /// The id of such an account cannot be read.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_unidentified: u64,
    /// Let an empty complete list replace a list with customers
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Hold a list that lacks more than N or P% of the last customers
    ///
    /// A held list goes to PATH.held. `qopen pulls accept MARK` publishes it.
    #[arg(long, value_name = "N|P%")]
    pub(crate) max_gone: Option<qopen::engine::MaxGone>,
    /// Ask the platform by id about all customers who are gone
    ///
    /// One call for 100 customers. A list is held if it lacks a customer whom the platform still has.
    #[arg(long)]
    pub(crate) verify_gone: bool,
    /// Choose the call of --verify-gone
    #[arg(long, value_name = "VERSION", value_enum, default_value_t)]
    pub(crate) by_ids: ByIds,
    /// Pull again until two consecutive lists have the same customers
    ///
    /// At most three pulls. A list that none confirms is incomplete.
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Pull a list that lacks pages again, up to N times
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Replace a last list that cannot be compared
    ///
    /// The changes begin anew with the list.
    #[arg(long, conflicts_with_all = ["max_gone", "verify_gone"])]
    pub(crate) new_baseline: bool,
    /// Send at most N requests per second
    #[arg(long, value_name = "N")]
    pub(crate) rate_limit: Option<std::num::NonZeroU32>,
    /// Retry requests refused with these codes, such as -1,45009
    #[arg(long, value_name = "CODES", value_parser = retry_codes, allow_hyphen_values = true)]
    pub(crate) retry_codes: Option<RetryCodes>,
    /// Keep received data in the journal for this time
    ///
    /// The data is customers' data. Events that were not forwarded are part of it.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) retain: Duration,
    #[arg(long, value_name = FORWARD.value_name, help = FORWARD.help, long_help = FORWARD.long_help())]
    pub(crate) forward: Option<String>,
}

/// The operation of the platform that returns customers by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ByIds {
    /// GetRobotAccountByIdsV2
    #[default]
    V2,
    /// GetRobotAccountByIds, which the platform calls deprecated
    V1,
}

impl From<ByIds> for AccountsByIdsVersion {
    fn from(version: ByIds) -> Self {
        match version {
            ByIds::V2 => Self::V2,
            ByIds::V1 => Self::V1,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Publish complete lists to a folder or a database
    ///
    /// A folder gets ROBOT.jsonl, ROBOT.csv or ROBOT.xlsx. A database is an SQLite file (lists.db,
    /// .sqlite, .sqlite3, or sqlite:PATH for any name), postgres://USER@HOST/DATABASE, or, in a build
    /// with the feature mysql, mysql://USER@HOST/DATABASE.
    #[arg(long, value_name = "FOLDER|URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) layout: Asked,
    /// Collect external pulls too, which another system requests
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Choose the work of this process among those that share a journal
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// Take over a worker's pulls after this time without its renewal
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    pub(crate) lease: Duration,
    /// Create or update the journal's tables first
    #[arg(long)]
    pub(crate) migrate: bool,
    /// Keep up to N events for --forward
    ///
    /// When full, qopen refuses further events, and the platform retries them.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) forward_queue: u64,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
}

/// The work of a process among those that share a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Receive callbacks, and leave pulls to workers
    Receiver,
    /// Send requests, fold and publish, without receiving callbacks
    Worker,
    /// Do both
    #[default]
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Create or update the tables of lists in this database
    #[arg(long, value_name = "URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Listen on this address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090", value_parser = address)]
    pub(crate) on: SocketAddr,
    /// Send callbacks to this URL [default: the settings' listener]
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<String>,
    /// Read pages and faults from a JSON file or a JSON text
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "seed")]
    pub(crate) schedule: Option<String>,
    /// Mix every fault that a pull must survive, by this seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}
