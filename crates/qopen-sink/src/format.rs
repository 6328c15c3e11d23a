//! JSONL and CSV.

use std::io::Write;

use qopen_types::{Account, AttributeField, Json, RobotId, TagInfo};

use crate::{Record, SinkError};

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line, UTF-8.
    #[default]
    Jsonl,
    /// Comma-separated values, UTF-8, a header line first, columns as in [`CSV_COLUMNS`].
    Csv,
}

impl Format {
    /// What a file of this format ends in, without the point.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// The columns of [`Format::Csv`], in order.
///
/// Codes are numbers, times are seconds since the Unix epoch, flags are `true` and `false`. Tags
/// are written `group:tag|group:tag`, attributes `name=value|name=value`, with a backslash before
/// any of `\`, `|`, `:` and `=` that belongs to a text. `extra` is empty, or a JSON object of the
/// unknown fields: those of the account under their names, those of its profile under `profile`.
/// Unknown fields inside attributes and tags are in JSONL only. `_unread` is empty, or a JSON object of
/// the fields that could not be read, by their paths.
pub const CSV_COLUMNS: [&str; 22] = [
    "robot_id",
    "account_id",
    "account_type",
    "deleted_by_contact",
    "deleted_by_staff",
    "name",
    "gender",
    "avatar",
    "alias",
    "phone",
    "add_at",
    "add_way",
    "union_id",
    "external_user_id",
    "state_code",
    "channel_name",
    "desc",
    "tags",
    "user_attr_sys_fields",
    "user_attr_fields",
    "extra",
    "_unread",
];

/// Records on their way into bytes.
pub(crate) enum Encoder<W: Write> {
    /// With room for a line.
    Jsonl(W, String),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(format: Format, out: W) -> Result<Self, SinkError> {
        Ok(match format {
            Format::Jsonl => Self::Jsonl(out, String::new()),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer
                    .write_record(CSV_COLUMNS)
                    .map_err(|error| SinkError::Encode(error.into()))?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        match self {
            Self::Jsonl(out, _) => {
                serde_json::to_writer(&mut *out, record)
                    .map_err(|error| SinkError::Encode(error.into()))?;
                out.write_all(b"\n").map_err(|error| SinkError::Encode(error.into()))
            }
            Self::Csv(writer) => {
                writer.write_record(row(record)).map_err(|error| SinkError::Encode(error.into()))
            }
        }
    }

    /// A record straight from its account's JSON, where that is spelled in a usual way.
    pub(crate) fn write_json(&mut self, robot: &RobotId, account: &str) -> Result<bool, SinkError> {
        let Self::Jsonl(out, scratch) = self else { return Ok(false) };
        scratch.clear();
        if !Account::normalize_json(account, scratch) {
            return Ok(false);
        }
        let encode = |error: Box<dyn std::error::Error + Send + Sync>| SinkError::Encode(error);
        out.write_all(b"{\"robot_id\":").map_err(|error| encode(error.into()))?;
        serde_json::to_writer(&mut *out, robot).map_err(|error| encode(error.into()))?;
        // The account's own fields follow, in the place of its opening bracket.
        let rest = scratch.strip_prefix('{').unwrap_or(scratch);
        for part in [",", rest, "\n"] {
            out.write_all(part.as_bytes()).map_err(|error| encode(error.into()))?;
        }
        Ok(true)
    }

    /// Everything written so far, handed to the writer below.
    pub(crate) fn finish(self) -> Result<W, SinkError> {
        match self {
            Self::Jsonl(out, _) => Ok(out),
            Self::Csv(writer) => {
                writer.into_inner().map_err(|error| SinkError::Encode(error.into_error().into()))
            }
        }
    }
}

fn row(record: &Record<'_>) -> [String; 22] {
    let (account, profile) = (record.account(), &record.account().profile);
    [
        record.robot_id().to_string(),
        account.account_id.to_string(),
        account.account_type.code().to_string(),
        account.deleted_by_contact.to_string(),
        account.deleted_by_staff.to_string(),
        profile.name.clone(),
        profile.gender.code().to_string(),
        profile.avatar.clone(),
        profile.alias.clone(),
        profile.phone.clone(),
        profile.add_at.to_string(),
        profile.add_way.code().to_string(),
        profile.union_id.clone(),
        profile.external_user_id.clone(),
        profile.state_code.clone(),
        profile.channel_name.clone(),
        profile.desc.clone(),
        joined(&account.tag_info_list, ':', |TagInfo { parent_tag_name, tag_name, .. }| {
            (parent_tag_name, tag_name)
        }),
        attributes(&account.user_attr_sys_field_list),
        attributes(&account.user_attr_field_list),
        extra(record),
        unread(record),
    ]
}

fn attributes(list: &[AttributeField]) -> String {
    joined(list, '=', |AttributeField { field_name, field_value, .. }| (field_name, field_value))
}

fn joined<T>(list: &[T], between: char, pair: impl Fn(&T) -> (&String, &String)) -> String {
    let pairs = list.iter().map(|it| {
        let (left, right) = pair(it);
        format!("{}{between}{}", escaped(left), escaped(right))
    });
    pairs.collect::<Vec<_>>().join("|")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '|' | ':' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn unread(record: &Record<'_>) -> String {
    let unread = &record.account().unread;
    // Plain data always encodes.
    if unread.is_empty() {
        String::new()
    } else {
        serde_json::to_string(unread).unwrap_or_default()
    }
}

fn extra(record: &Record<'_>) -> String {
    let (account, profile) = (&record.account().extra, &record.account().profile.extra);
    if account.is_empty() && profile.is_empty() {
        return String::new();
    }
    let object = |fields: &mut dyn Iterator<Item = (&str, &str)>| {
        let fields: Vec<_> =
            fields.map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        format!("{{{}}}", fields.join(","))
    };
    let inner = object(&mut profile.iter().map(|(name, value)| (name, Json::as_str(value))));
    let profile = (!profile.is_empty()).then_some(("profile", inner.as_str()));
    object(&mut account.iter().map(|(name, value)| (name, Json::as_str(value))).chain(profile))
}

fn quoted(name: &str) -> String {
    // A string always encodes.
    serde_json::to_string(name).unwrap_or_default()
}

/// Whether a list that was written before has a customer of that robot.
pub(crate) fn holds(
    format: Format,
    mut list: impl std::io::BufRead,
    robot: &RobotId,
) -> std::io::Result<bool> {
    if format == Format::Csv {
        for row in csv::Reader::from_reader(list).into_byte_records() {
            if row?.get(0) == Some(robot.as_str().as_bytes()) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let begin = format!("{{\"robot_id\":{},", quoted(robot.as_str()));
    let mut line = Vec::new();
    loop {
        line.clear();
        if list.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if line.starts_with(begin.as_bytes()) {
            return Ok(true);
        }
    }
}
