//! Capabilities of the terminal, and the switches that are read before the command line.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::sync::OnceLock;

use clap::{ColorChoice, ValueEnum};

use crate::lang::{Lang, Phrase, phrase};
use crate::say;

/// The form of each line on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Plain text
    Text,
    /// One JSON object per line
    Json,
}

static COLOURS: OnceLock<ColorChoice> = OnceLock::new();

/// Fixes the choice of `--color` for the process.
pub(crate) fn choose(colours: ColorChoice) {
    let _ = COLOURS.set(colours);
}

/// Whether lines on standard error may have colours.
pub(crate) fn has_colours() -> bool {
    let choice = COLOURS.get().copied().unwrap_or_default();
    wants_colours(choice, std::io::stderr().is_terminal(), |name| std::env::var_os(name))
}

/// Whether lines on standard output may have colours.
pub(crate) fn answers_have_colours() -> bool {
    let choice = COLOURS.get().copied().unwrap_or_default();
    wants_colours(choice, std::io::stdout().is_terminal(), |name| std::env::var_os(name))
}

/// Returns the columns of a terminal: its own, or fewer by `COLUMNS`. 80 if both are unknown.
pub(crate) fn columns(terminal: &console::Term) -> usize {
    let own = terminal.size_checked().map(|(_, columns)| usize::from(columns));
    fewer_columns(own, std::env::var("COLUMNS").ok().as_deref())
}

fn fewer_columns(own: Option<usize>, variable: Option<&str>) -> usize {
    let variable = variable.and_then(|it| it.trim().parse().ok()).filter(|it| *it > 0);
    let known = own.into_iter().chain(variable);
    known.min().unwrap_or(80).max(1)
}

/// Whether standard error can show lines that change.
pub(crate) fn is_live() -> bool {
    let capable = || is_capable(std::env::var_os("TERM").as_deref());
    !say::is_json() && std::io::stderr().is_terminal() && capable()
}

/// Decides as clap does for help: by the switch, then `NO_COLOR`, then `CLICOLOR_FORCE`, then the terminal.
fn wants_colours(
    choice: ColorChoice,
    is_terminal: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let is_set = |name| env(name).is_some_and(|value| !value.is_empty());
    let forced = || env("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto => {
            forced()
                || is_terminal
                    && is_capable(env("TERM").as_deref())
                    && env("CLICOLOR").is_none_or(|it| it != "0")
        }
    }
}

fn is_capable(term: Option<&OsStr>) -> bool {
    match term {
        None => cfg!(windows),
        Some(term) => term != "dumb" && !term.is_empty(),
    }
}

/// Returns a switch's value from a command line that may be wrong elsewhere.
fn switch(arguments: &[OsString], name: &str) -> Option<String> {
    let mut found = None;
    let mut arguments = arguments.iter().take_while(|it| *it != "--");
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else { continue };
        let value = match text.strip_prefix(name) {
            Some("") => arguments.next().and_then(|it| it.to_str()),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        found = value.map(str::to_owned).or(found);
    }
    found
}

/// Returns the `--color` of a command line. The parser reports a wrong one later.
pub(crate) fn color_of(arguments: &[OsString]) -> ColorChoice {
    let given = switch(arguments, "--color");
    given.and_then(|it| ColorChoice::from_str(&it, true).ok()).unwrap_or_default()
}

/// Returns the `--log-format` of a command line, else the format of the environment.
///
/// # Errors
/// `QOPEN_LOG_FORMAT` is neither `text` nor `json`.
pub(crate) fn log_format_of(arguments: &[OsString]) -> Result<LogFormat, Phrase> {
    if let Some(given) = switch(arguments, "--log-format") {
        return Ok(LogFormat::from_str(&given, false).unwrap_or(LogFormat::Text));
    }
    let Some(value) = std::env::var_os("QOPEN_LOG_FORMAT") else { return Ok(LogFormat::Text) };
    let text = value.to_str().map(|it| crate::values::trim(it).trim_matches(['"', '\'']));
    match text {
        Some("") => Ok(LogFormat::Text),
        Some(text) => LogFormat::from_str(text, true),
        None => Err(String::new()),
    }
    .map_err(|_| {
        phrase!(
            "the log format (from QOPEN_LOG_FORMAT) cannot be used: expected text or json\n  example: QOPEN_LOG_FORMAT='json'",
            "日志格式（来自 QOPEN_LOG_FORMAT）无法使用：应为 text 或 json\n  示例：QOPEN_LOG_FORMAT='json'",
        )
    })
}

