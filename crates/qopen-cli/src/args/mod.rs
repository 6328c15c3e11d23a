//! The words of the command line.

mod kept;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use crate::format::{CsvArgs, OutputFormat};
use crate::terminal::LogFormat;
use crate::values::address::address;
use crate::values::home::home_path;
use crate::values::out::out_path;
use crate::values::{RetryCodes, at_least_one, duration, lease, retry_codes};
pub(crate) use kept::{ExportArgs, JournalVerb, PullsVerb, QuarantineVerb};

/// The heading of the settings.
pub(crate) const SETTINGS: &str = "Settings";

/// What the help of `serve` says of its control API.
pub(crate) const CONTROL: &str = "\
Control:
  On loopback every program of every user of the machine may use the control API, so that
  scripts and probes work at once. Pages in a browser may not. On a machine with several users
  set QOPEN_CONTROL_TOKEN to 16 characters or more, and send it as a bearer token. A request
  names loopback, the address of the listener or a --control-host.";

/// Pulls the full customer list of a WeCom (企业微信) robot from the qopen open platform.
#[derive(Debug, Parser)]
#[command(name = "qopen", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Log more to standard error: -v events, -vv details [env: QOPEN_LOG]
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Color the help, errors and log [env: NO_COLOR, TERM]
    #[arg(long, global = true, value_name = "WHEN", default_value_t, hide_short_help = true)]
    pub(crate) color: ColorChoice,
    /// Form of the lines on standard error [env: QOPEN_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", hide_short_help = true)]
    pub(crate) log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Settings. Each is looked for here, then in the environment, then in qopen.toml.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = SETTINGS)]
pub(crate) struct Common {
    /// The settings file [default: qopen.toml, when it is there]
    #[arg(long, global = true, value_name = "FILE", value_parser = home_path())]
    pub(crate) config: Option<PathBuf>,
    /// The platform's base URL, scheme included [env: QOPEN_BASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The app's key; its secret is never a flag [env: QOPEN_APP_KEY, QOPEN_APP_SECRET]
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) app_key: Option<String>,
    /// Send requests through this proxy, or `none` [env: QOPEN_PROXY]
    #[arg(long, global = true, value_name = "URL|none")]
    pub(crate) proxy: Option<String>,
    /// Trust these root certificates too, PEM [env: QOPEN_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Time-out of a request [env: QOPEN_REQUEST_TIMEOUT] [default: 15s]
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) request_timeout: Option<String>,
    /// Where callbacks are listened for [env: QOPEN_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The path that callbacks come to [env: QOPEN_CALLBACK_PATH] [default: /callback]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) callback_path: Option<String>,
    /// Receive callbacks over TLS with these certificates, PEM, the leaf first [env: QOPEN_TLS_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Their private key, PEM [env: QOPEN_TLS_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Connections that a listener has at once; at the bound the one that is idle longest is closed
    /// [env: QOPEN_MAX_CONNECTIONS] [default: 1024]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) max_connections: Option<String>,
    /// Of these, connections of one peer; behind a proxy everybody is one
    /// [env: QOPEN_MAX_CONNECTIONS_PER_PEER] [default: 256]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) max_connections_per_peer: Option<String>,
    /// Refuse callbacks whose timestamp is further than this from the clock; whether the platform
    /// renews it when it sends a page again is not known [env: QOPEN_REFUSE_STALE]
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) refuse_stale: Option<String>,
    /// Take control requests here; elsewhere than on loopback set QOPEN_CONTROL_TOKEN
    /// [env: QOPEN_CONTROL] [default: 127.0.0.1:8081]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) control: Option<String>,
    /// Answer control requests for this host too; repeatable
    /// [env: QOPEN_CONTROL_HOST, separated by commas]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) control_host: Vec<String>,
    /// Where the journal lives [env: QOPEN_DATA_DIR] [default: qopen-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A journal that many processes share, instead of one in a folder: postgres://USER@HOST/DATABASE,
    /// the password in PGPASSWORD or in the settings file [env: QOPEN_JOURNAL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) journal: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the whole thing against a simulated platform: no account, no configuration
    Demo(DemoArgs),
    /// Pull the customer lists of robots into a file
    Pull(PullArgs),
    /// Receive callbacks for as long as it runs, and pull when asked to over HTTP
    #[command(after_help = CONTROL)]
    Serve(ServeArgs),
    /// Be the platform: endpoints on a port, callbacks with faults
    Simulate(SimulateArgs),
    /// Fold captured callbacks into lists, without any network
    Assemble(AssembleArgs),
    /// Say step by step what holds and what fails in one captured callback
    Explain(ExplainArgs),
    /// Show the pulls that the journal knows: open, complete, incomplete
    #[command(subcommand)]
    Pulls(PullsVerb),
    /// Show and take up what verified and could not be read
    #[command(subcommand)]
    Quarantine(QuarantineVerb),
    /// Make the tables of a journal or a list in PostgreSQL, or bring them to this version
    Migrate(MigrateArgs),
    /// Move journals
    #[command(subcommand)]
    Journal(JournalVerb),
    /// Show every setting with its origin, and check what can be checked
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Connect to the platform and ask for an access token
    #[arg(long)]
    pub(crate) online: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the list goes
    #[arg(long, value_name = "PATH", default_value = "customers.jsonl", value_parser = out_path())]
    pub(crate) out: PathBuf,
    /// How many customers the simulated robot has
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) accounts: usize,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// A robot whose customers are wanted; may be given several times
    #[arg(long = "robot", value_name = "ID")]
    pub(crate) robots: Vec<String>,
    /// Take up the pull of this mark or its beginning, which was interrupted or is incomplete; may be
    /// given several times
    #[arg(long, value_name = "MARK", conflicts_with_all = ["robots", "robots_file", "new"])]
    pub(crate) resume: Vec<String>,
    /// Begin anew where an interrupted pull of the robot could be taken up
    #[arg(long)]
    pub(crate) new: bool,
    /// A file with a robot's id on each line; empty lines and lines after # do not count
    #[arg(long, value_name = "FILE", value_parser = home_path())]
    pub(crate) robots_file: Option<PathBuf>,
    /// Where the list goes: a file, a folder for one file a robot, - for standard output, or a
    /// PostgreSQL database, postgres://USER@HOST/DATABASE. With --resume, where it was to go unless
    /// given
    #[arg(long, value_name = "PATH|-|URL", required_unless_present = "resume", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    /// How the list is written [default: by the ending, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// Ask for each customer's tags too
    #[arg(long)]
    pub(crate) need_tags: bool,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
    /// A list with fewer customers than this is not complete
    #[arg(long, value_name = "N")]
    pub(crate) expect_accounts: Option<u64>,
    /// Pulls under way at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub(crate) concurrency: usize,
    /// Report as JSON, an object a line: on standard output, or on standard error when the list
    /// goes to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// How requests are sent and callbacks received, by whichever verb does so.
