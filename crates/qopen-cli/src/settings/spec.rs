//! How a setting is declared: its names, its nature and its words.

use std::ffi::{OsStr, OsString};

use clap::builder::{
    OsStringValueParser, PathBufValueParser, StringValueParser, TypedValueParser, ValueParser,
};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command};

/// What a setting's text can be, which decides what is trimmed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One word, such as a key. A word in quotes loses them.
    Word,
    /// One word that is a secret. Only the outermost pair of quotes is removed.
    Secret,
    /// An EncodingAESKey. Quotes are part of it if its length is right with them.
    AesKey,
    /// One word of ASCII that is no secret: a URL, an address, a number.
    Ascii,
    /// Words of ASCII: a time, or a list.
    Words,
    /// A path, in whatever bytes the system has.
    Path,
    /// A `postgres://` URL, or the path of a folder.
    Journal,
}

/// A setting, from which come its flag with help, its variable, its line in `doctor`, its messages
/// and its row in `docs/CONFIGURATION.md`.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in the file.
    pub(crate) name: &'static str,
    pub(crate) env: &'static str,
    /// What it is, in a few words.
    pub(crate) about: &'static str,
    /// What the documentation adds to `about`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation"))]
    pub(super) detail: &'static str,
    pub(super) example: &'static str,
    pub(super) default: Option<&'static str>,
    /// What the documentation says in place of a default.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation"))]
    pub(super) absent: &'static str,
    pub(super) kind: Kind,
    /// Never shown, and never given to clap by the environment.
    pub(crate) secret: bool,
    pub(crate) flag: Option<&'static str>,
    pub(crate) value_name: &'static str,
    /// The line of help of the flag.
    pub(crate) help: &'static str,
    /// What `--help` adds to the line.
    more: &'static str,
    /// Whether its flag is an option of some verbs, which read it themselves.
    pub(super) of_verbs: bool,
    /// Whether its flag is repeatable. The values are joined by commas.
    pub(super) repeatable: bool,
}

/// Declarations.
impl Spec {
    pub(super) const fn new(
        name: &'static str,
        env: &'static str,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            env,
            about,
            detail: "",
            example,
            default: None,
            absent: "",
            kind: Kind::Word,
            secret: false,
            flag: None,
            value_name: "",
            help: "",
            more: "",
            of_verbs: false,
            repeatable: false,
        }
    }

    pub(super) const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secret: true, kind: Kind::Secret, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn absent(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }

    pub(super) const fn detail(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    pub(super) const fn flag(
        self,
        flag: &'static str,
        value_name: &'static str,
        help: &'static str,
    ) -> Self {
        Self { flag: Some(flag), value_name, help, ..self }
    }

    pub(super) const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    pub(super) const fn of_verbs(self) -> Self {
        Self { of_verbs: true, ..self }
    }

    pub(super) const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }
}

/// The command line.
impl Spec {
    /// Adds the flag to a command, if it is a flag of all verbs.
    pub(super) fn augment(&self, command: Command) -> Command {
        let Some(flag) = self.flag.filter(|_| !self.of_verbs) else { return command };
        let mut arg = Arg::new(self.name)
            .long(flag.trim_start_matches('-'))
            .value_name(self.value_name)
            .value_parser(ValueParser::new(Raw(self.kind)))
            .action(if self.repeatable { ArgAction::Append } else { ArgAction::Set })
            .help(self.help)
            .long_help(self.long_help())
            .global(true);
        if let Some(default) = self.default {
            arg = arg.default_value(default);
        }
        command.arg(if self.secret { arg } else { arg.env(self.env).hide_env_values(true) })
    }

    /// Help in full.
    pub(crate) fn long_help(&self) -> String {
        // As clap says it of the variables that it reads.
        let env = if self.secret { format!("[env: {}]", self.env) } else { String::new() };
        let parts = [self.help, self.more, &env].map(str::to_owned);
        parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

/// Takes a value as it was given: a flag's must be text unless it is a path, a variable's is read later.
#[derive(Clone)]
struct Raw(Kind);

impl TypedValueParser for Raw {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        match self.0 {
            Kind::Path => PathBufValueParser::new().parse_ref(command, arg, value).map(Into::into),
            _ => StringValueParser::new().parse_ref(command, arg, value).map(Into::into),
        }
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<OsString, clap::Error> {
        match source {
            ValueSource::CommandLine => self.parse_ref(command, arg, value),
            _ => OsStringValueParser::new().parse_ref(command, arg, value),
        }
    }
}
