//! The fields in which two records of a customer differ.

use std::fmt;

use qopen_types::ChangeCounts;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The object whose members are compared one by one.
const PROFILE: &str = "profile";

/// The object of unreadable fields.
const UNREAD: &str = "_unread";

/// What happened to a customer between two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Gone,
    Lost,
    Removed,
    Returned,
    Changed,
}

impl Change {
    /// The name in `qopen.change`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Gone => "gone",
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::Returned => "returned",
            Self::Changed => "changed",
        }
    }

    pub(super) fn count(self, counts: &mut ChangeCounts) {
        let count = match self {
            Self::Added => &mut counts.added,
            Self::Gone => &mut counts.gone,
            Self::Lost => &mut counts.lost,
            Self::Removed => &mut counts.removed,
            Self::Returned => &mut counts.returned,
            Self::Changed => &mut counts.changed,
        };
        *count += 1;
    }
}

/// Compares two records that are not the same text. Returns the kind of change and the paths of the fields: the
/// earlier record's in their order, then those that only the later one has.
pub(super) fn difference(old: &str, new: &str) -> (Change, Vec<String>) {
    let (before, after) = (Object::of(old), Object::of(new));
    let mut fields = Vec::new();
    add_fields(&before, &after, "", &mut fields);
    (kind_of(&before, &after), fields)
}

fn add_fields(before: &Object<'_>, after: &Object<'_>, path: &str, fields: &mut Vec<String>) {
    for (name, old) in &before.0 {
        let new = after.get(name);
        if new == Some(*old) {
            continue;
        }
        let inner = new
            .filter(|new| path.is_empty() && name == PROFILE && is_object(old) && is_object(new))
            .map(|new| (Object::of(old), Object::of(new)));
        match inner {
            Some((old, new)) => add_fields(&old, &new, "profile.", fields),
            None => fields.push(format!("{path}{name}")),
        }
    }
    let only_after = after.0.iter().filter(|(name, _)| before.get(name).is_none());
    fields.extend(only_after.map(|(name, _)| format!("{path}{name}")));
}

fn kind_of(before: &Object<'_>, after: &Object<'_>) -> Change {
    let flag = |name: &str| {
        // An unreadable flag is false in the list, which says nothing.
        let is_unread = |it: &Object<'_>| {
            it.get(UNREAD).is_some_and(|unread| Object::of(unread).get(name).is_some())
        };
        match is_unread(before) || is_unread(after) {
            true => (None, None),
            false => (before.get(name), after.get(name)),
        }
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

fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}

/// The members of a JSON object in order, with their values as written. Any other JSON has none.
#[derive(Default)]
struct Object<'a>(Vec<(String, &'a str)>);

impl<'a> Object<'a> {
    fn of(json: &'a str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|it| it.0 == name).map(|it| it.1)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
