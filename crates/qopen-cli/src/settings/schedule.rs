//! `[[schedule]]` entries of the settings file.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use toml::{Table, Value};

use crate::exit::chained;
use crate::format::{CsvArgs, Language, OutputFormat};
use crate::guards::Guards;
use crate::lang::{Phrase, phrase};
use crate::values::time;

/// The keys of an entry, each with an example.
const KEYS: [(&str, &str); 16] = [
    ("cron", "cron = \"30 2 * * Mon-Fri\""),
    ("robots", "robots = [\"ROBOT_ID\"] or robots = \"all\""),
    ("except", "except = [\"ROBOT_ID\"]"),
    ("out", "out = \"lists\""),
    ("format", "format = \"csv\""),
    ("bom", "bom = true"),
    ("csv_safe", "csv_safe = true"),
    ("labels", "labels = \"zh\""),
    ("need_tags", "need_tags = true"),
    ("time_zone", "time_zone = \"Asia/Shanghai\""),
    ("allow_empty", "allow_empty = true"),
    (MAX_GONE, "max_gone = \"5%\""),
    ("verify_gone", "verify_gone = true"),
    ("confirm", "confirm = true"),
    (RETRY, "retry = 2"),
    (NEW_CUSTOMER, "pull_on_new_customer = \"10m\""),
];

/// The value of `robots` that means all robots of the app.
pub(crate) const ALL: &str = "all";

/// The key of pulls after new customers.
const NEW_CUSTOMER: &str = "pull_on_new_customer";

/// The keys of guards that have a value.
const MAX_GONE: &str = "max_gone";
const RETRY: &str = "retry";

/// The shortest and the longest time from a new customer to a pull.
const DELAYS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86400);

/// Identifies an entry: its number in the file, from 1, and its time if that is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title {
    pub(crate) number: usize,
    pub(crate) cron: Option<String>,
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[schedule]] {}", self.number)?;
        self.cron.as_ref().map_or(Ok(()), |cron| write!(f, " {cron:?}"))
    }
}

/// The robots of an entry, as they are written.
#[derive(Clone, Debug)]
pub(crate) enum RobotNames {
    /// These robots.
    Listed(Vec<String>),
    /// All robots of the app except these.
    AllExcept(Vec<String>),
}

/// An entry whose keys have the right types.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) title: Title,
    /// The time in five fields: minute, hour, day of month, month, day of week; in local time.
    pub(crate) cron: String,
    pub(crate) robots: RobotNames,
    /// The place of the lists. The default is the service's place.
    pub(crate) out: Option<PathBuf>,
    pub(crate) format: Option<OutputFormat>,
    pub(crate) csv: CsvArgs,
    pub(crate) need_tags: bool,
    /// Overrides the setting of the same name.
    pub(crate) time_zone: Option<String>,
    /// Time from a new customer of a robot to a pull of the robot.
    pub(crate) pull_on_new_customer: Option<Duration>,
    /// Conditions of a publication that differ from the service's.
    pub(crate) guards: Guards,
}

/// An entry of the file, or the reason why it cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) title: Title,
    entry: Result<Entry, Phrase>,
}

impl Found {
    /// Reads every entry of the file's `schedule`.
    ///
    /// # Errors
    /// `schedule` is not a list of tables.
    pub(crate) fn all(value: Value) -> Result<Vec<Self>, Phrase> {
        let Value::Array(values) = value else {
            let (is, example) = (value.type_str(), KEYS[0].1);
            return Err(phrase!(
                "`schedule` is written as [[schedule]] with its keys below, such as {example}; it is of type {is}",
                "`schedule` 写成 [[schedule]]，其键写在下面，例如 {example}；现在的类型是 {is}",
                example = example,
                is = is,
            ));
        };
        Ok((1..).zip(values).map(|(number, value)| Self::read(number, value)).collect())
    }

