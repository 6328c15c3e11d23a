//! A row of CSV as the record in JSON Lines that it was written from.

use qopen_types::{Account, Cell, Column};

use super::fields::Members;
use super::row::to_json;
use crate::csv_options::CsvOptions;
use crate::csv_row::quoted;

/// The members of an object in JSON, and those of its objects.
#[derive(Default)]
struct Object(Vec<(String, Member)>);

enum Member {
    Value(String),
    Object(Object),
}

impl Object {
    fn put(&mut self, path: &str, value: String) {
        match path.split_once('.') {
            None => self.0.push((path.to_owned(), Member::Value(value))),
            Some((name, rest)) => self.object(name).put(rest, value),
        }
    }

    /// The object of that name, which is made if there is none.
    fn object(&mut self, name: &str) -> &mut Self {
        let is_it = |it: &(String, Member)| it.0 == name && matches!(it.1, Member::Object(_));
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Member::Object(Self::default())));
            self.0.len() - 1
        });
        match &mut self.0[at].1 {
            Member::Object(object) => object,
            Member::Value(_) => unreachable!("an object was found or made"),
        }
    }

    fn has_object(&self, name: &str) -> bool {
        self.0.iter().any(|it| it.0 == name && matches!(it.1, Member::Object(_)))
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (n, (name, member)) in self.0.iter().enumerate() {
            out.push_str(if n > 0 { "," } else { "" });
            out.push_str(&quoted(name));
            out.push(':');
            match member {
                Member::Value(value) => out.push_str(value),
                Member::Object(object) => object.write(out),
            }
        }
        out.push('}');
    }
}

/// Returns the record of a row without labels; `None` if the row is not as qopen writes it. `is_safe` tells whether
/// its texts have marks.
pub(super) fn record_of(row: &[u8], is_safe: bool) -> Option<String> {
    let cells = to_json(row, None)?;
    let cells = Members::of(&cells)?;
    let mut cells = cells.iter().map(|it| it.1);
    let bare = |cell: &str| -> Option<String> {
        let text: String = serde_json::from_str(cell).ok()?;
        Some(if is_safe { CsvOptions::strip_mark(&text).to_owned() } else { text })
    };
    let mut record = Object::default();
    record.put("robot_id", quoted(&bare(cells.next()?)?));
    for column in Account::COLUMNS {
        let cell = cells.next()?;
        let value = match column.cell {
            Cell::Text(_) => quoted(&bare(cell)?),
            Cell::Integer(_) | Cell::UnixSeconds(_) | Cell::Code(_) | Cell::Flag(_) => {
                (!cell.starts_with('"')).then(|| cell.to_owned())?
            }
            Cell::Rows(between, _) => rows(&bare(cell)?, between, column)?,
            Cell::Json(_) => json(cell)?.unwrap_or("[]").to_owned(),
        };
        record.put(column.path, value);
    }
    if let Some(extra) = json(cells.next()?)? {
        add_unknown(&mut record, extra)?;
    }
    if let Some(unread) = json(cells.next()?)? {
        record.put("_unread", unread.to_owned());
    }
    let mut out = String::new();
    record.write(&mut out);
    Some(out)
}

/// Adds unknown fields, those of objects to their object.
fn add_unknown(record: &mut Object, extra: &str) -> Option<()> {
    for (name, value) in Members::of(extra.as_bytes())?.iter() {
        if record.has_object(name) {
            let object = record.object(name);
            for (name, value) in Members::of(value.as_bytes())?.iter() {
                object.0.push((name.to_owned(), Member::Value(value.to_owned())));
            }
            continue;
        }
        // As a record names the field beside its robot.
        let name = if name == "robot_id" { "account_robot_id" } else { name };
        record.0.push((name.to_owned(), Member::Value(value.to_owned())));
    }
    Some(())
}

/// A cell of JSON, which is nothing if it is empty. `None` if it is neither.
fn json(cell: &str) -> Option<Option<&str>> {
    match cell {
        "\"\"" => Some(None),
        cell if cell.starts_with('"') => None,
        cell => Some(Some(cell)),
    }
}

