//! The columns of CSV: names, labels and cells.

use qopen_types::{Account, Cell, Code, Column, Extra, Rows};

use crate::Record;
use crate::csv_options::{CsvOptions, Labels};

/// A column that is not an account's, with its labels.
pub(crate) struct Own {
    name: &'static str,
    zh: &'static str,
    en: &'static str,
}

#[cfg(feature = "parquet")]
impl Own {
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }
}

/// The column before those of the account.
pub(crate) const ROBOT: Own = Own { name: "robot_id", zh: "机器人ID", en: "Robot ID" };

/// The columns behind those of the account.
pub(crate) const REST: [Own; 2] = [
    Own { name: "extra", zh: "其他字段（JSON）", en: "Other fields (JSON)" },
    Own { name: "_unread", zh: "无法读取的字段（JSON）", en: "Unreadable fields (JSON)" },
];

/// The columns of [`Format::Csv`](crate::Format::Csv), in order.
///
/// Codes are numbers, times are seconds since the Unix epoch, flags are `true` and `false`. Tags are written
/// `group:tag|group:tag`, attributes `name=value|name=value`, with a backslash before any of `\`, `|`, `:`
/// and `=` that belongs to a text. Any other list is JSON, and empty if it has no elements. `extra` is empty,
/// or a JSON object of the unknown fields: those of the account under their names, those of its profile under
/// `profile`. Unknown fields inside attributes and tags are in JSONL only. `_unread` is empty, or a JSON
/// object of the fields that could not be read, by their paths. NUL in a text becomes U+FFFD.
pub const CSV_COLUMNS: [&str; COUNT] = names();

const COUNT: usize = Account::COLUMNS.len() + 1 + REST.len();

const fn names() -> [&'static str; COUNT] {
    let mut names = [ROBOT.name; COUNT];
    let mut n = 0;
    while n < Account::COLUMNS.len() {
        names[n + 1] = Account::COLUMNS[n].name;
        n += 1;
    }
    let mut rest = 0;
    while rest < REST.len() {
        names[n + 1 + rest] = REST[rest].name;
        rest += 1;
    }
    names
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A text, which may have a mark.
    Text,
    /// An integer, or a label in its place.
    Number,
    Flag,
    /// JSON, or nothing.
    Json,
}

/// The columns in order: names without labels, and contents.
pub(crate) fn columns() -> impl Iterator<Item = (&'static str, Content)> {
    let content = |it: &Column| match it.cell {
        Cell::Text(_) | Cell::Rows(..) => Content::Text,
        Cell::Integer(_) | Cell::UnixSeconds(_) | Cell::Code(_) => Content::Number,
        Cell::Flag(_) => Content::Flag,
        Cell::Json(_) => Content::Json,
    };
    let columns = Account::COLUMNS.iter().map(move |it| (it.name, content(it)));
    let rest = REST.iter().map(|it| (it.name, Content::Json));
    std::iter::once((ROBOT.name, Content::Text)).chain(columns).chain(rest)
}

/// The cell of a flag.
pub(crate) const fn flag(is_set: bool, labels: Option<Labels>) -> &'static str {
    match (labels, is_set) {
        (None, true) => "true",
        (None, false) => "false",
        (Some(Labels::Zh), true) => "是",
        (Some(Labels::Zh), false) => "否",
        (Some(Labels::En), true) => "yes",
        (Some(Labels::En), false) => "no",
    }
}

/// The header of lists with these columns of an account.
pub(crate) fn header(columns: &[Column], options: CsvOptions) -> Vec<&'static str> {
    let own = |it: &Own| own_label(it, options.labels);
    let columns = columns.iter().map(|it| label(it, options.labels));
    std::iter::once(own(&ROBOT)).chain(columns).chain(REST.iter().map(own)).collect()
}

pub(crate) fn own_label(own: &Own, labels: Option<Labels>) -> &'static str {
    match labels {
        None => own.name,
        Some(Labels::Zh) => own.zh,
        Some(Labels::En) => own.en,
    }
}

pub(crate) fn label(column: &Column, labels: Option<Labels>) -> &'static str {
    match labels {
        None => column.name,
        Some(Labels::Zh) => column.label_zh,
        Some(Labels::En) => column.label_en,
    }
}

