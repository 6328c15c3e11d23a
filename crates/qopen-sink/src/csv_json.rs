//! A row of CSV straight from an account's JSON.

use std::borrow::Cow;
use std::sync::LazyLock;

use qopen_types::{Account, Cell, Code, RobotId};

use crate::csv_options::CsvOptions;
use crate::csv_row::{REST, code_label, escape, flag, push_cell};

/// Codes whose labels are known without reading an account: from 0 up.
const CODES: usize = 64;

/// The codes of each column, none for other columns.
static LABELED: LazyLock<Vec<Vec<Code>>> = LazyLock::new(|| {
    let codes = |path: &str, read: fn(&Account) -> Code| -> Vec<Code> {
        let accounts = (0..CODES).map_while(|code| account_with(path, code));
        accounts.map(|account| read(&account)).collect()
    };
    let columns = Account::COLUMNS.iter().map(|column| match column.cell {
        Cell::Code(read) => codes(column.path, read),
        _ => Vec::new(),
    });
    columns.collect()
});

/// An account with a number in a field.
fn account_with(path: &str, number: usize) -> Option<Account> {
    let mut value = number.to_string();
    for name in path.rsplit('.') {
        value = format!("{{\"{name}\":{value}}}");
    }
    let members = value.strip_prefix('{')?;
    serde_json::from_str(&format!("{{\"account_id\":\"a\",{members}")).ok()
}

/// Writes the rows of a robot's accounts.
pub(crate) struct JsonRows {
    /// The first cell of each.
    robot: String,
    options: CsvOptions,
}

impl JsonRows {
    pub(crate) fn new(robot: &RobotId, options: CsvOptions) -> Self {
        let mut cell = String::new();
        push_cell(&mut cell, &options.cell(robot.as_str()));
        Self { robot: cell, options }
    }

    /// Appends the row of an account, if that is spelled in a usual way. Returns false if it is not; `out` is then as
    /// before.
    pub(crate) fn write(&self, account: &str, out: &mut String) -> bool {
        let mut canonical = String::with_capacity(account.len() + 256);
        if !Account::write_canonical_json(account, &mut canonical) {
            return false;
        }
        let before = out.len();
        let written = self.cells(&canonical, out).is_some();
        if !written {
            out.truncate(before);
        }
        written
    }

    fn cells(&self, canonical: &str, out: &mut String) -> Option<()> {
        let Self { robot, options } = self;
        out.push_str(robot);
        let values = Account::canonical_values(canonical)?;
        for (n, (column, value)) in Account::COLUMNS.iter().zip(values).enumerate() {
            out.push(',');
            match column.cell {
                Cell::Text(_) => push_cell(out, &options.cell(&text(value)?.0)),
                Cell::Integer(_) | Cell::UnixSeconds(_) => out.push_str(value),
                Cell::Flag(_) => push_cell(out, flag(value == "true", options.labels)),
                Cell::Code(_) if options.labels.is_none() => out.push_str(value),
                Cell::Code(_) => {
                    let code = *LABELED.get(n)?.get(value.parse::<usize>().ok()?)?;
                    push_cell(out, code_label(code, options.labels).unwrap_or(value));
                }
                Cell::Rows(between, _) => push_cell(out, &options.cell(&joined(value, between)?)),
                Cell::Json(_) if value == "[]" => {}
                Cell::Json(_) => push_cell(out, value),
            }
        }
        // No field is unknown or unreadable.
        REST.iter().for_each(|_| out.push(','));
        Some(())
    }
}

/// Reads a string, or takes another value as it is written. Returns it with what follows.
fn text(json: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(inner) = json.strip_prefix('"') else {
        return json.find([',', '}']).map(|end| (Cow::Borrowed(&json[..end]), &json[end..]));
    };
    let mut special = memchr::memchr2_iter(b'"', b'\\', inner.as_bytes());
    let mut end = special.next()?;
    if inner.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&inner[..end]), &inner[end + 1..]));
    }
    let (mut text, mut from) = (String::with_capacity(inner.len().min(256)), 0);
    loop {
        text.push_str(inner.get(from..end)?);
        if inner.as_bytes()[end] == b'"' {
            return Some((Cow::Owned(text), &inner[end + 1..]));
        }
        text.push(match inner.as_bytes().get(end + 1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            escaped @ (b'"' | b'\\') => char::from(*escaped),
            // Canonical JSON has no other here.
            _ => return None,
        });
        from = end + 2;
        end = special.find(|it| *it >= from)?;
    }
}

/// Writes the texts of a list's elements as [`Rows`](Cell::Rows) are written.
fn joined(list: &str, between: char) -> Option<String> {
    let (mut out, mut rest) = (String::new(), list.strip_prefix('[')?);
    while let Some(mut element) = rest.strip_prefix('{') {
        loop {
            let value = text(element)?.1.strip_prefix(':')?;
            let (value, after) = text(value)?;
            escape(&value, &mut out);
            element = after.get(1..)?;
            match after.as_bytes().first()? {
                b',' => out.push(between),
                b'}' => break,
                _ => return None,
            }
        }
        rest = element.strip_prefix(',').inspect(|_| out.push('|')).unwrap_or(element);
    }
    (rest == "]").then_some(out)
}

#[cfg(test)]
mod tests;
