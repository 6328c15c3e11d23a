//! The typed command line, for advice that repeats it.

use std::ffi::OsStr;
use std::sync::OnceLock;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use crate::database;
use crate::help;
use crate::settings::{ALL, DATA_DIR, JOURNAL};
use crate::shell::{option, quoted};

/// What was typed, without what is only for people and logs.
static TYPED: OnceLock<ArgMatches> = OnceLock::new();

/// Options that change no list.
const OF_PEOPLE: [&str; 4] = ["verbose", "color", "log_format", "lang"];

/// Keeps the command line of the process.
pub(crate) fn remember(matches: &ArgMatches) {
    let _ = TYPED.set(matches.clone());
}

/// Returns a command about kept pulls, with the typed options that select the journal.
pub(crate) fn of_journal(words: &[&str], mark: Option<&str>) -> String {
    let options =
        options(|arg| ["config", DATA_DIR.name, JOURNAL.name].contains(&arg.get_id().as_str()));
    let mark = mark.map(|mark| match mark.starts_with('-') {
        true => vec!["--".to_owned(), quoted(mark)],
        false => vec![quoted(mark)],
    });
    command(words, [options, mark.unwrap_or_default()].concat())
}

/// Returns a command with the typed settings.
pub(crate) fn of_settings(words: &[&str]) -> String {
    command(
        words,
        options(|arg| arg.is_global_set() && !OF_PEOPLE.contains(&arg.get_id().as_str())),
    )
}

/// Returns the verb with these options, and with the typed ones but for the ids in `without`.
pub(crate) fn again(verb: &str, first: Vec<String>, without: &[&str]) -> String {
    let stays = |id: &str| !without.contains(&id) && !OF_PEOPLE.contains(&id);
    command(&[verb], [first, options(|arg| stays(arg.get_id().as_str()))].concat())
}

/// Whether one of the options was typed.
pub(crate) fn has(ids: &[&str]) -> bool {
    !options(|arg| ids.contains(&arg.get_id().as_str())).is_empty()
}

/// Returns the typed options that are wanted.
pub(crate) fn options(is_wanted: impl Fn(&Arg) -> bool) -> Vec<String> {
    let Some(mut matches) = TYPED.get() else { return Vec::new() };
    let mut command = help::command();
    command.build();
    let mut command = &command;
    while let Some((name, inner)) = matches.subcommand() {
        let Some(verb) = command.find_subcommand(name) else { break };
        (command, matches) = (verb, inner);
    }
    let wanted = command.get_arguments().filter(|it| is_wanted(it));
    wanted.flat_map(|arg| words(arg, matches)).collect()
}

/// Returns an option in the words of a shell, once for each of its values.
fn words(arg: &Arg, matches: &ArgMatches) -> Vec<String> {
    let id = arg.get_id().as_str();
    let is_typed = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => true,
        // The variable may have been set for one command only.
        Some(ValueSource::EnvVariable) => id == DATA_DIR.name,
        _ => false,
    };
    let values = matches.get_raw(id).filter(|_| is_typed).into_iter().flatten();
    let name = arg.get_long().map(|long| format!("--{long}"));
    match (name, arg.get_action()) {
        (Some(name), ArgAction::SetTrue) => values.take(1).map(|_| name.clone()).collect(),
        (Some(name), _) => values.map(|value| option(&name, &shown(arg, value))).collect(),
        (None, _) => values.map(|value| quoted(&shown(arg, value))).collect(),
    }
}

/// Returns a value, and a placeholder for a secret.
fn shown(arg: &Arg, value: &OsStr) -> String {
    let text = value.to_string_lossy();
    let is_secret = ALL.iter().any(|spec| spec.secret && spec.name == arg.get_id().as_str());
    match database::of(value.as_ref()) {
        Some(url) => database::without_password(url),
        None if is_secret => {
            let names = arg.get_value_names().unwrap_or_default();
            names.first().map_or_else(|| "…".to_owned(), ToString::to_string)
        }
        None => text.into_owned(),
    }
}

fn command(words: &[&str], options: Vec<String>) -> String {
    let words = std::iter::once("qopen").chain(words.iter().copied()).map(str::to_owned);
    words.chain(options).collect::<Vec<_>>().join(" ")
}
