//! The declaration of a setting: its names, its kind and its texts.

use std::ffi::{OsStr, OsString};

use clap::builder::{
    OsStringValueParser, PathBufValueParser, StringValueParser, TypedValueParser, ValueParser,
};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, ValueHint};

use crate::lang::Text;

/// The kind of a value, which decides how it is trimmed and checked.
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
    /// `true` or `false`. Its flag without a value means `true`.
    Switch,
    /// A `postgres://` URL, or the path of a folder.
    Journal,
}

/// A setting. Its flag with help, its variable, its line in `doctor`, its messages and its row in
/// `docs/CONFIGURATION.md` all come from here.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name in the settings file.
    pub(crate) name: &'static str,
    pub(crate) env: &'static str,
    /// The noun in messages and in `doctor`.
    pub(crate) about: &'static str,
    about_zh: &'static str,
    /// The rest of the meaning in the documentation and in a settings file, after `about`.
    pub(crate) detail: &'static str,
    pub(super) example: &'static str,
    pub(crate) default: Option<&'static str>,
    /// The documentation's text in place of a default.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation"))]
    pub(super) absent: &'static str,
    pub(super) kind: Kind,
    /// Never shown. Clap does not read its variable.
    pub(crate) secret: bool,
    pub(crate) flag: Option<&'static str>,
    pub(crate) value_name: &'static str,
    /// The flag's line of help.
    pub(crate) help: &'static str,
    /// The rest of the flag's help in `--help`.
    more: &'static str,
    /// Whether the flag is an option of some verbs, which read it themselves.
    pub(super) of_verbs: bool,
    /// Whether the flag is repeatable. Commas join its values.
    pub(super) repeatable: bool,
}

impl Spec {
    /// The noun in messages, in both languages.
    pub(crate) const fn noun(&self) -> Text {
        Text::new(self.about, self.about_zh)
    }

    /// Whether its values are whole numbers.
    pub(super) fn is_number(&self) -> bool {
        self.example.parse::<u64>().is_ok()
    }

    /// Whether the settings file may give it as a number. A secret that is a number may have lost zeros.
    pub(super) fn takes_integer(&self) -> bool {
        !self.secret && (self.is_number() || matches!(self.kind, Kind::Word | Kind::Path))
    }
}

/// Declarations.
impl Spec {
    pub(super) const fn new(
        name: &'static str,
        env: &'static str,
        about: &'static str,
        about_zh: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            env,
            about,
            about_zh,
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
        if self.kind == Kind::Switch {
            arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
        }
        if self.kind == Kind::Path {
            arg = arg.value_hint(ValueHint::AnyPath);
        }
        command.arg(if self.secret { arg } else { arg.env(self.env).hide_env_values(true) })
    }

    /// Returns the help of `--help`.
    pub(crate) fn long_help(&self) -> String {
        // In the form of variables that clap reads.
        let env = if self.secret { format!("[env: {}]", self.env) } else { String::new() };
        let parts = [self.help, self.more, &env].map(str::to_owned);
        parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

/// Takes a value unchanged. A flag's must be UTF-8 unless it is a path. A variable's is checked later.
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
