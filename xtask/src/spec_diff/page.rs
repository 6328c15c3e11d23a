//! Reads a vendor's page: its tables, its lists of codes, and its examples.

use std::collections::{BTreeMap, BTreeSet};

use super::example::{self, Value};
use crate::Result;

/// A table of fields, named after the field it explains; the request's is `body`, the answer's "".
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Names and types, the types in JSON's words.
    pub(crate) fields: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) tables: Vec<Table>,
    pub(crate) codes: BTreeMap<String, BTreeSet<i64>>,
    pub(crate) examples: Vec<Value>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut page = Self { examples: example::find(text), ..Self::default() };
        // The field of the codes on the following lines.
        let mut listing: Option<String> = None;
        for line in text.lines().map(str::trim) {
            if let Some(field) = line.strip_suffix("枚举说明") {
                listing = Some(field.to_owned());
            } else if line == "body参数" {
                page.begin("body");
            } else if line == "返回说明" {
                page.begin("");
                listing = None;
            } else if let Some(field) = line.strip_suffix("说明").filter(|it| is_name(it)) {
                page.begin(field);
                listing = None;
            } else if let Some(field) = &listing {
                let code = line.split_whitespace().next().and_then(|it| it.parse().ok());
                page.codes.entry(field.clone()).or_default().extend(code.map(|code: i64| code));
            } else {
                page.row(line);
            }
        }
        if page.tables.iter().all(|table| table.fields.is_empty()) {
            return Err("no table was found: lines of a field, its type and its meaning below a line that ends in 说明".into());
        }
        Ok(page)
    }

    fn begin(&mut self, name: &str) {
        self.tables.push(Table { name: name.to_owned(), fields: Vec::new() });
    }

    /// A row is a field's name, its type, and what is said of it, codes included.
    fn row(&mut self, line: &str) {
        let mut words = line.splitn(3, char::is_whitespace);
        let (Some(name), Some(page_type)) = (words.next().filter(|it| is_name(it)), words.next())
        else {
            return;
        };
        let is_word = |it: &str| it.starts_with(|c: char| c.is_ascii_alphabetic());
        let Some(table) = self.tables.last_mut().filter(|_| is_word(page_type)) else { return };
        // A type of a word that is new is reported by that word.
        let json_type = json_type(page_type).unwrap_or(page_type);
        table.fields.push((name.to_owned(), json_type.to_owned()));
        let codes = inline_codes(words.next().unwrap_or_default());
        if json_type == "integer" && codes.len() > 2 {
            self.codes.insert(name.to_owned(), codes);
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

fn json_type(page_type: &str) -> Option<&'static str> {
    Some(match page_type {
        "int" | "integer" | "int64" | "number" => "integer",
        "string" => "string",
        "bool" | "boolean" => "boolean",
        "array" => "array",
        "object" => "object",
        _ => return None,
    })
}

/// Codes in running text: numbers that are followed by what they mean, as in `0为未知,1为男`.
fn inline_codes(text: &str) -> BTreeSet<i64> {
    let mut codes = BTreeSet::new();
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if matches!(c, ':' | '：' | '=' | '为') {
            codes.extend(digits.parse::<i64>());
        }
        digits.clear();
    }
    codes
}