/// Returns the JSON of elements that are written with `|` between them, and a character between the texts of one.
fn rows(cell: &str, between: char, column: &Column) -> Option<String> {
    let names: Vec<_> = column.element_names().collect();
    let mut rows = String::from("[");
    if !cell.is_empty() {
        for (n, row) in split(cell, '|').into_iter().enumerate() {
            let texts = split(&row, between);
            if texts.len() != names.len() {
                return None;
            }
            let mut object = Object::default();
            for (name, text) in names.iter().zip(texts) {
                object.put(name, quoted(&unescaped(&text)?));
            }
            rows.push_str(if n > 0 { "," } else { "" });
            object.write(&mut rows);
        }
    }
    rows.push(']');
    Some(rows)
}

/// Splits a text at a character without a backslash before it. The parts keep their backslashes.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut is_escaped) = (vec![String::new()], false);
    for c in text.chars() {
        if c == at && !is_escaped {
            parts.push(String::new());
            continue;
        }
        is_escaped = c == '\\' && !is_escaped;
        // There is one part at least.
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// Removes the backslashes. `None` for one that escapes nothing that needs it, and for a character that needs one.
fn unescaped(text: &str) -> Option<String> {
    let needs = |c: char| matches!(c, '\\' | '|' | ':' | '=');
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => chars.next().filter(|it| needs(*it))?,
            c if needs(c) => return None,
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Record;
    use crate::csv_row::row;

    fn row_of(record: &Record<'_>, options: CsvOptions) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(row(Account::COLUMNS, record, options)).unwrap();
        let mut row = writer.into_inner().unwrap();
        row.pop();
        row
    }

    proptest! {
        #[test]
        fn a_row_gives_its_record_back(
            texts in prop::collection::vec("[-='\"\\\\|:=,\n\r07é]{0,5}|\\PC{0,4}", 4),
            tags in prop::collection::vec(("[\\\\|:=a]{0,4}", "\\PC{0,3}"), 0..4),
            numbers in any::<(i32, i64, bool)>(),
            has_extra in any::<bool>(),
        ) {
            let [name, phone, desc, more] = &texts[..] else { unreachable!() };
            let tags: Vec<_> = tags.iter().map(|it| json!({"parent_tag_name": it.0, "tag_name": it.1})).collect();
            let attributes: Vec<_> = texts.iter().map(|it| json!({"field_name": it, "field_value": more})).collect();
            let mut account = json!({"account_id": format!("=1'{}", numbers.0), "account_type": numbers.0,
                "deleted_by_staff": numbers.2, "tag_info_list": tags, "user_attr_field_list": attributes,
                "profile": {"name": name, "phone": phone, "desc": desc, "add_at": numbers.1}});
            if has_extra {
                account["mood"] = json!({ "x": more });
                account["robot_id"] = json!([1.50, null]);
                account["profile"]["level"] = json!(desc);
            }
            let mut account: Account = serde_json::from_value(account).unwrap();
            if has_extra {
                account.unread = serde_json::from_str(r#"{"profile.gender":"?"}"#).unwrap();
            }
            let robot = "=r".parse().unwrap();
            let record = Record::new(&robot, &account);
            let expected = serde_json::to_string(&record).unwrap();
            for is_safe in [false, true] {
                let row = row_of(&record, CsvOptions::default().safe(is_safe));
                let found = record_of(&row, is_safe).unwrap();
                let [found, expected] = [&found, &expected].map(|it| serde_json::from_str::<Value>(it).unwrap());
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_cell_that_qopen_does_not_write_is_refused() {
        let account = Account::new("a".parse().unwrap());
        let robot = "r".parse().unwrap();
        let row = row_of(&Record::new(&robot, &account), CsvOptions::default());
        let row = String::from_utf8(row).unwrap();
        assert!(record_of(row.as_bytes(), false).is_some());
        let with = |name: &str, cell: &str| {
            let at = crate::CSV_COLUMNS.iter().position(|it| *it == name).unwrap();
            let mut cells: Vec<_> = row.split(',').collect();
            cells[at] = cell;
            record_of(cells.join(",").as_bytes(), false)
        };
        assert!(with("tags", "g:t|u:").is_some());
        for (name, cell) in [
            ("account_type", "x"),
            ("account_type", ""),
            ("account_type", "1.5"),
            ("add_at", "2026-01-01"),
            ("deleted_by_staff", "yes"),
            ("tags", "g"),
            ("tags", "g:t:u"),
            ("tags", "g:t|"),
            ("tags", "g=h:t"),
            ("tags", "g\\x:t"),
            ("user_attr_fields", "n=v\\"),
            ("extra", "x"),
            ("_unread", "[1"),
        ] {
            assert!(with(name, cell).is_none(), "{name} {cell}");
        }
    }
}
