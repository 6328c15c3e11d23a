//! Limits of formats.

/// The customers that a worksheet holds below its header.
#[cfg(feature = "xlsx")]
pub(crate) const ROWS: u32 = 1_048_575;

/// Why a format cannot hold a list. The same list never fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatLimit {
    /// A worksheet has 1,048,576 rows, of which the first is the header.
    #[error(
        "a list in XLSX holds at most {} customers, and this one has more",
        in_thousands(*most)
    )]
    Rows {
        /// Customers that fit.
        most: u32,
    },
    /// A cell holds 32,767 UTF-16 code units.
    #[error(
        "the {column} of the customer in row {row} has {} characters, and a cell of XLSX holds 32,767",
        in_thousands(*length)
    )]
    Text {
        /// The row, from 1; the header is the first.
        row: u32,
        /// The name of the column.
        column: &'static str,
        /// The length of the text, in UTF-16 code units.
        length: u32,
    },
    /// Spreadsheets read worksheets of up to 4 GiB.
    #[error("a worksheet of XLSX holds less than 4 GiB, and this list has more")]
    Bytes,
}

/// The number with a comma between thousands.
fn in_thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_a_comma_between_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_048_575, "1,048,575")] {
            assert_eq!(in_thousands(number), text);
        }
    }
}
