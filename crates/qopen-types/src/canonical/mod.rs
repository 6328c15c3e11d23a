//! Rewrites an account's wire JSON as canonical JSON without deserialising it.

#[cfg(test)]
mod tests;
mod values;

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
    let mut reader = Reader::new(json);
    if whole_canonical(&mut reader, fields).is_some() && reader.is_at_end() {
        out.push_str(json);
        return true;
    }
    let before = out.len();
    let mut reader = Reader::new(json);
    reader.space();
    let done = object(&mut reader, fields, out);
    reader.space();
    let is_whole = done.is_some() && reader.is_at_end();
    if !is_whole {
        out.truncate(before);
    }
    is_whole
}

/// Moves past an object with these fields that is canonical already.
fn whole_canonical(reader: &mut Reader<'_>, fields: &[Field]) -> Option<()> {
    reader.take(b'{')?;
    for (n, Field(name, kind)) in fields.iter().enumerate() {
        reader.word(if n > 0 { &b",\""[..] } else { &b"\""[..] })?;
        reader.word(name.as_bytes())?;
        reader.word(b"\":")?;
        match kind {
            Kind::Id => ids::check(reader.plain_string()?).ok()?,
            Kind::Text => {
                let (text, plain) = reader.string()?;
                (plain || escapes_are_those_written(text)).then_some(())?;
            }
            Kind::Integer => drop(reader.integer()?),
            Kind::Flag => drop(reader.flag()?),
            Kind::Object(fields) => whole_canonical(reader, fields)?,
            Kind::List(fields) => {
                reader.take(b'[')?;
                if reader.peek()? != b']' {
                    whole_canonical(reader, fields)?;
                    while reader.take(b',').is_some() {
                        whole_canonical(reader, fields)?;
                    }
                }
                reader.take(b']')?;
            }
        }
    }
    reader.take(b'}')
}

fn object(reader: &mut Reader<'_>, fields: &[Field], out: &mut String) -> Option<()> {
    let start = out.len();
    let mut places = [None; MOST];
    let (mut next, mut in_order) = (0, true);
    out.push('{');
    reader.object(|reader, name| {
        let found = match fields.get(next) {
            Some(field) if field.0 == name => next,
            _ => {
                in_order = false;
                fields.iter().position(|field| field.0 == name)?
            }
        };
        next = found + 1;
        if out.len() > start + 1 {
            out.push(',');
        }
        let from = out.len();
        name_of(&fields[found], out);
        value(reader, &fields[found].1, out)?;
        let before = places.get_mut(found)?.replace((from, out.len()));
        // The last one of two counts; the general reader sees to that.
        before.is_none().then_some(())
    })?;
    out.push('}');
    if in_order && next == fields.len() {
        return Some(());
    }
    let end = out.len();
    whole(fields, &places, out)?;
    out.drain(start..end);
    Some(())
}

/// Appends every field of an object in its place: a copy of those that are in `out` already, and the zero
/// value of those that are absent.
fn whole(
    fields: &[Field],
    places: &[Option<(usize, usize)>; MOST],
    out: &mut String,
) -> Option<()> {
    for (n, (field, place)) in fields.iter().zip(places).enumerate() {
        out.push(if n == 0 { '{' } else { ',' });
        match *place {
            Some((from, to)) => out.extend_from_within(from..to),
            None => {
                name_of(field, out);
                absent(&field.1, out)?;
            }
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

/// Appends the zero value of an absent field. An identifier has none.
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

fn value(reader: &mut Reader<'_>, kind: &Kind, out: &mut String) -> Option<()> {
    let start = reader.at();
    let first = reader.peek()?;
    match (kind, first) {
        (Kind::Text | Kind::Integer | Kind::Flag | Kind::List(_), b'n') => {
            reader.word(b"null")?;
            return absent(kind, out);
        }
        (Kind::Id, _) => ids::check(reader.plain_string()?).ok()?,
        (Kind::Text, b'"') => {
            let (text, plain) = reader.string()?;
            (plain || escapes_are_those_written(text)).then_some(())?;
        }
        (Kind::Text, _) => {
            reader.integer()?;
            out.push('"');
            out.push_str(reader.since(start)?);
            out.push('"');
            return Some(());
        }
        (Kind::Integer, _) => drop(reader.integer()?),
        (Kind::Flag, _) => drop(reader.flag()?),
        (Kind::Object(fields), _) => return object(reader, fields, out),
        (Kind::List(fields), _) => {
            out.push('[');
            let start = out.len();
            reader.list(|reader| {
                if out.len() > start {
                    out.push(',');
                }
                object(reader, fields, out)
            })?;
            out.push(']');
            return Some(());
        }
    }
    out.push_str(reader.since(start)?);
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
