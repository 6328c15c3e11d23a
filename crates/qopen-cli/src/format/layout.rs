//! The form of lists: format and options.

use std::path::Path;

use clap::{Args, ValueEnum};
use qopen::sink::{CsvOptions, FileSink, Format, Labels, StreamSink, file_name};
use serde::{Deserialize, Serialize};

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
    pub(super) fn name(self) -> &'static str {
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
}

/// The form of a list.
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

    /// Returns the sink of a robot's list in a folder.
    pub(crate) fn file_of_robot(self, folder: &Path, robot: &str) -> FileSink {
        self.file(folder.join(format!("{}.{}", file_name(robot), self.ending())))
    }

    /// Returns a sink that writes to `writer`.
    pub(crate) fn stream(self, writer: impl std::io::Write + Send + 'static) -> StreamSink {
        StreamSink::new(writer, self.format.into()).csv(self.csv.options())
    }

    /// Returns the query of a list in the control API.
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

    /// Returns the options of a command line.
    pub(crate) fn options(self) -> Vec<String> {
        let CsvArgs { bom, csv_safe, labels } = self.csv;
        let flags = [(bom, "--bom"), (csv_safe, "--csv-safe")].into_iter().filter(|it| it.0);
        let labels =
            labels.map(|it| if it == Language::Zh { "--labels zh" } else { "--labels en" });
        let format = format!("--format {}", self.format.name());
        let rest = flags.map(|it| it.1).chain(labels).map(str::to_owned);
        std::iter::once(format).chain(rest).collect()
    }

    pub(crate) fn stdout(self) -> StreamSink {
        StreamSink::stdout(self.format.into()).csv(self.csv.options())
    }
}