/// The label of a code. An unknown code has none.
pub(crate) fn code_label(code: Code, labels: Option<Labels>) -> Option<&'static str> {
    match labels? {
        Labels::Zh => code.label_zh,
        Labels::En => code.label_en,
    }
}

/// Writes cells as a line of a list has them, without its end.
pub(crate) fn push_row<'a>(cells: impl IntoIterator<Item = &'a str>, line: &mut String) {
    for (n, cell) in cells.into_iter().enumerate() {
        line.push_str(if n > 0 { "," } else { "" });
        push_cell(line, cell);
    }
}

/// Writes a cell as a list has it.
pub(crate) fn push_cell(line: &mut String, text: &str) {
    if !needs_quotes(text) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for (n, part) in text.split('"').enumerate() {
        line.push_str(if n > 0 { "\"\"" } else { "" });
        line.push_str(part);
    }
    line.push('"');
}

pub(crate) fn needs_quotes(text: &str) -> bool {
    let text = text.as_bytes();
    memchr::memchr3(b'"', b',', b'\n', text).is_some() || memchr::memchr(b'\r', text).is_some()
}

/// The row of a record in a list with these columns of an account.
pub(crate) fn row(columns: &[Column], record: &Record<'_>, options: CsvOptions) -> Vec<String> {
    let mut row = Vec::with_capacity(columns.len() + 1 + REST.len());
    row.push(options.cell(record.robot_id().as_str()).into_owned());
    row.extend(columns.iter().map(|it| cell(it.cell, record.account(), options)));
    row.push(extra(record));
    row.push(unread(record));
    row
}

fn cell(cell: Cell, account: &Account, options: CsvOptions) -> String {
    match cell {
        Cell::Text(read) => options.cell(read(account)).into_owned(),
        Cell::Integer(read) | Cell::UnixSeconds(read) => read(account).to_string(),
        Cell::Flag(read) => flag(read(account), options.labels).to_owned(),
        Cell::Code(read) => {
            let code = read(account);
            code_label(code, options.labels).map_or_else(|| code.code.to_string(), str::to_owned)
        }
        Cell::Rows(between, read) => options.cell(&joined(&read(account), between)).into_owned(),
        Cell::Json(read) => match read(account) {
            empty if empty == "[]" => String::new(),
            json => json,
        },
    }
}

pub(crate) fn joined(rows: &Rows<'_>, between: char) -> String {
    let mut out = String::new();
    for (n, texts) in rows.iter().enumerate() {
        if n > 0 {
            out.push('|');
        }
        for (n, text) in texts.iter().enumerate() {
            if n > 0 {
                out.push(between);
            }
            escape(text, &mut out);
        }
    }
    out
}

/// Writes a text that is an element's.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '\\' | '|' | ':' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
}

pub(crate) fn unread(record: &Record<'_>) -> String {
    let unread = &record.account().unread;
    // Plain data always encodes.
    if unread.is_empty() {
        String::new()
    } else {
        serde_json::to_string(unread).unwrap_or_default()
    }
}

/// As [`unread`], with numbers that the format cannot write in their columns.
#[cfg(feature = "parquet")]
pub(crate) fn unread_and(record: &Record<'_>, more: &[(&str, i64)]) -> String {
    let unread = unread(record);
    if more.is_empty() {
        return unread;
    }
    let more = more.iter().map(|(path, number)| format!("{}:{number}", quoted(path)));
    let more = more.collect::<Vec<_>>().join(",");
    match unread.strip_suffix('}') {
        Some(members) => format!("{members},{more}}}"),
        None => format!("{{{more}}}"),
    }
}

/// The unknown fields of the account, and those of its objects under their names.
pub(crate) fn extra(record: &Record<'_>) -> String {
    let members = |extra: &Extra| -> Vec<String> {
        extra.iter().map(|(name, value)| format!("{}:{}", quoted(name), value.as_str())).collect()
    };
    let object = |members: Vec<String>| format!("{{{}}}", members.join(","));
    let account = record.account();
    let mut all = members(&account.extra);
    for (name, extra) in account.extras().filter(|(_, extra)| !extra.is_empty()) {
        all.push(format!("{}:{}", quoted(name), object(members(extra))));
    }
    if all.is_empty() { String::new() } else { object(all) }
}

/// A JSON string.
pub(crate) fn quoted(name: &str) -> String {
    // A string always encodes.
    serde_json::to_string(name).unwrap_or_default()
}

#[cfg(test)]
mod tests;
