//! The command line with its two helps: `-h` for a verb's own options, `--help` for all.

pub(crate) mod man;

use clap::{Arg, Command, CommandFactory as _};

use crate::args::{Cli, SETTINGS};
use crate::exit;

/// The end of `-h`.
const SHORT: &str = "Use --help to see the settings too.";

/// The end of a verb's `--help`.
const LONG: &str = "A flag comes before the environment, the environment before qopen.toml.";

/// Returns the command line.
pub(crate) fn command() -> Command {
    let command = Cli::command().after_help(SHORT).after_long_help(exit::HELP);
    let settings = |arg: Arg| match arg.get_help_heading() {
        Some(SETTINGS) => arg.hide_short_help(true),
        _ => arg,
    };
    with_footers(command.mut_args(settings))
}

fn with_footers(command: Command) -> Command {
    command.mut_subcommands(|verb| {
        // A footer of the verb itself stays before the common one.
        let own = verb.get_after_help().map(|footer| format!("{footer}\n\n")).unwrap_or_default();
        let (short, long) = (format!("{own}{SHORT}"), format!("{own}{LONG}"));
        with_footers(verb.after_help(short).after_long_help(long))
    })
}

#[cfg(test)]
mod tests;
