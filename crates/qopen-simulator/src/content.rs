//! The contents of customers, and the platform's spelling of them.

use qopen_types::{
    Account, AccountId, AccountType, AddWay, AttributeField, Digest, Gender, Item, Json, RobotId,
    TagInfo,
};
use serde_json::{Value, json};

use crate::chance::Dice;
use crate::{Chance, Schedule};

/// One content of a customer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Version {
    /// Its data; `None` for a customer that cannot be read.
    pub account: Option<Account>,
    /// Its JSON as the platform spells it.
    pub raw: String,
}

pub(crate) fn account(
    robot: &RobotId,
    number: usize,
    tags: bool,
    schedule: &Schedule,
    dice: &mut Dice,
) -> Account {
    const NAMES: [&str; 6] = ["张三", "李四 \"小李\"", "Wang\\Wu", "赵/六", "🙂 emoji", "O'Brien"];
    let index = |dice: &mut Dice, len: usize| usize::try_from(dice.below(len as u64)).unwrap_or(0);
    let id = Digest::of(format!("{robot}/{number}").as_bytes());
    // Hexadecimal digits are an identifier.
    let mut it =
        Account::new(AccountId::new(format!("acc{id}")).unwrap_or_else(|_| unreachable_id()));
    it.account_type = AccountType::from(2 + i64::from(dice.happens(Chance::new(30))));
    it.deleted_by_contact = dice.happens(Chance::new(5));
    it.deleted_by_staff = dice.happens(Chance::new(5));
    let profile = &mut it.profile;
    profile.name = format!("{} {number}", NAMES[index(dice, NAMES.len())]);
    profile.gender = Gender::from(i64::try_from(dice.below(3)).unwrap_or(0));
    profile.avatar = format!("https://avatar.example/{number}?a=1&b=2");
    profile.alias = format!("备注 {number}");
    profile.phone = if dice.happens(Chance::new(60)) {
        format!("138{:08}", dice.below(100_000_000))
    } else {
        String::new()
    };
    profile.add_way = AddWay::KNOWN[index(dice, AddWay::KNOWN.len())];
    profile.add_at = 1_600_000_000 + i64::try_from(dice.below(100_000_000)).unwrap_or(0);
    profile.union_id = format!("o{number:08}");
    profile.external_user_id = format!("wm{number:08}");
    profile.state_code = format!("s{}", number % 7);
    profile.channel_name = format!("渠道 {}", number % 5);
    profile.desc = "x".repeat(index(dice, 40));
    if schedule.description > 0 {
        // As varied as words that people write.
        let mut words = String::new();
        while words.len() < schedule.description {
            words.push_str(&Digest::of(format!("{id}{}", words.len()).as_bytes()).to_string());
        }
        words.truncate(schedule.description);
        it.profile.desc = words;
    }
    for field in 0..index(dice, 3) {
        it.user_attr_sys_field_list.push(attribute(&format!("系统{field}"), &format!("{number}")));
        it.user_attr_field_list.push(attribute(&format!("attr{field}"), ""));
    }
    if tags {
        let mut tag = TagInfo::default();
        tag.parent_tag_name = "分组".into();
        tag.tag_name = format!("标签{}", number % 3);
        it.tag_info_list.push(tag);
    }
    if schedule.unknown {
        it.account_type = AccountType::from(90 + i64::from(dice.happens(Chance::new(50))));
        it.profile.add_way = AddWay::from(19);
        for (extra, name) in [(&mut it.extra, "later_field"), (&mut it.profile.extra, "mood")] {
            extra.insert(name, unknown_value());
        }
    }
    it
}

/// Never called: hexadecimal digits are an identifier.
fn unreachable_id() -> AccountId {
    unreachable!("a digest's text is an identifier")
}

fn unknown_value() -> Json {
    Json::parse(r#"{"n":12345678901234567890123,"t":"\u00e9\/"}"#)
        .unwrap_or_else(|_| unreachable!("the text above is JSON"))
}

fn attribute(name: &str, value: &str) -> AttributeField {
    let mut field = AttributeField::default();
    field.field_name = name.into();
    field.field_value = value.into();
    field
}

/// Reads an account of which some fields are broken.
pub(crate) fn partly_read(raw: &str) -> Option<Account> {
    match Item::read(Json::parse(raw).ok()?) {
        Item::Valid(account) => Some(account),
        Item::Invalid(_) => None,
    }
}

pub(crate) fn version(account: Account, schedule: &Schedule, dice: &mut Dice) -> Version {
    // `Value` does not keep the text of unknown values; it is restored at the end.
    let mut known = account.clone();
    (known.extra, known.profile.extra) = Default::default();
    let mut value = serde_json::to_value(&known).unwrap_or_default();
    if schedule.drift {
        drift(&mut value, dice);
    }
    if schedule.nulls {
        nulls(&mut value, dice);
    }
    let mut raw = value.to_string();
    for (name, json) in account.profile.extra.iter() {
        raw = raw.replacen(
            "\"profile\":{",
            &format!("\"profile\":{{{}:{},", json!(name), json.as_str()),
            1,
        );
    }
    for (name, json) in account.extra.iter() {
        raw = raw.replacen('{', &format!("{{{}:{},", json!(name), json.as_str()), 1);
    }
    if schedule.spaces {
        raw = spaced(&raw);
    }
    Version { account: Some(account), raw }
}

/// Respells a scalar, with some chance.
fn drift(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|it| drift(it, dice)),
        Value::Array(items) => items.iter_mut().for_each(|it| drift(it, dice)),
        _ if dice.happens(Chance::new(50)) => {}
        Value::Bool(flag) => *value = json!(i32::from(*flag)),
        Value::Number(number) => *value = json!(number.to_string()),
        Value::String(text) => {
            // Only a text that the number spells the same way.
            if let Some(number) = text.parse::<u64>().ok().filter(|it| it.to_string() == *text) {
                *value = json!(number);
            }
        }
        Value::Null => {}
    }
}

/// Replaces empty values by `null`, with some chance.
fn nulls(value: &mut Value, dice: &mut Dice) {
    let empty = match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(|it| nulls(it, dice));
            false
        }
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(flag) => !*flag,
        _ => false,
    };
    if empty && dice.happens(Chance::new(50)) {
        *value = Value::Null;
    }
}

/// The same JSON with white space around its tokens and escapes in its strings.
fn spaced(raw: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for c in raw.chars() {
        match c {
            _ if in_string && escaped => {
                escaped = false;
                out.push(c);
            }
            '\\' if in_string => {
                escaped = true;
                out.push(c);
            }
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '/' if in_string => out.push_str("\\/"),
            '张' if in_string => out.push_str("\\u5f20"),
            ':' | ',' if !in_string => {
                out.push(c);
                out.push_str("\n  ");
            }
            c => out.push(c),
        }
    }
    out
}
