//! Rewrites an account's wire JSON as canonical JSON without deserialising it.

#[cfg(test)]
mod tests;
mod values;

use alloc::string::String;

use crate::generated::layout::{MOST, RECORD};
use crate::layout::{Field, Kind};
use crate::reader::Reader;
use crate::{Account, ids};

impl Account {
    /// Appends the canonical JSON of an account: the bytes that its `Serialize` writes.
    ///
    /// Takes the common form only: known fields, in any order or absent, with values of their own kind.
    /// Returns false and appends nothing for any other JSON; read that account, and serialize it.
    #[must_use]
    pub fn write_canonical_json(json: &str, out: &mut String) -> bool {
        rewrite(RECORD, json, out)
    }
}

/// Appends the canonical JSON of an object with these fields, or nothing.
fn rewrite(fields: &[Field], json: &str, out: &mut String) -> bool {
    let before = out.len();
    for is_compact in [true, false] {
        let mut reader = Reader::new(json);
        let mut copy = Copy { json, from: 0, to: 0, out };
        let done = match is_compact {
            true => compact_object(&mut reader, fields, &mut copy),
            false => {
                reader.space();
                object(&mut reader, fields, &mut copy)
            }
        };
        copy.flush();
        reader.space();
        if done.is_some() && reader.is_at_end() {
            return true;
        }
        out.truncate(before);
    }
    false
}

/// What is written: mostly parts of the JSON that is read. They are copied in pieces as long as possible.
struct Copy<'a> {
    json: &'a str,
    /// A piece that is not copied yet.
    from: usize,
    to: usize,
    out: &'a mut String,
}

impl Copy<'_> {
    /// Writes a part of the JSON.
    fn part(&mut self, from: usize, to: usize) {
        if from != self.to {
            self.flush();
            self.from = from;
        }
        self.to = to;
    }

    fn text(&mut self, text: &str) {
        self.written().push_str(text);
    }

    fn flush(&mut self) {
        self.out.push_str(self.json.get(self.from..self.to).unwrap_or_default());
        self.from = self.to;
    }

    /// What is written so far.
    fn written(&mut self) -> &mut String {
        self.flush();
        self.out
    }
}

/// An object without white space, with its fields in order. Absent ones are filled in.
fn compact_object(reader: &mut Reader<'_>, fields: &[Field], out: &mut Copy<'_>) -> Option<()> {
    let start = reader.at();
    reader.take(b'{')?;
    out.part(start, reader.at());
    let mut next = 0;
    // Whether a field of the JSON was written.
    let mut has_any = false;
    while reader.peek()? != b'}' {
        let start = reader.at();
        if has_any {
            reader.take(b',')?;
        }
        let name = reader.plain_string()?;
        reader.take(b':')?;
        let found = match fields.get(next) {
            Some(field) if field.0 == name => next,
            _ => next + 1 + fields.get(next + 1..)?.iter().position(|field| field.0 == name)?,
        };
        for field in &fields[next..found] {
            // The JSON has the comma on one side of them.
            out.text(if has_any { "," } else { "" });
            absent_field(field, out.written())?;
            out.text(if has_any { "" } else { "," });
        }
        out.part(start, reader.at());
        value(reader, &fields[found].1, true, out)?;
        (next, has_any) = (found + 1, true);
    }
    for (n, field) in fields[next..].iter().enumerate() {
        out.text(if has_any || n > 0 { "," } else { "" });
        absent_field(field, out.written())?;
    }
    let start = reader.at();
    reader.take(b'}')?;
    out.part(start, reader.at());
    Some(())
}

/// Any object of known fields.
fn object(reader: &mut Reader<'_>, fields: &[Field], out: &mut Copy<'_>) -> Option<()> {
    let start = out.written().len();
    let mut places = [None; MOST];
    reader.object(|reader, name| {
        let found = fields.iter().position(|field| field.0 == name)?;
        let from = out.written().len();
        value(reader, &fields[found].1, false, out)?;
        let before = places.get_mut(found)?.replace((from, out.written().len()));
        // The last one of two counts; the general reader sees to that.
        before.is_none().then_some(())
    })?;
    let out = out.written();
    let end = out.len();
    whole(fields, &places, out)?;
    out.drain(start..end);
    Some(())
}

