//! `[[webhook]]` entries of the settings file.

use std::collections::BTreeSet;
use std::fmt;

use qopen::types::Secret;
use toml::{Table, Value};

use crate::lang::{Phrase, phrase};

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
    pub(crate) entry: Result<Entry, Phrase>,
}

impl Found {
    /// Reads every entry of the file's `webhook`.
    ///
    /// # Errors
    /// `webhook` is not a list of tables.
    pub(super) fn all(value: Value) -> Result<Vec<Self>, Phrase> {
        let Value::Array(values) = value else {
            return Err(phrase!(
                "`webhook` is written as [[webhook]] in two pairs of brackets, with its keys below, such as {example}",
                "`webhook` 写成 [[webhook]]（两对方括号），其键写在下面，例如 {example}",
                example = KEYS[0].1,
            ));
        };
        let found = |(number, value)| Self { number, entry: entry(value) };
        Ok((1..).zip(values).map(found).collect())
    }
}

fn entry(value: Value) -> Result<Entry, Phrase> {
    let Value::Table(mut table) = value else {
        return Err(phrase!(
            "it is no table; write [[webhook]] and keys below",
            "它不是表；请写 [[webhook]] 并在下面写各键",
        ));
    };
    // They are wiped even if the rest is wrong.
    let (url, secret) = (secret_of(&mut table, "url"), secret_of(&mut table, "secret"));
    let topics = topics(table.remove("events"))?;
    if let Some(unknown) = table.keys().next() {
        let known = KEYS.map(|(name, _)| name).join(", ");
        return Err(phrase!(
            "unknown key `{unknown}`; the keys are {known}",
            "未知的键 `{unknown}`；可用的键有 {known}",
            unknown = unknown,
            known = known,
        ));
    }
    Ok(Entry { url: url?, secret: secret?, topics })
}

fn secret_of(table: &mut Table, key: &str) -> Result<Secret, Phrase> {
    let example = example(key);
    match table.remove(key) {
        Some(Value::String(text)) if text.is_empty() => Err(phrase!(
            "`{key}` is blank; write {example}",
            "`{key}` 为空；请写 {example}",
            key = key,
            example = example,
        )),
        Some(Value::String(text)) => Ok(Secret::new(text)),
        Some(value) => Err(phrase!(
            "`{key}` is written {example}; it is of type {is}",
            "`{key}` 写成 {example}；现在的类型是 {is}",
            key = key,
            example = example,
            is = value.type_str(),
        )),
        None => Err(phrase!(
            "`{key}` is missing; write {example}",
            "缺少 `{key}`；请写 {example}",
            key = key,
            example = example,
        )),
    }
}

/// Reads the topics; all, without a value.
fn topics(value: Option<Value>) -> Result<BTreeSet<Topic>, Phrase> {
    let Some(value) = value else { return Ok(Topic::ALL.into()) };
    let known = || Topic::ALL.map(|it| format!("{:?}", it.as_str())).join(", ");
    let wrong = || {
        phrase!(
            "`events` is written {example}; there are {known}",
            "`events` 写成 {example}；可用的有 {known}",
            example = example("events"),
            known = known(),
        )
    };
    let Value::Array(values) = value else { return Err(wrong()) };
    if values.is_empty() {
        return Err(wrong());
    }
    let topic = |value: &Value| {
        let name = value.as_str().ok_or_else(wrong)?;
        let topic = Topic::ALL.into_iter().find(|it| it.as_str() == name);
        topic.ok_or_else(|| {
            phrase!(
                "events: {name} is unknown; there are {known}",
                "events：{name} 未知；可用的有 {known}",
                name = format!("{name:?}"),
                known = known(),
            )
        })
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
