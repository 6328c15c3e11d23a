//! The command line of qopen.

mod args;
mod assemble;
mod copy;
mod demo;
mod doctor;
mod exit;
mod explain;
mod journal;
mod migrate;
mod output;
mod pull;
mod pulls;
mod quarantine;
mod report;
mod say;
mod serve;
mod settings;
mod simulate;
mod wiring;
mod zone;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::EnvFilter;

use args::{Cli, Verb};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; the rest is usage.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Complete }.into();
        }
    };
    start_log(cli.verbose);
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say::say!("qopen: {failure}");
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    // What these have to say is all that they do; a list is written wherever else its lines go.
    let answers = matches!(
        cli.verb,
        Verb::Explain(_)
            | Verb::Pulls(_)
            | Verb::Quarantine(_)
            | Verb::Doctor
            | Verb::Migrate(_)
            | Verb::Journal(_)
            | Verb::Completions { .. }
    );
    let exit = run_verb(cli)?;
    Ok(if answers { say::exit_of_reader(exit) } else { exit })
}

fn run_verb(cli: Cli) -> Result<Exit, Failure> {
    let settings = || {
        let settings = settings::Settings::load(&cli.common)?;
        settings.warn();
        Ok::<_, Failure>(settings)
    };
    match cli.verb {
        Verb::Demo(args) => on_runtime(demo::run(args)),
        Verb::Pull(args) => on_runtime(pull::run(args, settings()?)),
        Verb::Serve(args) => on_runtime(serve::run(args, settings()?, cli.common)),
        Verb::Simulate(args) => on_runtime(simulate::run(args, settings()?)),
        Verb::Assemble(args) => on_runtime(assemble::run(args, settings()?)),
        Verb::Explain(args) => explain::run(&args, &settings()?),
        Verb::Pulls(verb) => on_runtime(pulls::run(verb, settings()?)),
        Verb::Quarantine(verb) => on_runtime(quarantine::run(verb, settings()?)),
        // It says so among the rest.
        Verb::Doctor => on_runtime(doctor::run(&settings::Settings::load(&cli.common)?)),
        Verb::Migrate(args) => on_runtime(migrate::run(args, settings()?)),
        Verb::Journal(verb) => on_runtime(copy::run(verb)),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "qopen", &mut script);
            say::to_reader(format_args!("{}", String::from_utf8_lossy(&script)));
            Ok(Exit::Complete)
        }
    }
}

fn on_runtime<F>(work: F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::unexpected("the runtime could not be started", &error))?;
    let done = runtime.block_on(work);
    // A call into storage that hangs does not keep the process.
    runtime.shutdown_timeout(LAST_CALLS);
    done
}

/// How long calls into storage that are under way may take when the work is done.
const LAST_CALLS: std::time::Duration = std::time::Duration::from_secs(1);

/// Logs go to standard error; `QOPEN_LOG` says what, in the words of `tracing`'s filters.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("QOPEN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    // A line that cannot be written is not; saying so could not be, either.
    log.with_writer(std::io::stderr).log_internal_errors(false).init();
}