/// Appends every field of an object in its place: a copy of the value that is in `out` already, or the zero value of one
/// that is absent.
fn whole(
    fields: &[Field],
    places: &[Option<(usize, usize)>; MOST],
    out: &mut String,
) -> Option<()> {
    for (n, (field, place)) in fields.iter().zip(places).enumerate() {
        out.push(if n == 0 { '{' } else { ',' });
        match *place {
            Some((from, to)) => {
                name_of(field, out);
                out.extend_from_within(from..to);
            }
            None => absent_field(field, out)?,
        }
    }
    out.push('}');
    Some(())
}

fn name_of(field: &Field, out: &mut String) {
    out.push('"');
    out.push_str(field.0);
    out.push_str("\":");
}

/// Appends an absent field with its zero value. An identifier has none.
fn absent_field(field: &Field, out: &mut String) -> Option<()> {
    name_of(field, out);
    absent(&field.1, out)
}

fn absent(kind: &Kind, out: &mut String) -> Option<()> {
    match kind {
        Kind::Id => return None,
        Kind::Text => out.push_str("\"\""),
        Kind::Integer => out.push('0'),
        Kind::Flag => out.push_str("false"),
        Kind::List(_) => out.push_str("[]"),
        Kind::Object(fields) => whole(fields, &[None; MOST], out)?,
    }
    Some(())
}

fn value(reader: &mut Reader<'_>, kind: &Kind, is_compact: bool, out: &mut Copy<'_>) -> Option<()> {
    let start = reader.at();
    match (kind, reader.peek()?) {
        (Kind::Text | Kind::Integer | Kind::Flag | Kind::List(_), b'n') => {
            reader.word(b"null")?;
            return absent(kind, out.written());
        }
        (Kind::Id, _) => ids::check(reader.plain_string()?).ok()?,
        (Kind::Text, b'"') => {
            let (text, plain) = reader.string()?;
            (plain || escapes_are_those_written(text)).then_some(())?;
        }
        (Kind::Text, _) => {
            reader.integer()?;
            out.text("\"");
            out.part(start, reader.at());
            out.text("\"");
            return Some(());
        }
        (Kind::Integer, _) => drop(reader.integer()?),
        (Kind::Flag, _) => drop(reader.flag()?),
        (Kind::Object(fields), _) if is_compact => return compact_object(reader, fields, out),
        (Kind::Object(fields), _) => return object(reader, fields, out),
        (Kind::List(fields), _) if is_compact => return compact_list(reader, fields, out),
        (Kind::List(fields), _) => {
            out.text("[");
            let start = out.written().len();
            reader.list(|reader| {
                if out.written().len() > start {
                    out.text(",");
                }
                object(reader, fields, out)
            })?;
            out.text("]");
            return Some(());
        }
    }
    out.part(start, reader.at());
    Some(())
}

/// A list of objects without white space.
fn compact_list(reader: &mut Reader<'_>, fields: &[Field], out: &mut Copy<'_>) -> Option<()> {
    let mut start = reader.at();
    reader.take(b'[')?;
    if reader.peek()? != b']' {
        loop {
            out.part(start, reader.at());
            compact_object(reader, fields, out)?;
            start = reader.at();
            if reader.take(b',').is_none() {
                break;
            }
        }
    }
    reader.take(b']')?;
    out.part(start, reader.at());
    Some(())
}

/// Whether every escape is the only one that a writer may use for its character.
fn escapes_are_those_written(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let other = |it: u8| !b"\"\\bfnrt".contains(&it);
        if byte == b'\\' && bytes.next().is_none_or(other) {
            return false;
        }
    }
    true
}
