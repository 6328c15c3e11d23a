//! The command line of qopen.

mod accept;
mod app_robots;
mod args;
mod assemble;
mod beside;
mod causes;
mod convert;
mod database;
mod demo;
mod diff;
#[cfg(test)]
mod docs;
mod doctor;
mod exit;
mod explain;
mod export;
mod export_database;
mod format;
mod guards;
mod healthcheck;
mod help;
mod init;
mod journal;
mod journal_copy;
mod journal_restored;
mod kept;
mod lang;
mod listen;
mod log;
mod lookup;
mod loopback;
mod marks;
mod migrate;
mod output;
mod policy;
mod pull;
mod pulls;
mod quarantine;
mod report;
mod robot_events;
mod robot_list;
mod robot_state;
mod robots;
mod say;
mod serve;
mod settings;
mod shell;
mod simulate;
mod table;
mod terminal;
mod topics;
mod traces;
mod typed;
mod values;
mod wiring;
mod zone;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;
use tracing::Level;

use args::{Cli, JournalVerb, Verb};
use exit::{Exit, Failure};
use lang::{Lang, phrase};
use terminal::LogFormat;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    terminal::choose(terminal::color_of(&arguments));
    let language = terminal::lang_of(&arguments);
    lang::choose(*language.as_ref().unwrap_or(&Lang::En));
    let switches = terminal::log_format_of(&arguments).and_then(|format| {
        log::write_as(format);
        language.map(|_| format)
    });
    let done = switches.map_err(Failure::usage).and_then(|format| match parse(&arguments) {
        Ok(cli) => log::start(cli.verbose, format).and_then(|()| run(cli)),
        Err(error) => Ok(refuse(&error, &arguments, format)),
    });
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say::failure(&failure);
            failure.exit.into()
        }
    }
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let command = help::command().color(terminal::color_of(arguments));
    let matches = command.clone().try_get_matches_from(arguments).or_else(|error| {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Err(error),
            // An error describes the typed arguments. Clap would list variables as if they were typed.
            _ => command.mut_args(|it| it.env(None::<&str>)).try_get_matches_from(arguments),
        }
    })?;
    typed::remember(&matches);
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut help::command()))
}

/// Prints help, version or a mistake of the command line.
fn refuse(error: &clap::Error, arguments: &[OsString], format: LogFormat) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Complete;
    }
    let not_text = terminal::not_text(arguments).filter(|_| error.kind() == ErrorKind::InvalidUtf8);
    match not_text {
        Some(what) => say::with_level(
            Level::ERROR,
            format_args!(
                "qopen: {what} is not UTF-8 text; set the terminal to UTF-8 and type it again\n"
            ),
        ),
        None if format == LogFormat::Json => {
            say::with_level(Level::ERROR, format_args!("{error}"));
        }
        None => drop(error.print()),
    }
    Exit::Usage
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    // The output of these verbs is their only result. A list is written even if its reader leaves.
    let answers = matches!(
        cli.verb,
        Verb::Explain(_)
            | Verb::Listen(_)
            | Verb::Diff(_)
            | Verb::Pulls(_)
            | Verb::Robots(_)
            | Verb::Quarantine(_)
            | Verb::Doctor(_)
            | Verb::Migrate(_)
            | Verb::Journal(_)
            | Verb::Healthcheck(_)
            | Verb::Completions { .. }
            | Verb::Schema
    );
    let exit = run_verb(cli)?;
    Ok(if answers { say::exit_of_reader(exit) } else { exit })
}

fn run_verb(cli: Cli) -> Result<Exit, Failure> {
    let settings = || {
        let settings = settings::Settings::load(&cli.common)?;
        settings.warn();
        format::use_zone(settings.time_zone());
        Ok::<_, Failure>(settings)
    };
    match cli.verb {
        Verb::Demo(args) => on_runtime(demo::run(args)),
        Verb::Init(args) => on_runtime(init::run(args, cli.common)),
        Verb::Listen(args) => on_runtime(listen::run(args, settings()?)),
        Verb::Pull(args) => on_runtime(pull::run(args, settings()?)),
        Verb::Serve(args) => on_runtime(serve::run(args, settings()?, cli.common)),
        Verb::Simulate(args) => on_runtime(simulate::run(args, settings()?)),
        Verb::Assemble(args) => on_runtime(assemble::run(args, settings()?)),
        Verb::Explain(args) => on_runtime(async { explain::run(&args, settings) }),
        Verb::Diff(args) => on_runtime(async { diff::run(&args) }),
        Verb::Convert(args) => {
            // Times are in the zone of the settings.
            settings()?;
            on_runtime(async { convert::run(&args) })
        }
        Verb::Pulls(verb) => on_runtime(pulls::run(verb, settings()?)),
        Verb::Robots(verb) => on_runtime(robot_list::run(verb, settings()?)),
        Verb::Quarantine(verb) => on_runtime(quarantine::run(verb, settings()?)),
        // Doctor reports warnings with its checks.
        Verb::Doctor(args) => {
            on_runtime(doctor::run(&args, &settings::Settings::find(&cli.common)?))
        }
        Verb::Migrate(args) => on_runtime(migrate::run(args, settings()?)),
        Verb::Journal(JournalVerb::Restored) => on_runtime(journal_restored::run(settings()?)),
        Verb::Journal(JournalVerb::Copy { from, to }) => on_runtime(journal_copy::run(from, to)),
        Verb::Healthcheck(args) => {
            on_runtime(healthcheck::run(&args, settings::Settings::load(&cli.common)))
        }
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut help::command(), "qopen", &mut script);
            say::to_reader(format_args!("{}", String::from_utf8_lossy(&script)));
            Ok(Exit::Complete)
        }
        Verb::Man { folder } => help::man::write(&folder),
        Verb::Schema => {
            say::answer!("{:#}", settings::schema());
            Ok(Exit::Complete)
        }
    }
}

fn on_runtime<F>(work: F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::unexpected(phrase!("the runtime could not be started", "无法启动运行时"), &error)
    })?;
    {
        let _entered = runtime.enter();
        wiring::heed_signals();
        traces::send_on(runtime.handle());
        wiring::survive_file_size_limit();
    }
    let done = runtime.block_on(work);
    traces::finish();
    say::writer::flush(wiring::patience);
    // A hanging call into storage does not keep the process.
    runtime.shutdown_timeout(STORAGE_GRACE);
    done
}

/// Time limit for pending calls into storage after the work is done.
const STORAGE_GRACE: std::time::Duration = std::time::Duration::from_secs(1);
