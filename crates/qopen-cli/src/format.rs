//! How a list is written: as its options say, or as the name of its place says.

use std::path::Path;

use clap::{Args, ValueEnum};
use qopen::sink::{CsvOptions, FileSink, Format, Labels, StreamSink, file_name, shown_path};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::exit::Failure;
use crate::values::out::refuse_scheme;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputFormat {
    /// One JSON object per line
    #[default]
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl OutputFormat {
    fn name(self) -> &'static str {
        Format::from(self).ending()
    }
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Jsonl => Self::Jsonl,
            OutputFormat::Csv => Self::Csv,
        }
    }
}

/// Options of CSV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
pub(crate) struct CsvArgs {
    /// CSV: begin with a byte order mark, for Excel
    #[arg(long)]
    #[serde(default)]
    pub(crate) bom: bool,
    /// CSV: put ' before texts that a spreadsheet would run or change
    #[arg(long)]
    #[serde(default)]
    pub(crate) csv_safe: bool,
    /// CSV: write the header and known codes in words
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    #[serde(default)]
    pub(crate) labels: Option<Language>,
}

/// A language of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// Chinese
    Zh,
    /// English
    En,
}

impl CsvArgs {
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    fn options(self) -> CsvOptions {
        let labels = self.labels.map(|it| match it {
            Language::Zh => Labels::Zh,
            Language::En => Labels::En,
        });
        CsvOptions::default().bom(self.bom).safe(self.csv_safe).labels(labels)
    }

    /// The names of the options that are set.
    fn names(self, words: Words) -> String {
        let all =
            [(self.bom, "bom"), (self.csv_safe, "csv_safe"), (self.labels.is_some(), "labels")];
        let set = all.into_iter().filter(|it| it.0).map(|it| words.option(it.1));
        set.collect::<Vec<_>>().join(", ")
    }
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: OutputFormat,
    pub(crate) csv: CsvArgs,
}

impl Layout {
    pub(crate) fn ending(self) -> &'static str {
        self.format.name()
    }

    pub(crate) fn file(self, path: impl Into<std::path::PathBuf>) -> FileSink {
        FileSink::new(path, self.format.into()).csv(self.csv.options())
    }

    /// A robot's list in a folder.
    pub(crate) fn file_of_robot(self, folder: &Path, robot: &str) -> FileSink {
        self.file(folder.join(format!("{}.{}", file_name(robot), self.ending())))
    }

    /// A list that flows into `writer`.
    pub(crate) fn stream(self, writer: impl std::io::Write + Send + 'static) -> StreamSink {
        StreamSink::new(writer, self.format.into()).csv(self.csv.options())
    }

    /// The parameters of a list over the control API.
    pub(crate) fn query(self) -> String {
        let CsvArgs { bom, csv_safe, labels } = self.csv;
        let mut query = format!("format={}", self.format.name());
        for (name, _) in [("bom", bom), ("csv_safe", csv_safe)].iter().filter(|it| it.1) {
            query.push_str(&format!("&{name}=true"));
        }
        match labels {
            None => {}
            Some(Language::Zh) => query.push_str("&labels=zh"),
            Some(Language::En) => query.push_str("&labels=en"),
        }
        query
    }

    pub(crate) fn stdout(self) -> StreamSink {
        StreamSink::stdout(self.format.into()).csv(self.csv.options())
    }
}

/// The words in which options are named: flags, or keys of the settings file.
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

/// The requested form of a list, whose default its place says.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Asked {
    /// Write lists in this format [default: by a file's ending, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<OutputFormat>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
}

impl Asked {
    /// Whether nothing was.
    pub(crate) fn is_nothing(self) -> bool {
        self.format.is_none() && self.csv.is_plain()
    }

    /// Settles how a list at `out` is written. `before` applies where neither the options nor the name
    /// say it.
    pub(crate) fn at(self, out: &Path, before: Layout) -> Result<Layout, Failure> {
        self.settle(Words::Flags, out, before).map_err(Failure::usage)
    }

