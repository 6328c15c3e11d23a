//! The formats of lists by their names.

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{Error, ErrorKind};
use clap::{Arg, Command, ValueEnum};
use qopen::sink::Format;
use serde::{Deserialize, Deserializer, Serialize};

use crate::lang::{Phrase, Text, phrase};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputFormat {
    /// One JSON object per line
    #[default]
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// A workbook for spreadsheets
    Xlsx,
    /// Typed columns for data tools
    #[cfg(feature = "parquet")]
    Parquet,
    /// Messages of the Singer protocol, on standard output
    Singer,
}

/// The name of the format that is in some builds.
pub(super) const PARQUET: &str = "parquet";

/// Tells which build writes Parquet.
pub(super) const PARQUET_BUILD: Text = Text::new(
    "this build does not write Parquet; build one that does: cargo install --path crates/qopen-cli --features parquet",
    "此构建不写 Parquet；请构建支持它的版本：cargo install --path crates/qopen-cli --features parquet",
);

impl OutputFormat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Singer => "singer",
            other => Format::from(other).ending(),
        }
    }

    /// The name for people.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Singer => "Singer messages".to_owned(),
            other => Format::from(other).to_string(),
        }
    }

    /// Whether a list is lines of text.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv | Self::Singer)
    }

    /// Whether lists in files are compared with the last ones.
    pub(crate) fn is_compared(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv)
    }

    /// Finds a format by its name.
    ///
    /// # Errors
    /// The reason, with the known names.
    pub(crate) fn named(name: &str) -> Result<Self, Phrase> {
        Self::from_str(name, false).map_err(|_| match name {
            PARQUET => PARQUET_BUILD.into(),
            name => {
                // Settings and queries name formats of files, and Singer is none.
                let files = Self::value_variants().iter().filter(|it| **it != Self::Singer);
                let known = files.map(|it| format!("`{}`", it.name()));
                let known = known.collect::<Vec<_>>().join(" or ");
                phrase!(
                    "{name} is not known; give {known}",
                    "{name} 未知；请写 {known}",
                    name = format!("{name:?}"),
                    known = Phrase::any_of(&known),
                )
            }
        })
    }
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            // The records in messages, and what lies beside them.
            OutputFormat::Jsonl | OutputFormat::Singer => Self::Jsonl,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Xlsx => Self::Xlsx,
            #[cfg(feature = "parquet")]
            OutputFormat::Parquet => Self::Parquet,
        }
    }
}

impl<'de> Deserialize<'de> for OutputFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name)
            .map_err(|why| serde::de::Error::custom(format!("format: {}", why.english())))
    }
}

/// Parses the value of `--format`.
#[derive(Clone, Debug)]
pub(super) struct Parser;

impl TypedValueParser for Parser {
    type Value = OutputFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, Error> {
        if value == PARQUET && OutputFormat::named(PARQUET).is_err() {
            let message = format!("--format {PARQUET}: {}\n", PARQUET_BUILD.en);
            return Err(Error::raw(ErrorKind::InvalidValue, message).with_cmd(command));
        }
        EnumValueParser::<OutputFormat>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let known = OutputFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        Some(Box::new(known))
    }
}
