//! Formats of lists.

#[cfg(feature = "xlsx")]
use crate::limit;

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
    /// A workbook for spreadsheets, with the columns of CSV. [`XlsxOptions`](crate::XlsxOptions) has the options.
    ///
    /// Texts are text cells, codes are numbers, flags are truth values, and times are dates in a zone that the
    /// header names. A time that was not given, and an empty text, is an empty cell. A worksheet holds 1,048,575
    /// customers and texts of 32,767 characters; a list beyond that is [`SinkError::Unfit`](crate::SinkError::Unfit).
    #[cfg(feature = "xlsx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "xlsx")))]
    Xlsx,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "JSON Lines",
            Self::Csv => "CSV",
            #[cfg(feature = "xlsx")]
            Self::Xlsx => "XLSX",
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
            #[cfg(feature = "xlsx")]
            Self::Xlsx => "xlsx",
        }
    }

    /// The customers that one file holds at most; `None` without a limit.
    #[must_use]
    pub const fn most_customers(self) -> Option<u32> {
        match self {
            Self::Jsonl | Self::Csv => None,
            #[cfg(feature = "xlsx")]
            Self::Xlsx => Some(limit::ROWS),
        }
    }
}
