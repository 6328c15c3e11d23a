//! The fields in which two records of one account differ.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::found::Change;
use crate::csv_row::quoted;

/// The object whose members are compared one by one.
const PROFILE: &str = "profile";

/// The object of unreadable fields, the last of a record.
const UNREAD: &str = "_unread";

/// The members of a JSON object in order, with their values as written.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    pub(super) fn of(json: &'a [u8]) -> Option<Self> {
        // Once for all texts in it.
        serde_json::from_str(std::str::from_utf8(json).ok()?).ok()
    }

    /// The names and values in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The value of a name; of two, the last one counts.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|it| it.0 == name).map(|it| it.1)
    }

    /// The value of a name, which is most often at the same index as in the other object.
    fn like(&self, index: usize, name: &str) -> Option<&'a str> {
        match self.0.get(index) {
            Some((other, value)) if other == name => Some(value),
            _ => self.get(name),
        }
    }

    /// Whether the other object has the same names in the same order, each once, and this one's text is its tokens.
    fn is_alike(&self, other: &Self, text: &str) -> bool {
        let is_same = self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(one, two)| one.0 == two.0);
        // A borrowed name is spelled as it is. It has two quotes, a colon, and a comma or bracket.
        let is_plain = |it: &(Cow<'_, str>, &str)| matches!(it.0, Cow::Borrowed(_));
        let length: usize = self.0.iter().map(|it| it.0.len() + it.1.len() + 4).sum();
        is_same && self.0.iter().all(is_plain) && length + 1 == text.len() && !self.has_duplicates()
    }

    /// Whether a name comes twice.
    fn has_duplicates(&self) -> bool {
        // Most objects have the few names of the protocol.
        if self.0.len() <= 24 {
            let others = |n: usize| self.0[n + 1..].iter();
            return self.0.iter().enumerate().any(|(n, it)| others(n).any(|its| its.0 == it.0));
        }
        let mut names: Vec<&str> = self.0.iter().map(|it| &*it.0).collect();
        names.sort_unstable();
        names.windows(2).any(|it| it[0] == it[1])
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A name, borrowed if it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// How two records of one account differ.
pub(super) struct Difference {
    pub(super) kind: Change,
    /// The paths of the fields.
    pub(super) fields: Vec<String>,
    /// A JSON object of the earlier values, or the whole earlier record.
    pub(super) before: String,
}

/// The record that is not JSON.
pub(super) enum Unreadable {
    Old,
    New,
}

/// Compares two records of one account. They are not the same bytes.
pub(super) fn difference(old: &[u8], new: &[u8]) -> Result<Difference, Unreadable> {
    let before = Members::of(old).ok_or(Unreadable::Old)?;
    let after = Members::of(new).ok_or(Unreadable::New)?;
    let old = std::str::from_utf8(old).map_err(|_| Unreadable::Old)?;
    let kind = kind_of(&before, &after);
    let mut fields = Vec::new();
    let mut values = Object::default();
    members_that_differ(&before, &after, "", &mut fields, &mut values);
    let values = values.finish();
    // Where the new record and the earlier values do not give the earlier record back, all of it is kept.
    let is_reversible = is_rewritten(&before, &after, old) || {
        Members::of(values.as_bytes())
            .and_then(|values| earlier(&after, &fields, &values))
            .is_some_and(|it| it == old)
    };
    let before = if is_reversible { values } else { old.to_owned() };
    Ok(Difference { kind, fields, before })
}

/// Whether the earlier values in the place of the later ones are known to give the earlier record: both records have
/// the same names in the same order, and the earlier one has no white space around tokens. False says nothing.
fn is_rewritten(before: &Members<'_>, after: &Members<'_>, old: &str) -> bool {
    // A path that two fields have tells neither of them.
    let is_apart = |it: &(Cow<'_, str>, &str)| !it.0.starts_with("profile.");
    let is_last = before.0.iter().rev().skip(1).all(|it| it.0 != UNREAD);
    if !is_last || !before.0.iter().all(is_apart) || !before.is_alike(after, old) {
        return false;
    }
    let (old, new) = (before.get(PROFILE), after.get(PROFILE));
    match old.zip(new).filter(|(old, new)| old != new) {
        Some((old, new)) => match (Members::of(old.as_bytes()), Members::of(new.as_bytes())) {
            (Some(before), Some(after)) => before.is_alike(&after, old),
            // It is kept whole.
            _ => true,
        },
        None => true,
    }
}

/// Compares two records of one account, as JSON, that are not the same text. Returns what happened to the account
/// and the paths of the fields that differ; `None` if one of them is not a JSON object.
#[must_use]
pub fn compare_records(old: &str, new: &str) -> Option<(Change, Vec<String>)> {
    let (before, after) = (Members::of(old.as_bytes())?, Members::of(new.as_bytes())?);
    let mut fields = Vec::new();
    members_that_differ(&before, &after, "", &mut fields, &mut Object::default());
    Some((kind_of(&before, &after), fields))
}

/// Returns the earlier record of an account, from the later one, the paths that differ and the earlier values.
pub(super) fn rewound(new: &[u8], fields: &[String], before: &[u8]) -> Option<Vec<u8>> {
    let values = Members::of(before)?;
    if values.0.first().is_some_and(|it| it.0 == "robot_id") {
        return Some(before.to_vec());
    }
    earlier(&Members::of(new)?, fields, &values).map(String::into_bytes)
}

fn members_that_differ(
    before: &Members<'_>,
    after: &Members<'_>,
    path: &str,
    fields: &mut Vec<String>,
    values: &mut Object,
) {
    for (index, (name, old)) in before.0.iter().enumerate() {
        let new = after.like(index, name);
        if new == Some(old) {
            continue;
        }
        let inner = new
            .filter(|_| path.is_empty() && name == PROFILE)
            .and_then(|new| Some((Members::of(old.as_bytes())?, Members::of(new.as_bytes())?)));
        match inner {
            Some((old, new)) => {
                let mut inner = Object::default();
                members_that_differ(&old, &new, "profile.", fields, &mut inner);
                values.add(name, &inner.finish());
            }
            None => {
                fields.push(format!("{path}{name}"));
                values.add(name, old);
            }
        }
    }
    for (index, (name, _)) in after.0.iter().enumerate() {
        if before.like(index, name).is_none() {
            fields.push(format!("{path}{name}"));
        }
    }
}

/// The earlier record. `None` if names come twice, which no rule could tell apart.
fn earlier(after: &Members<'_>, fields: &[String], before: &Members<'_>) -> Option<String> {
    let mut out = Object::default();
    earlier_members(after, fields, before, "", &mut out)?;
    Some(out.finish())
}

fn earlier_members(
    after: &Members<'_>,
    fields: &[String],
    before: &Members<'_>,
    path: &str,
    out: &mut Object,
) -> Option<()> {
    if after.has_duplicates() || before.has_duplicates() {
        return None;
    }
    let differs = |name: &str| {
        let is_it = |it: &String| it.strip_prefix(path).is_some_and(|it| it == name);
        fields.iter().any(is_it)
    };
    for (name, new) in after.0.iter().filter(|it| !is_unread(path, &it.0)) {
        match before.get(name) {
            Some(old) if path.is_empty() && name == PROFILE && !differs(name) => {
                let mut inner = Object::default();
                let (new, old) = (Members::of(new.as_bytes())?, Members::of(old.as_bytes())?);
                earlier_members(&new, fields, &old, "profile.", &mut inner)?;
                out.add(name, &inner.finish());
            }
            Some(old) => out.add(name, old),
            None if differs(name) => {}
            None => out.add(name, new),
        }
    }
    let only_before = before.0.iter().filter(|it| after.get(&it.0).is_none());
    only_before.filter(|it| !is_unread(path, &it.0)).for_each(|(name, old)| out.add(name, old));
    let unread = before.get(UNREAD).or_else(|| after.get(UNREAD).filter(|_| !differs(UNREAD)));
    if let Some(unread) = unread.filter(|_| path.is_empty()) {
        out.add(UNREAD, unread);
    }
    Some(())
}

fn is_unread(path: &str, name: &str) -> bool {
    path.is_empty() && name == UNREAD
}

fn kind_of(before: &Members<'_>, after: &Members<'_>) -> Change {
    let flag = |name: &str| {
        // A flag that could not be read is false in the list, which says nothing.
        let is_unread = |it: &Members<'_>| {
            let unread = it.get(UNREAD).and_then(|it| Members::of(it.as_bytes()));
            unread.is_some_and(|it| it.get(name).is_some())
        };
        if is_unread(before) || is_unread(after) {
            return (None, None);
        }
        (before.get(name), after.get(name))
    };
    let both = [flag("deleted_by_contact"), flag("deleted_by_staff")];
    let [contact, staff] = both.map(|it| it == (Some("false"), Some("true")));
    match () {
        () if contact => Change::Lost,
        () if staff => Change::Removed,
        () if both.contains(&(Some("true"), Some("false"))) => Change::Returned,
        () => Change::Changed,
    }
}

/// A JSON object being written.
#[derive(Default)]
struct Object(String);

impl Object {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        match name.bytes().all(|it| it >= b' ' && it != b'"' && it != b'\\') {
            true => {
                self.0.push('"');
                self.0.push_str(name);
                self.0.push('"');
            }
            false => self.0.push_str(&quoted(name)),
        }
        self.0.push(':');
        self.0.push_str(value);
    }

    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_borrowed_unless_it_has_escapes() {
        let members = Members::of(br#"{"plain":1,"a\u0062\n":"2","":3}"#).unwrap();
        let names: Vec<_> = members.0.iter().map(|it| (&it.0, it.1)).collect();
        assert!(matches!(names[0], (Cow::Borrowed("plain"), "1")), "{names:?}");
        assert!(matches!(names[1], (Cow::Owned(it), "\"2\"") if it == "ab\n"), "{names:?}");
        assert!(matches!(names[2], (Cow::Borrowed(""), "3")), "{names:?}");
        assert_eq!(members.get("ab\n"), Some("\"2\""));
        for wrong in ["{1:2}", "[\"a\",1]", "\"a\"", "{\"a\":1"] {
            assert!(Members::of(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    /// Each pair differs in a way that the shortest `before` could not give back, or is just plain.
    #[test]
    fn an_earlier_record_comes_back_from_whatever_is_kept_of_it() {
        let all = [
            r#"{"robot_id":"r","profile":{"name":"a","mood":1},"x":1}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":1},"x":1}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":2},"x":2}"#,
            r#"{"robot_id":"r","profile":{"mood":1,"name":"b"},"x":2}"#,
            r#"{"robot_id":"r","profile":{ "name":"c","mood":1},"x":1}"#,
            r#"{"robot_id":"r","profile":{"name":"b","name":"c"},"x":1}"#,
            r#"{"robot_id":"r","profile":{"name":"d","name":"c"},"x":1}"#,
            r#"{"robot_id":"r","profile":[7],"x":1}"#,
            r#"{"robot_id":"r","profile":{"name":"a","mood":1},"profile.name":1}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":1},"profile.name":1}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":1},"profile.name":2}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":1}, "x":2}"#,
            r#"{"robot_id":"r","profile":{"name":"b","mood":1},"\u0078":2}"#,
            r#"{"robot_id":"r","_unread":1,"x":1}"#,
            r#"{"robot_id":"r","_unread":2,"x":1}"#,
            r#"{"robot_id":"r","x":1,"_unread":1}"#,
            r#"{"robot_id":"r","x":2,"_unread":1}"#,
            r#"{"robot_id":"r","x":2,"x":1}"#,
            r#"{"robot_id":"r","x":3,"x":1}"#,
        ];
        for (old, new) in all.iter().flat_map(|old| all.map(|new| (*old, new))) {
            if old == new {
                continue;
            }
            let Ok(found) = difference(old.as_bytes(), new.as_bytes()) else { panic!("{old}") };
            let back = rewound(new.as_bytes(), &found.fields, found.before.as_bytes()).unwrap();
            assert_eq!(std::str::from_utf8(&back), Ok(old), "from {new} and {}", found.before);
        }
        let plain = difference(all[0].as_bytes(), all[1].as_bytes()).map(|it| it.before).ok();
        assert_eq!(plain.as_deref(), Some(r#"{"profile":{"name":"a"}}"#));
    }
}
