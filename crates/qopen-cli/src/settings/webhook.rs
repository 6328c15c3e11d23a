//! `[[webhook]]` entries of the settings file.

use std::collections::BTreeSet;
use std::fmt;

use qopen::types::Secret;
use toml::{Table, Value};

/// The keys of an entry, each with an example.
const KEYS: [(&str, &str); 3] = [
    ("url", "url = \"https://hooks.example/qopen\""),
    ("secret", "secret = \"whsec_…\""),
    ("events", "events = [\"list.incomplete\", \"list.held\"]"),
];

/// What messages are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Published,
    Incomplete,
    Held,
    LoggedOut,
}

impl Topic {
    pub(super) const ALL: [Self; 4] =
        [Self::Published, Self::Incomplete, Self::Held, Self::LoggedOut];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Published => "list.published",
            Self::Incomplete => "list.incomplete",
            Self::Held => "list.held",
            Self::LoggedOut => "robot.logged_out",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry whose keys have the right types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// It may have a password.
    pub(crate) url: Secret,
    pub(crate) secret: Secret,
    pub(crate) topics: BTreeSet<Topic>,
}

/// An entry of the file, or the reason why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its number in the file, from 1.
    pub(crate) number: usize,
    pub(crate) entry: Result<Entry, String>,
}

impl Found {
    /// Reads every entry of the file's `webhook`.
    ///
    /// # Errors
    /// `webhook` is not a list of tables.
    pub(super) fn all(value: Value) -> Result<Vec<Self>, String> {
        let Value::Array(values) = value else {
            return Err(format!(
                "`webhook` is written as [[webhook]] in two pairs of brackets, with its keys below, such as {}",
                KEYS[0].1
            ));
        };
        let found = |(number, value)| Self { number, entry: entry(value) };
        Ok((1..).zip(values).map(found).collect())
    }
}

fn entry(value: Value) -> Result<Entry, String> {
    let Value::Table(mut table) = value else {
        return Err("it is no table; write [[webhook]] and keys below".to_owned());
    };
    // They are wiped even if the rest is wrong.
    let (url, secret) = (secret_of(&mut table, "url"), secret_of(&mut table, "secret"));
    let topics = topics(table.remove("events"))?;
    if let Some(unknown) = table.keys().next() {
        let known = KEYS.map(|(name, _)| name).join(", ");
        return Err(format!("unknown key `{unknown}`; the keys are {known}"));
    }
    Ok(Entry { url: url?, secret: secret?, topics })
}

fn secret_of(table: &mut Table, key: &str) -> Result<Secret, String> {
    match table.remove(key) {
        Some(Value::String(text)) if text.is_empty() => {
            Err(format!("`{key}` is blank; write {}", example(key)))
        }
        Some(Value::String(text)) => Ok(Secret::new(text)),
        Some(value) => {
            Err(format!("`{key}` is written {}; it is of type {}", example(key), value.type_str()))
        }
        None => Err(format!("`{key}` is missing; write {}", example(key))),
    }
}

/// Reads the topics; all, without a value.
fn topics(value: Option<Value>) -> Result<BTreeSet<Topic>, String> {
    let Some(value) = value else { return Ok(Topic::ALL.into()) };
    let known = || Topic::ALL.map(|it| format!("{:?}", it.as_str())).join(", ");
    let wrong = || format!("`events` is written {}; there are {}", example("events"), known());
    let Value::Array(values) = value else { return Err(wrong()) };
    if values.is_empty() {
        return Err(wrong());
    }
    let topic = |value: &Value| {
        let name = value.as_str().ok_or_else(wrong)?;
        let topic = Topic::ALL.into_iter().find(|it| it.as_str() == name);
        topic.ok_or_else(|| format!("events: {name:?} is unknown; there are {}", known()))
    };
    values.iter().map(topic).collect()
}

/// Returns every key with its example.
pub(super) fn keys() -> &'static [(&'static str, &'static str)] {
    &KEYS
}

/// Returns the key of this name.
pub(super) fn known(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|(key, _)| *key).find(|key| *key == name)
}

fn example(key: &str) -> &'static str {
    KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, example)| example)
}
