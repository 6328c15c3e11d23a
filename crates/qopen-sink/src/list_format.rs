//! Formats of lists.

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line, UTF-8.
    #[default]
    Jsonl,
    /// Comma-separated values, UTF-8, a header line first, columns as in
    /// [`CSV_COLUMNS`](crate::CSV_COLUMNS). [`CsvOptions`](crate::CsvOptions) has the options.
    Csv,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "JSON Lines",
            Self::Csv => "CSV",
        })
    }
}

impl Format {
    /// The ending of a file of this format, without the point.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}
