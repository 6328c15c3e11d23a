//! A row of CSV as a JSON object of its cells, and back.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::Members;
use crate::csv_options::{CsvOptions, Labels, marked};
use crate::csv_row::{Content, columns, flag, needs_quotes, push_cell};

/// Reads the first cell of a row as qopen writes it. Returns its text and its bytes in the row.
pub(super) fn first_cell(row: &[u8]) -> Option<(Cow<'_, str>, usize)> {
    let Some(inner) = row.strip_prefix(b"\"") else {
        let length = memchr::memchr(b',', row).unwrap_or(row.len());
        let text = std::str::from_utf8(&row[..length]).ok()?;
        return (!needs_quotes(text)).then_some((Cow::Borrowed(text), length));
    };
    let mut ends = memchr::memchr_iter(b'"', inner);
    let mut has_quotes = false;
    let end = loop {
        let end = ends.next()?;
        if inner.get(end + 1) != Some(&b'"') {
            break end;
        }
        // The next one belongs to it.
        ends.next();
        has_quotes = true;
    };
    let text = std::str::from_utf8(&inner[..end]).ok()?;
    let is_ended = matches!(inner.get(end + 1), None | Some(b','));
    (is_ended && needs_quotes(text)).then(|| match has_quotes {
        true => (Cow::Owned(text.replace("\"\"", "\"")), end + 2),
        false => (Cow::Borrowed(text), end + 2),
    })
}

/// The cells of a row in order.
struct Cells<'a>(Option<&'a [u8]>);

impl<'a> Cells<'a> {
    /// Reads the next cell. `None` at the end, and for a cell that qopen does not write.
    fn take(&mut self) -> Option<Cow<'a, str>> {
        let row = self.0.take()?;
        let (text, length) = first_cell(row)?;
        // A comma follows, or nothing.
        self.0 = row.get(length + 1..);
        Some(text)
    }

    fn is_done(&self) -> bool {
        self.0.is_none()
    }
}

/// Returns the JSON object of a row: each cell under its column's name. Flags and integers have their own types, as
/// has the JSON of a cell. Any other cell is a string. `None` if the row is not as qopen writes it.
pub(super) fn to_json(row: &[u8], labels: Option<Labels>) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(row.len() + 512);
    let mut cells = Cells(Some(row));
    for (name, content) in columns() {
        let text = cells.take()?;
        json.push(if json.is_empty() { b'{' } else { b',' });
        json.push(b'"');
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        match content {
            Content::Flag if text == flag(true, labels) => json.extend_from_slice(b"true"),
            Content::Flag if text == flag(false, labels) => json.extend_from_slice(b"false"),
            Content::Flag => return None,
            Content::Number if is_integer(&text) => json.extend_from_slice(text.as_bytes()),
            Content::Json if is_json(&text) => json.extend_from_slice(text.as_bytes()),
            // A text always encodes.
            _ => serde_json::to_writer(&mut json, &*text).ok()?,
        }
    }
    json.push(b'}');
    cells.is_done().then_some(json)
}

/// Returns the row of a JSON object that [`to_json`] wrote.
pub(super) fn from_json(json: &[u8], labels: Option<Labels>) -> Option<Vec<u8>> {
    let members = Members::of(json)?;
    let mut members = members.iter();
    let mut row = String::with_capacity(json.len());
    for (n, (column, content)) in columns().enumerate() {
        let (_, value) = members.next().filter(|it| it.0 == column)?;
        row.push_str(if n > 0 { "," } else { "" });
        match (value, content) {
            ("true", Content::Flag) => row.push_str(flag(true, labels)),
            ("false", Content::Flag) => row.push_str(flag(false, labels)),
            (value, Content::Number) if is_integer(value) => row.push_str(value),
            (value, Content::Json) if is_json(value) => push_cell(&mut row, value),
            (value, _) => push_cell(&mut row, &serde_json::from_str::<String>(value).ok()?),
        }
    }
    members.next().is_none().then(|| row.into_bytes())
}

