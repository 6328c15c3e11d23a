//! Exit codes and failures.

use std::fmt;
use std::process::ExitCode;

/// All exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Complete = 0,
    Unexpected = 1,
    Usage = 2,
    Incomplete = 3,
    NoCallback = 4,
    Refused = 5,
    Reported = 6,
    Output = 7,
    Interrupted = 130,
    /// The reader of standard output closed the pipe. A process killed by SIGPIPE has the same code.
    ReaderLeft = 141,
}

/// The exit codes in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    complete: the whole list was written
  1    unexpected error, such as an unreachable platform
  2    usage or configuration
  3    incomplete: pages came, but the list is not complete
  4    no callback came
  5    the platform refused the request or the credentials
  6    the platform reported an error by callback
  7    the output could not be written
  130  interrupted; run the same command again to resume
  141  the reader of standard output closed the pipe early
With several robots, the first of 130, 7, 5, 6, 4, 3, 1 that occurred.";

impl Exit {
    /// Returns the code of several pulls.
    pub(crate) fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        const ORDER: [Exit; 7] = [
            Exit::Interrupted,
            Exit::Output,
            Exit::Refused,
            Exit::Reported,
            Exit::NoCallback,
            Exit::Incomplete,
            Exit::Unexpected,
        ];
        let all: Vec<Self> = all.into_iter().collect();
        ORDER.into_iter().find(|it| all.contains(it)).unwrap_or(Self::Complete)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that ends a command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
    /// The wrong setting, by its name in the file.
    setting: Option<&'static str>,
    is_missing: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), setting: None, is_missing: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message.into())
    }

    /// Names the wrong setting.
    pub(crate) fn of_setting(self, name: &'static str) -> Self {
        Self { setting: Some(name), ..self }
    }

    /// Fails because a setting is not set.
    pub(crate) fn missing(name: &'static str, message: String) -> Self {
        Self { is_missing: true, ..Self::usage(message).of_setting(name) }
    }

    /// Whether a setting is not set.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing
    }

    pub(crate) fn setting(&self) -> Option<&'static str> {
        self.setting
    }

    /// Joins failures of settings. `None` without any.
    pub(crate) fn of_settings(mut all: Vec<Self>) -> Option<Self> {
        if all.len() < 2 {
            return all.pop();
        }
        let missing = all.iter().filter(|it| it.is_missing).count();
        let what = match missing {
            0 => "cannot be used",
            missing if missing == all.len() => "are missing",
            _ => "are missing or cannot be used",
        };
        let indented = |it: &Self| format!("\n  {}", it.message.replace('\n', "\n  "));
        let each: String = all.iter().map(indented).collect();
        Some(Self::usage(format!("{} settings {what}:{each}", all.len())))
    }

    pub(crate) fn usage_of(what: &str, error: &dyn std::error::Error) -> Self {
        Self::usage(chain(what, error))
    }

    pub(crate) fn output(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Output, chain(what, error))
    }

    pub(crate) fn unexpected(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Unexpected, chain(what, error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Formats an error with all its causes on one line.
pub(crate) fn chain(what: &str, error: &dyn std::error::Error) -> String {
    let mut message = what.to_owned();
    let mut next = Some(error);
    while let Some(error) = next {
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&error.to_string());
        next = error.source();
    }
    message
}
