//! Options of CSV for spreadsheets.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Options of [`Format::Csv`](crate::Format::Csv). The default writes plain CSV for programs.
///
/// ```
/// use qopen_sink::{CsvOptions, Labels};
///
/// let options = CsvOptions::default().bom(true).safe(true).labels(Some(Labels::Zh));
/// assert_eq!(CsvOptions::strip_mark("'=1+1"), "=1+1");
/// # assert!(options.bom);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CsvOptions {
    /// Whether the file begins with a byte order mark (EF BB BF). Excel reads UTF-8 only with it.
    pub bom: bool,
    /// Whether text cells that a spreadsheet would change or run begin with an apostrophe.
    ///
    /// Marked are texts that begin with `=`, `+`, `-`, `@`, their full-width forms, a tab or a line break,
    /// also after spaces and quotes, and after a `;` or tab inside; texts that a spreadsheet reads as a
    /// number, date, time or truth value and shows differently; and texts that begin with an apostrophe. The
    /// third kind has only digits, signs, currency signs, names of months, AM and PM (`007`, 12 digits or
    /// more, `1E5`, `(5)`, `$5`, `MAR1`, `2-Jan`, `5 PM`), or is `true` or `false`. Numbers, flags and the
    /// JSON columns stay as they are.
    ///
    /// The cost: programs that read the file must strip one leading apostrophe from each cell
    /// ([`strip_mark`](Self::strip_mark)). The limit: where a spreadsheet splits cells at `;` or tabs, the
    /// mark guards the part before the first one. Import the file with the comma as its separator.
    pub safe: bool,
    /// The language of the header and of the values of codes and flags. `None` writes the field names and
    /// the codes. An unknown code stays a number.
    pub labels: Option<Labels>,
}

/// A language of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Labels {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl CsvOptions {
    /// Begins the file with a byte order mark, or not.
    #[must_use]
    pub const fn bom(mut self, bom: bool) -> Self {
        self.bom = bom;
        self
    }

    /// Marks cells that a spreadsheet would change or run, or does not.
    #[must_use]
    pub const fn safe(mut self, safe: bool) -> Self {
        self.safe = safe;
        self
    }

    /// Writes labels in a language.
    #[must_use]
    pub const fn labels(mut self, labels: Option<Labels>) -> Self {
        self.labels = labels;
        self
    }

    /// Returns the text of a cell that [`safe`](Self::safe) wrote: without one leading apostrophe.
    #[must_use]
    pub fn strip_mark(cell: &str) -> &str {
        cell.strip_prefix(MARK).unwrap_or(cell)
    }

    /// The cell of a text that comes from the platform. NUL becomes U+FFFD: spreadsheets end a cell there.
    pub(crate) fn cell(self, text: &str) -> Cow<'_, str> {
        match (text.contains('\0'), self.safe) {
            (true, _) => {
                let text = text.replace('\0', "\u{fffd}");
                Cow::Owned(if self.safe { marked(&text).into_owned() } else { text })
            }
            (false, true) => marked(text),
            (false, false) => Cow::Borrowed(text),
        }
    }
}

const MARK: char = '\'';

/// The text with the mark, if it needs one. A text that begins with the mark gets another, so that
/// stripping exactly one is the inverse.
pub(crate) fn marked(text: &str) -> Cow<'_, str> {
    if text.starts_with(MARK) || is_formula(text) || is_reinterpreted(text) {
        return Cow::Owned(format!("{MARK}{text}"));
    }
    Cow::Borrowed(text)
}

/// Whether a spreadsheet may take the text, or a part of it, for a formula.
fn is_formula(text: &str) -> bool {
    // In many countries CSV is split at a semicolon.
    text.starts_with(['\t', '\r', '\n']) || text.split([';', '\t']).any(begins_formula)
}

fn begins_formula(text: &str) -> bool {
    // Importers trim what does not show. Some take a text that is in quotes already out of them.
    let first = text.chars().find(|c| !is_blank(*c) && !matches!(c, '"' | '\''));
    matches!(
        first,
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '﹦' | '﹢' | '﹣' | '﹫' | '−')
    )
}

/// Whether a spreadsheet takes the text for a number, a date, a time or a truth value and shows it
/// differently.
fn is_reinterpreted(text: &str) -> bool {
    let bare: String = text.trim_matches(is_blank).chars().map(narrow).collect();
    let bare = bare.to_lowercase();
    if bare == "true" || bare == "false" {
        return true;
    }
    let kept = text.bytes().all(|it| it.is_ascii_digit())
        && text.len() < LONG
        && (text == "0" || !text.starts_with('0'));
    !kept && is_of_numbers(&bare)
}

