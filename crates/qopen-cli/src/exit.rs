//! Exit codes and failures.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::causes;
use crate::lang::{Lang, Phrase, Text, phrase};
use crate::topics::{Topic, exits, warnings};

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
    /// Every exit code.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Complete,
        Self::Unexpected,
        Self::Usage,
        Self::Incomplete,
        Self::NoCallback,
        Self::Refused,
        Self::Reported,
        Self::Output,
        Self::Interrupted,
        Self::ReaderLeft,
    ];

    /// What the code means.
    pub(crate) fn topic(self) -> &'static Topic {
        match self {
            Self::Complete => &exits::COMPLETE,
            Self::Unexpected => &exits::UNEXPECTED,
            Self::Usage => &exits::USAGE,
            Self::Incomplete => &exits::INCOMPLETE,
            Self::NoCallback => &exits::NO_CALLBACK,
            Self::Refused => &exits::REFUSED,
            Self::Reported => &exits::REPORTED,
            Self::Output => &exits::OUTPUT,
            Self::Interrupted => &exits::INTERRUPTED,
            Self::ReaderLeft => &exits::READER_LEFT,
        }
    }

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
    message: Phrase,
    topic: &'static Topic,
    /// The wrong setting, by its name in the file.
    setting: Option<&'static str>,
    is_missing: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<Phrase>) -> Self {
        let topic = exit.topic();
        Self { exit, message: message.into(), topic, setting: None, is_missing: false }
    }

    pub(crate) fn usage(message: impl Into<Phrase>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Names the wrong setting.
    pub(crate) fn of_setting(self, name: &'static str) -> Self {
        Self { setting: Some(name), topic: &warnings::SETTING_WRONG, ..self }
    }

    /// Fails because a setting is not set.
    pub(crate) fn missing(name: &'static str, message: Phrase) -> Self {
        let failure = Self::usage(message).of_setting(name);
        Self { is_missing: true, topic: &warnings::SETTING_MISSING, ..failure }
    }

    /// Whether a setting is not set.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing
    }

    pub(crate) fn setting(&self) -> Option<&'static str> {
        self.setting
    }

    /// The entry of `qopen explain` that tells more.
    pub(crate) fn topic(&self) -> &'static Topic {
        self.topic
    }

    pub(crate) fn message(&self) -> &Phrase {
        &self.message
    }

    /// Joins failures of settings. `None` without any.
    pub(crate) fn of_settings(mut all: Vec<Self>) -> Option<Self> {
        if all.len() < 2 {
            return all.pop();
        }
        let missing = all.iter().filter(|it| it.is_missing).count();
        let (what, topic) = match missing {
            0 => (Text::new("cannot be used", "无法使用"), &warnings::SETTING_WRONG),
            missing if missing == all.len() => {
                (Text::new("are missing", "缺失"), &warnings::SETTING_MISSING)
            }
            _ => (
                Text::new("are missing or cannot be used", "缺失或无法使用"),
                &warnings::SETTING_MISSING,
            ),
        };
        let each = |lang: Lang| {
            let indented = |it: &Self| it.message.of(lang).replace('\n', "\n  ");
            all.iter().map(|it| format!("\n  {}", indented(it))).collect::<String>()
        };
        let each = Phrase::new(each(Lang::En), each(Lang::Zh));
        let count = all.len();
        let message = phrase!(
            "{count} settings {what}:{each}",
            "{count} 项设置{what}：{each}",
            count = count,
            what = what,
            each = each,
        );
        Some(Self { topic, ..Self::usage(message) })
    }

    pub(crate) fn usage_of(what: impl Into<Phrase>, error: &(dyn Error + 'static)) -> Self {
        Self::usage(chained(what, error))
    }

    pub(crate) fn output(what: impl Into<Phrase>, error: &(dyn Error + 'static)) -> Self {
        Self::new(Exit::Output, chained(what, error))
    }

    pub(crate) fn unexpected(what: impl Into<Phrase>, error: &(dyn Error + 'static)) -> Self {
        Self::new(Exit::Unexpected, chained(what, error))
    }
}

/// In English, for programs and for sentences around it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.english())
    }
}

/// Formats an error with all its causes on one line.
pub(crate) fn chain(what: &str, error: &dyn Error) -> String {
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

/// The same in both languages. A cause that has no Chinese of its own is in English.
pub(crate) fn chained(what: impl Into<Phrase>, error: &(dyn Error + 'static)) -> Phrase {
    let mut message = what.into();
    let mut next = Some(error);
    while let Some(error) = next {
        let cause = Phrase::new(error.to_string(), causes::chinese(error));
        message = if message.is_empty() { cause } else { Phrase::about(message, cause) };
        next = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_a_topic_that_names_it() {
        for exit in Exit::ALL {
            let topic = exit.topic();
            let [en, zh] = [Lang::En, Lang::Zh].map(|lang| topic.to_text(lang, 100));
            assert!(en.contains(&format!("(exit code {})\n", exit as u8)), "{en}");
            assert!(zh.contains(&format!("（退出码 {}）\n", exit as u8)), "{zh}");
        }
    }

    #[test]
    fn failures_of_settings_are_joined_in_both_languages_and_name_their_topic() {
        let missing =
            |name| Failure::missing(name, phrase!("{n} is not set", "缺少 {n}", n = name));
        let one = Failure::of_settings(vec![missing("a")]).expect("one");
        assert_eq!(one.topic().name, "setting-missing");
        let wrong = Failure::usage("b cannot be used").of_setting("b");
        let two = Failure::of_settings(vec![missing("a"), wrong]).expect("two");
        let (en, zh) = (two.message().of(Lang::En), two.message().of(Lang::Zh));
        assert_eq!(
            en,
            "2 settings are missing or cannot be used:\n  a is not set\n  b cannot be used"
        );
        assert_eq!(zh, "2 项设置缺失或无法使用：\n  缺少 a\n  b cannot be used");
        assert_eq!(two.to_string(), en);
    }
}