/// Returns the `--lang` of a command line, else the language of the environment. The parser reports a wrong one later.
///
/// # Errors
/// `QOPEN_LANG` is neither `en` nor `zh`.
pub(crate) fn lang_of(arguments: &[OsString]) -> Result<Lang, Phrase> {
    let env = |name: &str| std::env::var_os(name).map(|it| it.to_string_lossy().into_owned());
    let locale = || Lang::of_locale(env);
    if let Some(given) = switch(arguments, "--lang") {
        return Ok(Lang::from_str(&given, false).unwrap_or_else(|_| locale()));
    }
    let Some(value) = env("QOPEN_LANG") else { return Ok(locale()) };
    match crate::values::trim(&value).trim_matches(['"', '\'']) {
        "" => Ok(locale()),
        text => Lang::from_str(text, true).map_err(|_| {
            phrase!(
                "the language (from QOPEN_LANG) cannot be used: expected en or zh\n  example: QOPEN_LANG='zh'",
                "语言（来自 QOPEN_LANG）无法使用：应为 en 或 zh\n  示例：QOPEN_LANG='zh'",
            )
        }),
    }
}

/// Describes the first argument that is not UTF-8 by its flag or position.
pub(crate) fn not_text(arguments: &[OsString]) -> Option<String> {
    let at = arguments.iter().position(|it| it.to_str().is_none())?;
    let lossy = arguments[at].to_string_lossy();
    let flag = match lossy.split_once('=') {
        Some((flag, _)) if flag.starts_with("--") => Some(flag.to_owned()),
        _ => arguments[..at].last()?.to_str().filter(|it| it.starts_with('-')).map(str::to_owned),
    };
    Some(flag.map_or_else(|| format!("argument {at}"), |flag| format!("the value of {flag}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_switch_comes_before_the_environment_and_that_before_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, terminal, env, expected) in [
            (Auto, true, &[("TERM", "xterm")][..], true),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[], cfg!(windows)),
            (Auto, true, &[("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (Auto, true, &[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (Auto, true, &[("TERM", "xterm"), ("CLICOLOR", "0")], false),
            (Auto, false, &[("TERM", "xterm")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (Always, false, &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            let env_of = |name: &str| env.iter().find(|it| it.0 == name).map(|it| it.1.into());
            assert_eq!(wants_colours(choice, terminal, env_of), expected, "{choice:?} {env:?}");
        }
    }

    #[test]
    fn a_line_fits_the_terminal_and_the_variable() {
        for (own, variable, columns) in [
            (None, None, 80),
            (Some(120), None, 120),
            (None, Some("40"), 40),
            (Some(120), Some("40"), 40),
            (Some(80), Some("200"), 80),
            (Some(0), Some("0"), 1),
            (Some(120), Some("wide"), 120),
            (None, Some("-3"), 80),
        ] {
            assert_eq!(fewer_columns(own, variable), columns, "{own:?} {variable:?}");
        }
    }

    #[test]
    fn switches_are_found_wherever_they_are() {
        assert_eq!(color_of(&os(&["qopen", "pull", "--color", "never"])), ColorChoice::Never);
        assert_eq!(color_of(&os(&["qopen", "--color=ALWAYS", "pull"])), ColorChoice::Always);
        assert_eq!(color_of(&os(&["qopen", "--colour=never"])), ColorChoice::Auto);
        assert_eq!(color_of(&os(&["qopen", "--", "--color=never"])), ColorChoice::Auto);
        assert_eq!(log_format_of(&os(&["qopen", "--log-format=json"])), Ok(LogFormat::Json));
        assert_eq!(lang_of(&os(&["qopen", "--lang", "zh", "pull"])), Ok(Lang::Zh));
        assert_eq!(lang_of(&os(&["qopen", "--lang=zh", "--lang=en"])), Ok(Lang::En));
    }

    #[cfg(unix)]
    #[test]
    fn an_argument_that_is_not_text_is_named_by_its_flag() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = |before: &[u8]| OsString::from_vec([before, b"\xFF"].concat());
        let named = |mut all: Vec<OsString>, last| {
            all.push(last);
            not_text(&all)
        };
        assert_eq!(
            named(os(&["qopen", "pull", "--robot"]), bad(b"r")).as_deref(),
            Some("the value of --robot")
        );
        assert_eq!(
            named(os(&["qopen"]), bad(b"--robot=r")).as_deref(),
            Some("the value of --robot")
        );
        assert_eq!(
            named(os(&["qopen", "pulls", "show"]), bad(b"r")).as_deref(),
            Some("argument 3")
        );
        assert_eq!(not_text(&os(&["qopen", "é"])), None);
    }
}
