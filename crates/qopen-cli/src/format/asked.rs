//! The requested form of a list, checked against its place.

use std::path::Path;

use clap::Args;
use qopen::sink::shown_path;

use super::ending::{KNOWN, Named, SPREADSHEETS, with_ending};
use super::layout::{CsvArgs, Layout};
use super::output_format::{OutputFormat, PARQUET, PARQUET_BUILD, Parser};
use crate::exit::Failure;
use crate::values::out::{is_database, refuse_scheme};

/// The names of options in messages: flags, or keys of the settings file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Words {
    Flags,
    /// Flags of a verb without `--format`.
    NoFormat,
    Keys,
}

impl Words {
    fn option(self, key: &str) -> String {
        match self {
            Self::Flags | Self::NoFormat => format!("--{}", key.replace('_', "-")),
            Self::Keys => key.to_owned(),
        }
    }

    fn with_value(self, key: &str, value: &str) -> String {
        match self {
            Self::Flags | Self::NoFormat => format!("{} {value}", self.option(key)),
            Self::Keys => format!("{key} = {value:?}"),
        }
    }
}

/// The requested form of a list. Its place decides the default.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Asked {
    /// Write lists in this format [default: by a file's ending, else jsonl]
    #[arg(long, value_parser = Parser)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
}

impl Asked {
    /// Whether no form was requested.
    pub(crate) fn is_nothing(self) -> bool {
        self.format.is_none() && self.csv.is_plain()
    }

    /// Decides the form of a list at `out`. `before` applies if neither the options nor the name decide.
    pub(crate) fn at(self, out: &Path, before: Layout) -> Result<Layout, Failure> {
        self.settle(Words::Flags, out, before).map_err(Failure::usage)
    }

    pub(crate) fn settle(self, words: Words, out: &Path, before: Layout) -> Result<Layout, String> {
        let place = words.with_value("out", &shown_path(out));
        refuse_scheme(out).map_err(|reason| format!("{}: {reason}", words.option("out")))?;
        let is_stream = out == Path::new("-");
        if self.format == Some(OutputFormat::Singer) && !is_stream {
            return Err(format!(
                "{} contradicts {place}: Singer messages go to standard output, from where a target reads them; write to -\n  example: qopen pull --robot ID --out - --format singer | target-jsonl",
                words.with_value("format", "singer")
            ));
        }
        let before = match before.format {
            OutputFormat::Singer if !is_stream => Layout::default(),
            _ => before,
        };
        if is_database(out) {
            return match (self.format, self.csv.is_plain()) {
                (None, true) => Ok(Layout::default()),
                (Some(_), _) => Err(words.option("format")),
                (None, false) => Err(names(self.csv, words)),
            }
            .map_err(|option| {
                format!("{option}: a database holds rows, not files; leave the option out")
            });
        }
        let named = match out == Path::new("-") || out.is_dir() {
            true => Named::Nothing,
            false => Named::through_link(out).map_err(|reason| format!("{place}: {reason}"))?,
        };
        let format = match (named, self.format) {
            (Named::Nothing, asked) => asked.unwrap_or(before.format),
            (Named::Format(named), Some(asked)) if named != asked => {
                return Err(format!(
                    "{} contradicts {place}, whose ending says {}; change one of them",
                    words.with_value("format", asked.name()),
                    named.name()
                ));
            }
            (Named::Format(named), _) => named,
            (Named::Json, Some(OutputFormat::Jsonl)) => OutputFormat::Jsonl,
            (Named::Json, Some(asked)) => {
                return Err(format!(
                    "{} contradicts {place}, whose ending says JSON; change one of them",
                    words.with_value("format", asked.name())
                ));
            }
            (Named::Json, None) => {
                let or = match words {
                    Words::NoFormat => String::new(),
                    words => format!(", or give {}", words.with_value("format", "jsonl")),
                };
                return Err(format!(
                    "{place}: JSON Lines are not one JSON document; name the file {}{or}",
                    with_ending(out, "jsonl")
                ));
            }
            (Named::Unknown(_), Some(asked)) => asked,
            (Named::Unknown(ending), None) => {
                let keep = match words {
                    Words::NoFormat => String::new(),
                    words => {
                        format!("; give {} to keep the name", words.with_value("format", "csv"))
                    }
                };
                return Err(format!(
                    "{place}: the ending .{ending} is not known; known are {KNOWN}{keep}\n  example: {}",
                    words.with_value("out", &with_ending(out, "csv"))
                ));
            }
            (Named::Unsupported(ending), _) => {
                let is_spreadsheet = SPREADSHEETS.contains(&&*ending);
                let better = if is_spreadsheet { "xlsx" } else { "csv" };
                let build = match &*ending {
                    PARQUET => format!(": {PARQUET_BUILD}"),
                    _ => String::new(),
                };
                return Err(format!(
                    "{place}: .{ending} is not supported{build}; supported are {KNOWN}\n  example: {}",
                    words.with_value("out", &with_ending(out, better))
                ));
            }
        };
        let csv = match (format, self.csv.is_plain()) {
            (OutputFormat::Csv, true) => before.csv,
            // The options of CSV before are not those of XLSX.
            (OutputFormat::Xlsx, true) => CsvArgs { labels: before.csv.labels, ..self.csv },
            (OutputFormat::Xlsx, false) if self.csv.is_for_any_table() => self.csv,
            (OutputFormat::Xlsx, false) => {
                let options = names(CsvArgs { labels: None, ..self.csv }, words);
                return Err(format!(
                    "{options}: for CSV only, and {place} is written as XLSX, where every text is safe; leave it out"
                ));
            }
            (format @ (OutputFormat::Jsonl | OutputFormat::Singer), false) => {
                let options = names(self.csv, words);
                let csv = words.with_value("format", "csv");
                let only = match self.csv.is_for_any_table() {
                    true => "for CSV and XLSX only",
                    false => "for CSV only",
                };
                return Err(format!(
                    "{options}: {only}, and {place} is written as {}; write to a file that ends in .csv, or give {csv} for other names",
                    format.title()
                ));
            }
            (OutputFormat::Csv, false) | (OutputFormat::Jsonl | OutputFormat::Singer, true) => {
                self.csv
            }
            #[cfg(feature = "parquet")]
            (OutputFormat::Parquet, true) => self.csv,
            #[cfg(feature = "parquet")]
            (OutputFormat::Parquet, false) => {
                let options = names(self.csv, words);
                return Err(format!(
                    "{options}: for CSV and XLSX only, and {place} is written as Parquet, whose columns have types; leave it out"
                ));
            }
        };
        Ok(Layout { format, csv })
    }
}

/// Returns the names of the options that are set.
fn names(csv: CsvArgs, words: Words) -> String {
    let all = [(csv.bom, "bom"), (csv.csv_safe, "csv_safe"), (csv.labels.is_some(), "labels")];
    let set = all.into_iter().filter(|it| it.0).map(|it| words.option(it.1));
    set.collect::<Vec<_>>().join(", ")
}
