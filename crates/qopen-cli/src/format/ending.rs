//! Formats by the endings of file names.

use std::path::Path;

use qopen::sink::shown_path;

use super::output_format::{OutputFormat, PARQUET};
use crate::lang::{Phrase, Text, phrase};

/// The format by a file's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    Nothing,
    Format(OutputFormat),
    /// One JSON document. A list is not one.
    Json,
    Unsupported(String),
    /// An unknown ending that may belong to a format.
    Unknown(String),
}

/// Maximum length of an ending that may belong to a format, in characters.
const LONGEST_ENDING: usize = 5;

/// Endings of unsupported formats and compressions.
const UNSUPPORTED: [&str; 43] = [
    "7z", "arrow", "avro", "bson", "bz2", "cbor", "db", "dbf", "doc", "docx", "duckdb", "et",
    "feather", "gz", "htm", "html", "ini", "lz4", "md", "mdb", "msgpack", "numbers", "ods", "orc",
    "pdf", "proto", "rar", "sql", "sqlite", "sqlite3", "tab", "tar", "tgz", "toml", "tsv", "xls",
    "xlsb", "xlsm", "xml", "xz", "yaml", "yml", "zip",
];

/// Endings of other spreadsheets.
pub(super) const SPREADSHEETS: [&str; 6] = ["et", "numbers", "ods", "xls", "xlsb", "xlsm"];

/// The endings of formats, for messages.
#[cfg(not(feature = "parquet"))]
pub(super) const KNOWN: Text = Text::new(
    ".csv (CSV), .xlsx (XLSX), .jsonl or .ndjson (JSON Lines), and .db or .sqlite (SQLite)",
    ".csv（CSV）、.xlsx（XLSX）、.jsonl 或 .ndjson（JSON Lines）以及 .db 或 .sqlite（SQLite）",
);

/// The endings of formats, for messages.
#[cfg(feature = "parquet")]
pub(super) const KNOWN: Text = Text::new(
    ".csv (CSV), .xlsx (XLSX), .parquet (Parquet), .jsonl or .ndjson (JSON Lines), and .db or .sqlite (SQLite)",
    ".csv（CSV）、.xlsx（XLSX）、.parquet（Parquet）、.jsonl 或 .ndjson（JSON Lines）以及 .db 或 .sqlite（SQLite）",
);

impl Named {
    /// Returns the format by the name, or by the name behind a link, which is the written file.
    pub(super) fn through_link(out: &Path) -> Result<Self, Phrase> {
        let named = Self::by(out);
        let Ok(next) = std::fs::read_link(out) else { return Ok(named) };
        // A link to nothing yet has no canonical path.
        let behind = std::fs::canonicalize(out).unwrap_or(next);
        match (named, Self::by(&behind)) {
            (named, Self::Nothing) => Ok(named),
            (Self::Nothing | Self::Unknown(_), behind) => Ok(behind),
            (named, Self::Unknown(_)) => Ok(named),
            (named, other) if named == other => Ok(named),
            _ => Err(phrase!(
                "it is a link to {behind}, whose ending says otherwise",
                "它是指向 {behind} 的链接，后者的扩展名与之不符",
                behind = shown_path(&behind),
            )),
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
            "xlsx" => Self::Format(OutputFormat::Xlsx),
            "jsonl" | "ndjson" => Self::Format(OutputFormat::Jsonl),
            PARQUET => match OutputFormat::named(PARQUET) {
                Ok(format) => Self::Format(format),
                Err(_) => Self::Unsupported(ending.clone()),
            },
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

/// Replaces the endings of formats in a path.
pub(super) fn with_ending(out: &Path, ending: &str) -> String {
    let mut bare = out.with_extension("");
    let says = |it: &Path| !matches!(Named::by(it), Named::Nothing | Named::Unknown(_));
    while bare.extension().is_some() && says(&bare) {
        bare.set_extension("");
    }
    let name = bare.file_name().unwrap_or_default().to_string_lossy().into_owned();
    shown_path(&bare.with_file_name(format!("{name}.{ending}"))).into_owned()
}