    fn read(number: usize, value: Value) -> Self {
        let Value::Table(mut table) = value else {
            let title = Title { number, cron: None };
            let why = phrase!(
                "it is of type {is}; write [[schedule]] and keys below",
                "它的类型是 {is}；请写 [[schedule]] 并在下面写各键",
                is = value.type_str(),
            );
            return Self { title, entry: Err(why) };
        };
        let title =
            Title { number, cron: table.get("cron").and_then(Value::as_str).map(Into::into) };
        let entry = Self::keys(&title, &mut table);
        Self { title, entry }
    }

    fn keys(title: &Title, table: &mut Table) -> Result<Entry, Phrase> {
        if let Some(unknown) = table.keys().find(|key| KEYS.iter().all(|(name, _)| name != key)) {
            let known = KEYS.map(|(name, _)| name).join(", ");
            return Err(phrase!(
                "unknown key `{unknown}`; the keys are {known}",
                "未知的键 `{unknown}`；可用的键有 {known}",
                unknown = unknown,
                known = known,
            ));
        }
        let cron = take(table, "cron")?;
        let (robots, except) = (take(table, "robots")?, take(table, "except")?);
        let missing = |key: &str| {
            phrase!(
                "`{key}` is missing; write {example}",
                "缺少 `{key}`；请写 {example}",
                key = key,
                example = example(key),
            )
        };
        let format = match take(table, "format")? {
            Some(Text(name)) => {
                let format = OutputFormat::named(&name);
                Some(format.map_err(|reason| Phrase::about("`format`", reason))?)
            }
            None => None,
        };
        let labels = variant::<Language>(table, "labels")?;
        let flag = |it: Option<Flag>| it.is_some_and(|Flag(it)| it);
        let csv = CsvArgs {
            bom: flag(take(table, "bom")?),
            csv_safe: flag(take(table, "csv_safe")?),
            labels,
        };
        let Text(cron) = cron.ok_or_else(|| missing("cron"))?;
        let robots = robot_names(robots.ok_or_else(|| missing("robots"))?, except)?;
        Ok(Entry {
            title: title.clone(),
            cron,
            robots,
            out: take(table, "out")?.map(|Text(out)| out.into()),
            format,
            csv,
            need_tags: flag(take(table, "need_tags")?),
            time_zone: take(table, "time_zone")?.map(|Text(name)| name),
            pull_on_new_customer: delay(take(table, NEW_CUSTOMER)?)?,
            guards: guards(table)?,
        })
    }

    /// Returns the entry.
    ///
    /// # Errors
    /// A key is unknown, missing, or of another type.
    pub(crate) fn entry(&self) -> Result<&Entry, Phrase> {
        self.entry.as_ref().map_err(Clone::clone)
    }
}

/// Reads the time from a new customer to a pull.
fn delay(text: Option<Text>) -> Result<Option<Duration>, Phrase> {
    let Some(Text(text)) = text else { return Ok(None) };
    let delay = time(&text).map_err(|why| wrong(NEW_CUSTOMER, &text, &why))?;
    match DELAYS.contains(&delay) {
        true => Ok(Some(delay)),
        false => {
            let why = phrase!("it must be 1s to 7d", "必须在 1s 到 7d 之间");
            Err(wrong(NEW_CUSTOMER, &text, &why))
        }
    }
}

/// Describes the mistake in the value of a key.
fn wrong(key: &str, text: &str, why: &Phrase) -> Phrase {
    phrase!(
        "`{key}` {text}: {why}; write {example}",
        "`{key}` {text}：{why}；请写 {example}",
        key = key,
        text = format!("{text:?}"),
        why = why,
        example = example(key),
    )
}

/// Reads the conditions of a publication.
fn guards(table: &mut Table) -> Result<Guards, Phrase> {
    let max_gone = match take(table, MAX_GONE)? {
        Some(Limit(text)) => {
            Some(text.parse().map_err(|error| wrong(MAX_GONE, &text, &chained("", &error)))?)
        }
        None => None,
    };
    let mut flag = |key| Ok::<_, Phrase>(take(table, key)?.map(|Flag(it)| it));
    Ok(Guards {
        allow_empty: flag("allow_empty")?,
        max_gone,
        verify_gone: flag("verify_gone")?,
        confirm: flag("confirm")?,
        retry: take(table, RETRY)?.map(|Count(it)| it),
    })
}

