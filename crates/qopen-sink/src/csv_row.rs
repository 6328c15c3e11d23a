//! The columns of CSV: names, labels and cells.

use qopen_types::{AccountType, AddWay, AttributeField, Gender, Json, TagInfo};

use crate::Record;
use crate::csv_options::{CsvOptions, Labels};

/// A column's field name and labels.
struct Column {
    name: &'static str,
    zh: &'static str,
    en: &'static str,
}

const fn column(name: &'static str, zh: &'static str, en: &'static str) -> Column {
    Column { name, zh, en }
}

const COLUMNS: [Column; 22] = [
    column("robot_id", "机器人ID", "Robot ID"),
    column("account_id", "客户ID", "Customer ID"),
    column("account_type", "客户类型", "Account type"),
    column("deleted_by_contact", "客户已删除机器人", "Removed by the customer"),
    column("deleted_by_staff", "机器人已删除客户", "Removed by the robot"),
    column("name", "昵称", "Name"),
    column("gender", "性别", "Gender"),
    column("avatar", "头像", "Picture"),
    column("alias", "备注名", "Alias"),
    column("phone", "手机号", "Phone"),
    column("add_at", "添加时间（Unix 秒）", "Added at (Unix seconds)"),
    column("add_way", "添加方式", "Added by"),
    column("union_id", "UnionID", "Union ID"),
    column("external_user_id", "外部联系人ID", "External user ID"),
    column("state_code", "渠道参数 state", "State"),
    column("channel_name", "渠道名称", "Channel"),
    column("desc", "描述", "Description"),
    column("tags", "标签", "Tags"),
    column("user_attr_sys_fields", "系统属性", "System attributes"),
    column("user_attr_fields", "自定义属性", "Custom attributes"),
    column("extra", "其他字段（JSON）", "Other fields (JSON)"),
    column("_unread", "无法读取的字段（JSON）", "Unreadable fields (JSON)"),
];

/// The columns of [`Format::Csv`](crate::Format::Csv), in order.
///
/// Codes are numbers, times are seconds since the Unix epoch, flags are `true` and `false`. Tags
/// are written `group:tag|group:tag`, attributes `name=value|name=value`, with a backslash before
/// any of `\`, `|`, `:` and `=` that belongs to a text. `extra` is empty, or a JSON object of the
/// unknown fields: those of the account under their names, those of its profile under `profile`.
/// Unknown fields inside attributes and tags are in JSONL only. `_unread` is empty, or a JSON object of
/// the fields that could not be read, by their paths. NUL in a text becomes U+FFFD.
pub const CSV_COLUMNS: [&str; 22] = names();

const fn names() -> [&'static str; 22] {
    let mut names = [""; 22];
    let mut n = 0;
    while n < names.len() {
        names[n] = COLUMNS[n].name;
        n += 1;
    }
    names
}

pub(crate) fn header(options: CsvOptions) -> [&'static str; 22] {
    match options.labels {
        None => CSV_COLUMNS,
        Some(Labels::Zh) => COLUMNS.map(|it| it.zh),
        Some(Labels::En) => COLUMNS.map(|it| it.en),
    }
}

pub(crate) fn row(record: &Record<'_>, options: CsvOptions) -> [String; 22] {
    let (account, profile) = (record.account(), &record.account().profile);
    let text = |text: &str| options.cell(text.to_owned());
    let flag = |flag: bool| match (options.labels, flag) {
        (None, flag) => flag.to_string(),
        (Some(Labels::Zh), true) => "是".to_owned(),
        (Some(Labels::Zh), false) => "否".to_owned(),
        (Some(Labels::En), true) => "yes".to_owned(),
        (Some(Labels::En), false) => "no".to_owned(),
    };
    // An unknown code has no label.
    let code = |known: bool, code: i64, zh: &str, en: &str| match options.labels {
        Some(Labels::Zh) if known => zh.to_owned(),
        Some(Labels::En) if known => en.to_owned(),
        _ => code.to_string(),
    };
    let (kind, gender, way) = (account.account_type, profile.gender, profile.add_way);
    let is_known = (
        AccountType::KNOWN.contains(&kind),
        Gender::KNOWN.contains(&gender),
        AddWay::KNOWN.contains(&way),
    );
    let tags =
        joined(&account.tag_info_list, ':', |TagInfo { parent_tag_name, tag_name, .. }| {
            (parent_tag_name, tag_name)
        });
    [
        text(record.robot_id().as_str()),
        text(account.account_id.as_str()),
        code(is_known.0, kind.code(), kind.label_zh(), kind.label_en()),
        flag(account.deleted_by_contact),
        flag(account.deleted_by_staff),
        text(&profile.name),
        code(is_known.1, gender.code(), gender.label_zh(), gender.label_en()),
        text(&profile.avatar),
        text(&profile.alias),
        text(&profile.phone),
        profile.add_at.to_string(),
        code(is_known.2, way.code(), way.label_zh(), way.label_en()),
        text(&profile.union_id),
        text(&profile.external_user_id),
        text(&profile.state_code),
        text(&profile.channel_name),
        text(&profile.desc),
        options.cell(tags),
        options.cell(attributes(&account.user_attr_sys_field_list)),
        options.cell(attributes(&account.user_attr_field_list)),
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

/// A JSON string.
pub(crate) fn quoted(name: &str) -> String {
    // A string always encodes.
    serde_json::to_string(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv_options::marked;

    #[test]
    fn every_column_has_a_label_of_its_own_in_each_language() {
        for of in [|it: &Column| it.name, |it: &Column| it.zh, |it: &Column| it.en] {
            let mut labels: Vec<_> = COLUMNS.iter().map(of).collect();
            assert!(labels.iter().all(|it| !it.is_empty() && marked(it) == *it), "{labels:?}");
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), COLUMNS.len());
        }
    }
}
