//! The requested form of a list, checked against its place.

use std::path::Path;

use clap::Args;
use qopen::sink::shown_path;

use super::ending::{KNOWN, Named, SPREADSHEETS, with_ending};
use super::layout::{CsvArgs, Layout};
use super::output_format::{OutputFormat, PARQUET, PARQUET_BUILD, Parser};
use crate::exit::Failure;
use crate::lang::{COMMA, Phrase, Text, phrase};
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

    /// The place of lists, as the option is written.
    fn place(self, out: &Path) -> String {
        self.with_value("out", &shown_path(out))
    }

    /// The advice to give a format, between two texts. Nothing if the verb has no such option.
    fn or_format(self, format: &str, before: Text, behind: Text) -> Phrase {
        match self {
            Self::NoFormat => Phrase::default(),
            words => phrase!(
                "{before}{option}{behind}",
                "{before}{option}{behind}",
                before = before,
                option = words.with_value("format", format),
                behind = behind,
            ),
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

    pub(crate) fn settle(self, words: Words, out: &Path, before: Layout) -> Result<Layout, Phrase> {
        refuse_scheme(out).map_err(|reason| Phrase::about(words.option("out"), reason))?;
        let is_stream = out == Path::new("-");
        if self.format == Some(OutputFormat::Singer) && !is_stream {
            return Err(phrase!(
                "{singer} contradicts {place}: Singer messages go to standard output, from where a target reads them; write to -\n  example: qopen pull --robot ID --out - --format singer | target-jsonl",
                "{singer} 与 {place} 矛盾：Singer 消息写到标准输出，由目标端从那里读取；请写到 -\n  示例：qopen pull --robot ID --out - --format singer | target-jsonl",
                singer = words.with_value("format", "singer"),
                place = words.place(out),
            ));
        }
        let before = match before.format {
            OutputFormat::Singer if !is_stream => Layout::default(),
            _ => before,
        };
        if is_database(out) {
            return match (self.format, self.csv.is_plain()) {
                (None, true) => Ok(Layout::default()),
                (Some(_), _) => Err(Phrase::same(words.option("format"))),
                (None, false) => Err(names(self.csv, words)),
            }
            .map_err(|option| Phrase::about(option, ROWS));
        }
        let format = self.format_at(words, out, before)?;
        let csv = self.csv_for(words, out, format, before)?;
        Ok(Layout { format, csv })
    }

    /// Decides the format by the option and the name of the file.
    fn format_at(self, words: Words, out: &Path, before: Layout) -> Result<OutputFormat, Phrase> {
        let place = words.place(out);
        let named = match out == Path::new("-") || out.is_dir() {
            true => Named::Nothing,
            false => Named::through_link(out).map_err(|why| Phrase::about(&place, why))?,
        };
        let contradicts = |asked: OutputFormat, says: &str| {
            phrase!(
                "{asked} contradicts {place}, whose ending says {says}; change one of them",
                "{asked} 与 {place} 矛盾，后者的扩展名表示 {says}；请改其中之一",
                asked = words.with_value("format", asked.name()),
                place = place,
                says = says,
            )
        };
        Err(match (named, self.format) {
            (Named::Nothing, asked) => return Ok(asked.unwrap_or(before.format)),
            (Named::Format(named), Some(asked)) if named != asked => {
                contradicts(asked, named.name())
            }
            (Named::Format(named), _) => return Ok(named),
            (Named::Json, Some(OutputFormat::Jsonl)) => return Ok(OutputFormat::Jsonl),
            (Named::Json, Some(asked)) => contradicts(asked, "JSON"),
            (Named::Json, None) => phrase!(
                "{place}: JSON Lines are not one JSON document; name the file {better}{or}",
                "{place}：JSON Lines 不是单个 JSON 文档；请将文件命名为 {better}{or}",
                place = place,
                better = with_ending(out, "jsonl"),
                or = words.or_format(
                    "jsonl",
                    Text::new(", or give ", "，或给出 "),
                    Text::new("", "")
                ),
            ),
            (Named::Unknown(_), Some(asked)) => return Ok(asked),
            (Named::Unknown(ending), None) => phrase!(
                "{place}: the ending .{ending} is not known; known are {known}{keep}\n  example: {example}",
                "{place}：扩展名 .{ending} 未知；已知的有 {known}{keep}\n  示例：{example}",
                place = place,
                ending = ending,
                known = KNOWN,
                keep = words.or_format(
                    "csv",
                    Text::new("; give ", "；若保留名称，请给出 "),
                    Text::new(" to keep the name", ""),
                ),
                example = words.with_value("out", &with_ending(out, "csv")),
            ),
            (Named::Unsupported(ending), _) => {
                let is_spreadsheet = SPREADSHEETS.contains(&&*ending);
                let better = if is_spreadsheet { "xlsx" } else { "csv" };
                phrase!(
                    "{place}: .{ending} is not supported{build}; supported are {known}\n  example: {example}",
                    "{place}：不支持 .{ending}{build}；支持的有 {known}\n  示例：{example}",
                    place = place,
                    ending = ending,
                    build = match &*ending {
                        PARQUET => Phrase::about("", PARQUET_BUILD),
                        _ => Phrase::default(),
                    },
                    known = KNOWN,
                    example = words.with_value("out", &with_ending(out, better)),
                )
            }
        })
    }

    /// Decides the options of a table.
    fn csv_for(
        self,
        words: Words,
        out: &Path,
        format: OutputFormat,
        before: Layout,
    ) -> Result<CsvArgs, Phrase> {
        let place = words.place(out);
        Err(match (format, self.csv.is_plain()) {
            (OutputFormat::Csv, true) => return Ok(before.csv),
            // The options of CSV before are not those of XLSX.
            (OutputFormat::Xlsx, true) => {
                return Ok(CsvArgs { labels: before.csv.labels, ..self.csv });
            }
            (OutputFormat::Xlsx, false) if self.csv.is_for_any_table() => return Ok(self.csv),
            (OutputFormat::Xlsx, false) => phrase!(
                "{options}: for CSV only, and {place} is written as XLSX, where every text is safe; leave it out",
                "{options}：仅用于 CSV，而 {place} 写为 XLSX，其中任何文本都是安全的；请去掉该选项",
                options = names(CsvArgs { labels: None, ..self.csv }, words),
                place = place,
            ),
            (format @ (OutputFormat::Jsonl | OutputFormat::Singer), false) => phrase!(
                "{options}: {only}, and {place} is written as {format}; write to a file that ends in .csv, or give {csv} for other names",
                "{options}：{only}，而 {place} 写为 {format}；请写到扩展名为 .csv 的文件，其他名称则给出 {csv}",
                options = names(self.csv, words),
                only = match self.csv.is_for_any_table() {
                    true => Text::new("for CSV and XLSX only", "仅用于 CSV 和 XLSX"),
                    false => Text::new("for CSV only", "仅用于 CSV"),
                },
                place = place,
                format = format.title(),
                csv = words.with_value("format", "csv"),
            ),
            (OutputFormat::Csv, false) | (OutputFormat::Jsonl | OutputFormat::Singer, true) => {
                return Ok(self.csv);
            }
            #[cfg(feature = "parquet")]
            (OutputFormat::Parquet, true) => return Ok(self.csv),
            #[cfg(feature = "parquet")]
            (OutputFormat::Parquet, false) => phrase!(
                "{options}: for CSV and XLSX only, and {place} is written as Parquet, whose columns have types; leave it out",
                "{options}：仅用于 CSV 和 XLSX，而 {place} 写为 Parquet，其各列有类型；请去掉该选项",
                options = names(self.csv, words),
                place = place,
            ),
        })
    }
}

const ROWS: Text = Text::new(
    "a database holds rows, not files; leave the option out",
    "数据库存放的是行，而非文件；请去掉该选项",
);

/// Returns the names of the options that are set.
fn names(csv: CsvArgs, words: Words) -> Phrase {
    let all = [(csv.bom, "bom"), (csv.csv_safe, "csv_safe"), (csv.labels.is_some(), "labels")];
    let set = all.into_iter().filter(|it| it.0).map(|it| words.option(it.1));
    Phrase::join(&set.map(Phrase::same).collect::<Vec<_>>(), COMMA)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_mistake_is_described_in_both_languages() {
        let plain = CsvArgs::default();
        let bom = CsvArgs { bom: true, ..plain };
        let (csv, jsonl) = (Some(OutputFormat::Csv), Some(OutputFormat::Jsonl));
        for (format, csv, out) in [
            (Some(OutputFormat::Singer), plain, "list.csv"),
            (csv, plain, "list.db"),
            (None, bom, "list.db"),
            (None, bom, "postgres://u@h/d"),
            (jsonl, plain, "list.csv"),
            (csv, plain, "list.json"),
            (None, plain, "list.json"),
            (None, plain, "list.txt"),
            (None, plain, "list.ods"),
            (None, plain, "list.tsv"),
            (None, bom, "list.xlsx"),
            (None, bom, "list.jsonl"),
            (None, plain, "s3://bucket/list"),
            (None, plain, "sqlite:"),
            (None, plain, "host=h password=p"),
        ] {
            for words in [Words::Flags, Words::NoFormat, Words::Keys] {
                let asked = Asked { format, csv };
                asked
                    .settle(words, Path::new(out), Layout::default())
                    .unwrap_err()
                    .assert_chinese();
            }
        }
    }
}