/// Whether the text has a digit, and nothing but what numbers, dates and times are written with.
fn is_of_numbers(text: &str) -> bool {
    let signs =
        |c: char| is_blank(c) || is_currency(c) || ".,:/-+%()年月日时分秒時上下午".contains(c);
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let length = match letters {
            0 if c.is_ascii_digit() || signs(c) => c.len_utf8(),
            0 => return false,
            letters if is_word(&rest[..letters], before) => letters,
            _ => return false,
        };
        before = rest[..length].chars().next_back();
        rest = &rest[length..];
    }
    text.bytes().any(|it| it.is_ascii_digit())
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Whether the letters are a part of a number, a date or a time after that character.
fn is_word(letters: &str, before: Option<char>) -> bool {
    let after_digit = before.is_some_and(|it| it.is_ascii_digit() || it == '.');
    match letters {
        "am" | "pm" | "sept" => true,
        // 5 A is five o'clock, 1E5 a number, 2022-05-12T10:00:00Z a date.
        "a" | "p" => before.is_some_and(is_blank),
        "e" | "t" | "z" => after_digit,
        _ => MONTHS.iter().any(|it| *it == letters || it[..3] == *letters),
    }
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '¢' | '£' | '¤' | '¥' | '￠' | '￡' | '\u{20a0}'..='\u{20cf}')
}

/// The ASCII character of a full-width one.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '￥' => '¥',
        c => c,
    }
}

/// Digits from which on a spreadsheet shows a number with an exponent.
const LONG: usize = 12;

/// Characters that do not show.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_or_change_is_marked() {
        let texts = "=1+1|+1|-1|@SUM(A1)|\t=1|\rx|\nx|＝1|＋1|－1|＠x| =1|\u{a0}=1|\u{3000}@x|\
             \u{feff}=1|\u{200b}-x|\"=1|\u{fffd}=1|'|'=1|-|=|007|00|123456789012|\
             1234567890123456789|1E5|1e-5|1.10|2022-05-12|3/4|12:30| 12|12 |１２|3月5日|.5|50%|\
             1,234|MAR1|SEPT2|Mar-1|1 Mar|2-Jan|dec 25|December 25, 2022|(5)|$5|5 €|￥100|¥100|$(1.5)|\
             5 PM|12am|12:30pm|5 a|true|FALSE| True |ＴＲＵＥ|１Ｅ５|ＭＡＲ１|2022-05-12T10:00:00Z|\
             下午3:00|a;=1|x\t+1|a; @x|1;\"-1|a;＝1";
        for text in texts.split('|') {
            assert_eq!(marked(text), format!("'{text}"), "{text:?}");
        }
    }

    #[test]
    fn a_cell_that_a_spreadsheet_shows_as_it_is_stays() {
        let texts = "|0|7|13800138000|12345678901|张三|a=b|a-b|x@y.example|1a|v1.2|e5|3 Musketeers|.|\
             ...|https://a.example/0|生日=2022-05-12|\"|Mar|May|March on|trueman|not true|PM|am|$|()|\
             1Q84|5 people|12amp|Mary1|a;b=c|a;b|;|100元|上午";
        for text in texts.split('|') {
            assert_eq!(marked(text), text, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn stripping_one_mark_gives_the_text_back(text in "[-=+@' \"\t;0-9aＥ＝\u{feff}\u{0}]{0,8}|(mar|PM|true|[$(); 0-9]){0,4}|\\PC*") {
            let cell = marked(&text);
            prop_assert_eq!(CsvOptions::strip_mark(&cell), &*text);
        }

        #[test]
        fn different_texts_have_different_cells(one in "[-='+0a;]{0,4}", other in "[-='+0a;]{0,4}") {
            prop_assert_eq!(one == other, marked(&one) == marked(&other));
        }

        #[test]
        fn no_marked_cell_is_a_formula(text in "[-=+@ \"\tx＝＠\u{200b}]{0,6}") {
            let options = CsvOptions::default().safe(true);
            let cell = options.cell(&text);
            prop_assert!(cell.starts_with(MARK) || !is_formula(&cell) && !is_reinterpreted(&cell));
        }
    }
}