/// Returns the robots of `robots` and `except`.
fn robot_names(robots: Robots, except: Option<Texts>) -> Result<RobotNames, Phrase> {
    match (robots, except) {
        (Robots::All, except) => {
            Ok(RobotNames::AllExcept(except.map(|Texts(it)| it).unwrap_or_default()))
        }
        (Robots::Listed(robots), None) => Ok(RobotNames::Listed(robots)),
        (Robots::Listed(_), Some(_)) => Err(phrase!(
            "`except` needs robots = \"all\"; remove `except`, or its robots from `robots`",
            "`except` 需要 robots = \"all\"；请删除 `except`，或从 `robots` 中去掉这些机器人",
        )),
    }
}

/// Whether entries have this key.
pub(super) fn is_key(name: &str) -> bool {
    known(name).is_some()
}

/// Returns the key of this name.
pub(super) fn known(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|(key, _)| *key).find(|key| *key == name)
}

/// Returns every key with its example.
pub(super) fn keys() -> &'static [(&'static str, &'static str)] {
    &KEYS
}

/// Returns the line of a key in an example.
pub(super) fn example(key: &str) -> Phrase {
    let example = KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, example)| example);
    Phrase::any_of(example)
}

/// A value of one type.
trait Typed: Sized {
    fn of(value: Value) -> Option<Self>;
}

struct Text(String);
struct Texts(Vec<String>);
struct Flag(bool);
struct Count(u32);

/// A number, or a text such as `5%`.
struct Limit(String);

/// The value of `robots`.
enum Robots {
    All,
    Listed(Vec<String>),
}

impl Typed for Text {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(text)),
            _ => None,
        }
    }
}

impl Typed for Texts {
    fn of(value: Value) -> Option<Self> {
        let Value::Array(values) = value else { return None };
        let texts = values.into_iter().map(|value| Text::of(value).map(|Text(it)| it));
        texts.collect::<Option<_>>().map(Self)
    }
}

impl Typed for Robots {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::String(text) if text == ALL => Some(Self::All),
            value => Texts::of(value).map(|Texts(robots)| Self::Listed(robots)),
        }
    }
}

impl Typed for Count {
    fn of(value: Value) -> Option<Self> {
        value.as_integer().and_then(|it| it.try_into().ok()).map(Self)
    }
}

impl Typed for Limit {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(text)),
            Value::Integer(number) => Some(Self(number.to_string())),
            _ => None,
        }
    }
}

impl Typed for Flag {
    fn of(value: Value) -> Option<Self> {
        value.as_bool().map(Self)
    }
}

/// Takes one of a few words, if the key is present.
fn variant<T: ValueEnum>(table: &mut Table, key: &str) -> Result<Option<T>, Phrase> {
    let Some(Text(name)) = take(table, key)? else { return Ok(None) };
    T::from_str(&name, false).map(Some).map_err(|_| {
        let known = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let known: Vec<_> = known.map(|it| format!("`{}`", it.get_name())).collect();
        phrase!(
            "`{key}` {name} is not known; give {known}",
            "`{key}` {name} 未知；请写 {known}",
            key = key,
            name = format!("{name:?}"),
            known = Phrase::any_of(&known.join(" or ")),
        )
    })
}

/// Takes the value of a key, if the key is present.
fn take<T: Typed>(table: &mut Table, key: &str) -> Result<Option<T>, Phrase> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    let is = value.type_str();
    let typed = T::of(value).map(Some);
    typed.ok_or_else(|| {
        phrase!(
            "`{key}` is written {example}; it is of type {is}",
            "`{key}` 写成 {example}；现在的类型是 {is}",
            key = key,
            example = example(key),
            is = is,
        )
    })
}
