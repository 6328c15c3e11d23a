//! The form of lists: format and options.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use qopen::sink::{CsvOptions, FileSink, Format, Labels, Sink, StreamSink, XlsxOptions, file_name};
use serde::{Deserialize, Serialize};

use super::output_format::OutputFormat;
use super::{singer, times};
use crate::exit::Failure;
use crate::lang::phrase;

/// Options of CSV. XLSX has the labels, too.
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
    /// CSV, XLSX: write the header and known codes in words
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

    /// Whether no option is set that only CSV has.
    pub(crate) fn is_for_any_table(self) -> bool {
        !self.bom && !self.csv_safe
    }

    fn labels(self) -> Option<Labels> {
        self.labels.map(|it| match it {
            Language::Zh => Labels::Zh,
            Language::En => Labels::En,
        })
    }

    fn options(self) -> CsvOptions {
        CsvOptions::default().bom(self.bom).safe(self.csv_safe).labels(self.labels())
    }

    fn xlsx(self) -> XlsxOptions {
        XlsxOptions::default().labels(self.labels()).zone(times::of_lists())
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
        Format::from(self.format).ending()
    }

    /// Whether lists are messages.
    pub(crate) fn is_singer(self) -> bool {
        self.format == OutputFormat::Singer
    }

    pub(crate) fn file(self, path: impl Into<std::path::PathBuf>) -> FileSink {
        let file = FileSink::new(path, self.format.into()).csv(self.csv.options());
        match self.format {
            OutputFormat::Xlsx => file.xlsx(self.csv.xlsx()),
            _ => file,
        }
    }

    /// Whether a file in this format holds a limited number of customers.
    pub(crate) fn has_limit(self) -> bool {
        Format::from(self.format).most_customers().is_some()
    }

    /// Returns the sink of a robot's list in a folder.
    pub(crate) fn file_of_robot(self, folder: &Path, robot: &str) -> FileSink {
        self.file(folder.join(format!("{}.{}", file_name(robot), self.ending())))
    }

    /// Returns a sink that writes to `writer`.
    pub(crate) fn stream(self, writer: impl std::io::Write + Send + 'static) -> StreamSink {
        self.options_of(StreamSink::new(writer, self.format.into()))
    }

    /// The zone of times in lists; `None` if the format has no dates.
    pub(crate) fn zone(self) -> Option<String> {
        match self.format {
            OutputFormat::Xlsx => Some(times::of_lists().name().to_owned()),
            _ => None,
        }
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

    /// Returns a sink that writes to standard output. A list waits in `folder`, and what could not be read goes beside
    /// `file`.
    pub(crate) fn stdout(self, folder: Option<&Path>, file: Option<&FileSink>) -> Arc<dyn Sink> {
        let beside = file.map(|file| (file.quarantine_path(), file.overflow_path()));
        if self.is_singer() {
            let sink = singer::sink().in_folder(folder);
            return match beside {
                Some((quarantine, _)) => Arc::new(sink.quarantine_to(quarantine)),
                None => Arc::new(sink),
            };
        }
        let sink = self.options_of(StreamSink::stdout(self.format.into())).in_folder(folder);
        match beside {
            Some((quarantine, overflow)) => {
                Arc::new(sink.quarantine_to(quarantine).overflow_to(overflow))
            }
            None => Arc::new(sink),
        }
    }

    fn options_of(self, stream: StreamSink) -> StreamSink {
        let stream = stream.csv(self.csv.options());
        match self.format {
            OutputFormat::Xlsx => stream.xlsx(self.csv.xlsx()),
            _ => stream,
        }
    }

    /// Checks what the format needs beside the place: XLSX needs a time zone, and a format that is not text a stream
    /// that is no terminal.
    pub(crate) fn check(self, is_stdout: bool) -> Result<(), Failure> {
        if is_stdout && !self.format.is_text() && std::io::stdout().is_terminal() {
            let (title, ending) = (self.format.title(), self.format.name());
            return Err(Failure::usage(phrase!(
                "{title} is not for a terminal; write to a file, such as --out customers.{ending}, or send standard output elsewhere",
                "{title} 不适合终端；请写入文件，例如 --out customers.{ending}，或将标准输出转到别处",
                title = title,
                ending = ending,
            )));
        }
        match self.format {
            OutputFormat::Xlsx => times::check(),
            _ => Ok(()),
        }
    }
}
