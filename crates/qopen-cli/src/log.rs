//! The log on standard error.

use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::say::{self, caution};
use crate::terminal::{self, LogFormat};
use crate::topics::warnings;
use crate::traces::{self, Taker};
use crate::values;

/// Time limit for the output of a panic.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

const VARIABLE: &str = "QOPEN_LOG";

/// Writes every line on standard error in this form, including panics.
pub(crate) fn write_as(format: LogFormat) {
    if format == LogFormat::Json {
        say::in_json();
        std::panic::set_hook(Box::new(|panic| {
            say::with_level(Level::ERROR, format_args!("{panic}"));
            say::writer::flush(|| Some(LAST_WORDS));
        }));
    }
}

/// Starts the log. `QOPEN_LOG` is its filter, in the syntax of `tracing`.
pub(crate) fn start(verbose: u8, format: LogFormat) -> Result<(), Failure> {
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = match std::env::var_os(VARIABLE) {
        None => EnvFilter::new(level),
        Some(value) => {
            let text = value
                .to_str()
                .ok_or_else(|| wrong(&phrase!("it is not UTF-8 text", "它不是 UTF-8 文本")))?;
            filter(text)?.unwrap_or_else(|| EnvFilter::new(level))
        }
    };
    // A line that cannot be written is not; saying so could not be, either.
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(terminal::has_colours() && format == LogFormat::Text)
        .with_writer(|| say::Log)
        .log_internal_errors(false);
    let log = match format {
        LogFormat::Text => log.with_filter(filter).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_filter(filter).boxed(),
    };
    // Traces have a filter of their own.
    let takers: Vec<Taker> = std::iter::once(log).chain(traces::layer()?).collect();
    tracing_subscriber::registry().with(takers).init();
    Ok(())
}

/// Parses the filter, or returns `None` for a blank text.
fn filter(text: &str) -> Result<Option<EnvFilter>, Failure> {
    let text = values::trim(values::trim(text).trim_matches(['"', '\'']));
    if text.is_empty() {
        return Ok(None);
    }
    // A word by itself is a level or the name of a module, and few mean a module.
    for word in text.split(',').map(values::trim) {
        if let Some(level) = mistyped_level(word) {
            caution!(
                warnings::LOG_LEVEL,
                "{variable}: no level is called {word}; did you mean {level}?",
                "{variable}：没有名为 {word} 的级别；是否想输入 {level}？",
                variable = VARIABLE,
                word = format!("{word:?}"),
                level = level,
            );
        }
    }
    let parsed = EnvFilter::builder().parse(text);
    parsed.map(Some).map_err(|error| wrong(&Phrase::same(error.to_string())))
}

/// Returns the level that a word, alone or after `=`, resembles.
fn mistyped_level(word: &str) -> Option<&'static str> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let word = word.to_lowercase();
    if word.contains(['=', '[', ':']) || LEVELS.contains(&&*word) || word.parse::<usize>().is_ok() {
        return None;
    }
    LEVELS.into_iter().filter(|it| it.len() > 3).find(|it| strsim::osa_distance(it, &word) <= 2)
}

fn wrong(reason: &Phrase) -> Failure {
    Failure::usage(phrase!(
        "the log filter (from {name}) cannot be used: {reason}\n  example: {name}='info,qopen_http=debug'",
        "日志过滤器（来自 {name}）无法使用：{reason}\n  示例：{name}='info,qopen_http=debug'",
        name = VARIABLE,
        reason = reason,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use std::process::Command;

    use super::*;

    /// The process of the test below.
    #[test]
    #[ignore = "changes its whole process"]
    fn panics_under_a_log_in_json() {
        write_as(LogFormat::Json);
        assert!(std::thread::spawn(|| panic!("two\nlines, \"quoted\"")).join().is_err());
    }

    #[test]
    fn a_panic_under_a_log_in_json_is_one_object() {
        let mut process = Command::new(std::env::current_exe().unwrap());
        let name = "log::tests::panics_under_a_log_in_json";
        let output = process.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let object: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(object["level"], "ERROR");
        let message = object["message"].as_str().unwrap();
        assert!(message.contains("panicked at") && message.ends_with("lines, \"quoted\""));
    }

    #[test]
    fn filters_are_read_as_pasted_and_mistakes_are_told() {
        for text in ["debug", " \"debug\"\n", "info,qopen=trace", "3", "qopen[span]=debug"] {
            assert!(matches!(filter(text), Ok(Some(_))), "{text}");
        }
        for text in ["", "\n", "\"\""] {
            assert!(matches!(filter(text), Ok(None)), "{text}");
        }
        for text in ["qopen=loud", "[", "a=b=c"] {
            let said = filter(text).map(drop).map_err(|it| it.to_string());
            assert!(said.is_err_and(|it| it.contains("QOPEN_LOG=")), "{text}");
        }
        for (word, level) in
            [("debgu", Some("debug")), ("wran", Some("warn")), ("DEBUG", None), ("qopen", None)]
        {
            assert_eq!(mistyped_level(word), level, "{word}");
        }
    }
}