#[derive(Debug, Args)]
pub(crate) struct Receiving {
    /// Quiet after the last page that makes a list complete
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) settle: Duration,
    /// Silence after which a pull is given up
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// The longest that a pull may take
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Publish a complete list although it lacks N accounts that have no readable id
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_unidentified: u64,
    /// Let an empty complete list replace one that is not empty
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Requests sent in a second, at most
    #[arg(long, value_name = "N")]
    pub(crate) rate_limit: Option<std::num::NonZeroU32>,
    /// Try again after refusals with these codes, like -1,45009
    #[arg(long, value_name = "CODES", value_parser = retry_codes, allow_hyphen_values = true)]
    pub(crate) retry_codes: Option<RetryCodes>,
    /// How long the journal keeps what it has received, events that were not forwarded included; it
    /// is customers' data
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) retain: Duration,
    /// Send events of other kinds on to this URL, byte for byte: `serve` until they are taken, `pull`
    /// once, so that the platform sends again what is not [env: QOPEN_FORWARD]
    #[arg(long, value_name = "URL")]
    pub(crate) forward: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where each complete list is published: a folder, as ROBOT.jsonl or ROBOT.csv, or a PostgreSQL
    /// database
    #[arg(long, value_name = "FOLDER|URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
    /// How lists are written [default: jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// Collect pulls that another system requests, too
    #[arg(long)]
    pub(crate) adopt: bool,
    /// What this process does of what is to be done by those that share a journal
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// How long a worker may be out of touch with the journal until others take over its pulls
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    pub(crate) lease: Duration,
    /// Make the journal's tables first, or bring them to this version
    #[arg(long)]
    pub(crate) migrate: bool,
    /// With --forward: how many events may wait until they are taken there, before the platform is
    /// asked to send more of them again later
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) forward_queue: u64,
    #[command(flatten)]
    pub(crate) receiving: Receiving,
}

/// What a process does of what those that share a journal do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes callbacks, and leaves the pulls to workers
    Receiver,
    /// Sends requests, folds and publishes, and takes no callbacks
    Worker,
    /// All of it
    #[default]
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// A database that lists go to
    #[arg(long, value_name = "URL", value_parser = out_path())]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where the simulated platform listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090", value_parser = address)]
    pub(crate) on: SocketAddr,
    /// Where callbacks go [default: the callback listener of the settings]
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<String>,
    /// What is sent and what goes wrong: a JSON file, or the JSON itself
    #[arg(long, value_name = "FILE|JSON", conflicts_with = "seed")]
    pub(crate) schedule: Option<String>,
    /// A mix of every fault that a pull must survive
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct AssembleArgs {
    /// Captured callbacks, one JSON object a line, enveloped or opened; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_parser = home_path())]
    pub(crate) files: Vec<PathBuf>,
    /// Where the list goes: a file, a folder for one file a robot, or - for standard output
    #[arg(long, value_name = "PATH|-", value_parser = out_path())]
    pub(crate) out: PathBuf,
    /// How the list is written [default: by the ending, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// Only pulls of this robot
    #[arg(long, value_name = "ID")]
    pub(crate) robot: Option<String>,
    /// Only the pull of this mark
    #[arg(long, value_name = "MARK")]
    pub(crate) mark: Option<String>,
    /// Publish a complete list although it lacks N accounts that have no readable id
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_unidentified: u64,
    /// Let an empty complete list replace one that is not empty
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Report as JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The callback's body; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_parser = home_path())]
    pub(crate) file: PathBuf,
}