/// Whether a text is a number of JSON that only an integer is written as.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [first, rest @ ..] => {
            *first != b'0' && first.is_ascii_digit() && rest.iter().all(u8::is_ascii_digit)
        }
        [] => false,
    };
    is_plain && digits.len() < 20
}

/// Whether a text is an object or a list in JSON that fits on a line.
fn is_json(text: &str) -> bool {
    let is_whole = text.starts_with('{') && text.ends_with('}')
        || text.starts_with('[') && text.ends_with(']');
    is_whole
        && memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none()
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Whether the texts of a list tell if it was written with [`CsvOptions::safe`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// A text lacks its mark.
    pub(super) is_plain: bool,
    /// A text has a mark.
    has_mark: bool,
}

impl Marks {
    /// Looks at the texts of a row.
    pub(super) fn add(&mut self, row: &[u8]) {
        let mut cells = Cells(Some(row));
        for (_, content) in columns() {
            let Some(text) = cells.take() else { return };
            if content != Content::Text {
                continue;
            }
            let bare = CsvOptions::strip_mark(&text);
            match marked(bare) == text {
                true => self.has_mark |= bare.len() < text.len(),
                false => self.is_plain = true,
            }
        }
    }

    /// Whether the list is safe; `None` if it is the same both ways.
    pub(super) fn is_safe(self) -> Option<bool> {
        match self {
            Self { is_plain: true, .. } => Some(false),
            Self { has_mark: true, .. } => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A row of these texts, each in the column of its index.
    fn row_of(texts: &[String], labels: Option<Labels>) -> (Vec<String>, Vec<u8>) {
        let cell = |(n, (_, content))| {
            let text: &String = &texts[n % texts.len()];
            match content {
                Content::Flag => flag(text.len().is_multiple_of(2), labels).to_owned(),
                _ => text.clone(),
            }
        };
        let cells: Vec<String> = columns().enumerate().map(cell).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&cells).unwrap();
        let mut row = writer.into_inner().unwrap();
        row.pop();
        (cells, row)
    }

    proptest! {
        #[test]
        fn a_row_is_an_object_and_the_object_is_that_row(
            texts in prop::collection::vec("[-\"',\r\n{}\\[\\]a:0-9é\u{0}\\\\]{0,6}|-?[0-9]{1,21}|[{]\"a\":[0-9 ]{1,3}[}]|\\PC*", 1..9),
            labels in prop::sample::select(vec![None, Some(Labels::Zh), Some(Labels::En)]),
        ) {
            let (cells, row) = row_of(&texts, labels);
            let json = to_json(&row, labels).unwrap();
            prop_assert_eq!(from_json(&json, labels), Some(row));
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(object.len(), cells.len());
            for ((name, content), cell) in columns().zip(&cells) {
                match &object[name] {
                    serde_json::Value::String(text) => prop_assert_eq!(text, cell),
                    serde_json::Value::Bool(is) => prop_assert_eq!(flag(*is, labels), cell),
                    serde_json::Value::Number(_) => prop_assert_eq!(content, Content::Number),
                    _ => prop_assert_eq!(content, Content::Json),
                }
            }
            prop_assert!(!json.contains(&b'\n'));
        }

        #[test]
        fn a_row_of_another_writer_is_refused(texts in prop::collection::vec("[\"a\r, ]{0,3}", 1..4), at in 0..40_usize) {
            let (_, row) = row_of(&texts, None);
            let row = String::from_utf8(row).unwrap();
            let longer = format!("{row},");
            prop_assert!(to_json(longer.as_bytes(), None).is_none());
            let cut = row.rsplit_once(',').unwrap().0;
            prop_assert!(to_json(cut.as_bytes(), None).is_none());
            // Quotes that are not needed, quotes in the middle of a cell, and one more quote.
            if let Some((n, _)) = row.char_indices().nth(at) {
                let quoted = format!("{}\"{}", &row[..n], &row[n..]);
                if let Some(json) = to_json(quoted.as_bytes(), None) {
                    prop_assert_eq!(from_json(&json, None), Some(quoted.into_bytes()));
                }
            }
            prop_assert!(to_json(b"\"a\",b", None).is_none());
        }
    }
}
