//! The command line with its two helps: `-h` for a verb's own options, `--help` for all.

use clap::{Arg, Command, CommandFactory as _};

use crate::args::{Cli, SETTINGS};
use crate::exit;

/// What `-h` says of the rest.
const SHORT: &str = "Use --help to see the settings too.";

/// What `--help` of a verb says of the settings.
const LONG: &str = "A flag comes before the environment, the environment before qopen.toml.";

/// The command line.
pub(crate) fn command() -> Command {
    let command = Cli::command().after_help(SHORT).after_long_help(exit::HELP);
    let settings = |arg: Arg| match arg.get_help_heading() {
        Some(SETTINGS) => arg.hide_short_help(true),
        _ => arg,
    };
    with_footers(command.mut_args(settings))
}

fn with_footers(command: Command) -> Command {
    command.mut_subcommands(|it| {
        // What a verb says of itself stays before it.
        let before = it.get_after_help().map(|it| format!("{it}\n\n")).unwrap_or_default();
        let (short, long) = (format!("{before}{SHORT}"), format!("{before}{LONG}"));
        with_footers(it.after_help(short).after_long_help(long))
    })
}