    pub(crate) fn settle(self, words: Words, out: &Path, before: Layout) -> Result<Layout, String> {
        let place = words.with_value("out", &shown_path(out));
        refuse_scheme(out).map_err(|reason| format!("{}: {reason}", words.option("out")))?;
        if database::of(out).is_some() {
            return match (self.format, self.csv.is_plain()) {
                (None, true) => Ok(Layout::default()),
                (Some(_), _) => Err(words.option("format")),
                (None, false) => Err(self.csv.names(words)),
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
                    "{place}: the ending .{ending} is not known; known are .csv (CSV) and .jsonl or .ndjson (JSON Lines){keep}\n  example: {}",
                    words.with_value("out", &with_ending(out, "csv"))
                ));
            }
            (Named::Unsupported(ending), _) => {
                let people = match words {
                    Words::Flags if SPREADSHEETS.contains(&&*ending) => " --bom --csv-safe",
                    _ => "",
                };
                return Err(format!(
                    "{place}: .{ending} is not supported; supported are .csv (CSV) and .jsonl or .ndjson (JSON Lines)\n  example: {}{people}",
                    words.with_value("out", &with_ending(out, "csv"))
                ));
            }
        };
        let csv = match (format, self.csv.is_plain()) {
            (OutputFormat::Csv, true) => before.csv,
            (OutputFormat::Jsonl, false) => {
                let options = self.csv.names(words);
                let csv = words.with_value("format", "csv");
                return Err(format!(
                    "{options}: for CSV only, and {place} is written as JSON Lines; write to a file that ends in .csv, or give {csv} for other names"
                ));
            }
            _ => self.csv,
        };
        Ok(Layout { format, csv })
    }
}

/// What a file's name says of its format.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    Format(OutputFormat),
    /// One JSON document, which a list is not.
    Json,
    Unsupported(String),
    /// An ending that may be one of a format.
    Unknown(String),
}

/// Characters of the longest ending that may be one of a format.
const LONGEST_ENDING: usize = 5;

/// Endings of formats and packings that lists are not written in.
const UNSUPPORTED: [&str; 45] = [
    "7z", "arrow", "avro", "bson", "bz2", "cbor", "db", "dbf", "doc", "docx", "duckdb", "et",
    "feather", "gz", "htm", "html", "ini", "lz4", "md", "mdb", "msgpack", "numbers", "ods", "orc",
    "parquet", "pdf", "proto", "rar", "sql", "sqlite", "sqlite3", "tab", "tar", "tgz", "toml",
    "tsv", "xls", "xlsb", "xlsm", "xlsx", "xml", "xz", "yaml", "yml", "zip",
];

/// Endings of spreadsheets, whose users want CSV for people.
const SPREADSHEETS: [&str; 7] = ["et", "numbers", "ods", "xls", "xlsb", "xlsm", "xlsx"];

impl Named {
    /// What the name says, or the name of the file behind a link: that is the one that is written.
    fn through_link(out: &Path) -> Result<Self, String> {
        let named = Self::by(out);
        let Ok(next) = std::fs::read_link(out) else { return Ok(named) };
        // A link to nothing yet has no canonical path.
        let behind = std::fs::canonicalize(out).unwrap_or(next);
        match (named, Self::by(&behind)) {
            (named, Self::Nothing) => Ok(named),
            (Self::Nothing | Self::Unknown(_), behind) => Ok(behind),
            (named, Self::Unknown(_)) => Ok(named),
            (named, other) if named == other => Ok(named),
            _ => {
                Err(format!("it is a link to {}, whose ending says otherwise", shown_path(&behind)))
            }
        }
    }

    fn by(out: &Path) -> Self {
        let text = out.to_string_lossy();
        let name = text.rsplit('/').next().unwrap_or_default();
        // A mark behind an ending is a slip, as in `x.csv.` and `x.csv"`.
        let trimmed = name.trim_end_matches(|it: char| !it.is_alphanumeric());
        let Some((stem, ending)) = trimmed.rsplit_once('.') else { return Self::Nothing };
        let ending = ending.to_lowercase();
        let named = match &*ending {
            "csv" => Self::Format(OutputFormat::Csv),
            "jsonl" | "ndjson" => Self::Format(OutputFormat::Jsonl),
            "json" => Self::Json,
            "zst" | "zstd" | "br" => Self::Unsupported(ending.clone()),
            it if UNSUPPORTED.contains(&it) => Self::Unsupported(ending.clone()),
            _ => Self::Nothing,
        };
        let is_ending = (1..=LONGEST_ENDING).contains(&ending.chars().count())
            && ending.chars().all(char::is_alphanumeric)
            && !ending.chars().all(char::is_numeric);
        let is_plain = name.len() == trimmed.len();
        match named {
            Self::Nothing if is_plain && is_ending && !stem.is_empty() && !is_device(out) => {
                Self::Unknown(ending)
            }
            Self::Nothing => Self::Nothing,
            named if is_plain => named,
            _ => Self::Unknown(name[stem.len() + 1..].to_owned()),
        }
    }
}

fn is_device(out: &Path) -> bool {
    out.starts_with("/dev")
}

/// The path with that ending in place of those that say something of a format.
fn with_ending(out: &Path, ending: &str) -> String {
    let mut bare = out.with_extension("");
    let says = |it: &Path| !matches!(Named::by(it), Named::Nothing | Named::Unknown(_));
    while bare.extension().is_some() && says(&bare) {
        bare.set_extension("");
    }
    let name = bare.file_name().unwrap_or_default().to_string_lossy().into_owned();
    shown_path(&bare.with_file_name(format!("{name}.{ending}"))).into_owned()
}
