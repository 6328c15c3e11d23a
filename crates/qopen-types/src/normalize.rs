//! Accounts from the JSON in which they came to the JSON as which they are written, without reading
//! them in between.

use crate::Account;
use crate::ids;
use crate::reader::Reader;

/// The values that a field may have in the common form.
enum Kind {
    /// A plain string that is an identifier.
    Id,
    /// A string, an integer that stands for one, or null.
    Text,
    /// An integer or null.
    Integer,
    /// True, false or null.
    Flag,
    Object(&'static [Field]),
    /// A list of such objects, or null.
    List(&'static [Field]),
}

struct Field(&'static str, Kind);

/// No object has more fields.
const MOST: usize = 12;

/// The fields of an account in the order in which they are written; the tests hold it against the
/// account's own writer.
const ACCOUNT: &[Field] = &[
    Field("account_id", Kind::Id),
    Field("account_type", Kind::Integer),
    Field("deleted_by_contact", Kind::Flag),
    Field("deleted_by_staff", Kind::Flag),
    Field("profile", Kind::Object(PROFILE)),
    Field("user_attr_sys_field_list", Kind::List(ATTRIBUTE)),
    Field("user_attr_field_list", Kind::List(ATTRIBUTE)),
    Field("tag_info_list", Kind::List(TAG)),
];

const PROFILE: &[Field] = &[
    Field("name", Kind::Text),
    Field("gender", Kind::Integer),
    Field("avatar", Kind::Text),
    Field("alias", Kind::Text),
    Field("phone", Kind::Text),
    Field("add_at", Kind::Integer),
    Field("add_way", Kind::Integer),
    Field("union_id", Kind::Text),
    Field("external_user_id", Kind::Text),
    Field("state_code", Kind::Text),
    Field("channel_name", Kind::Text),
    Field("desc", Kind::Text),
];

const ATTRIBUTE: &[Field] = &[Field("field_name", Kind::Text), Field("field_value", Kind::Text)];

const TAG: &[Field] = &[Field("parent_tag_name", Kind::Text), Field("tag_name", Kind::Text)];

impl Account {
    /// Appends the canonical JSON of an account's JSON, without reading the account, if it has the
    /// common form: fields in any order or absent, no unknown ones, values of their own kind.
    /// Returns false, with `out` unchanged, if the account must be read to be written.
    #[must_use]
    pub fn normalize_json(json: &str, out: &mut String) -> bool {
        let before = out.len();
        let mut reader = Reader::new(json);
        reader.space();
        let done = object(&mut reader, ACCOUNT, out);
        reader.space();
        let done = done.is_some() && reader.is_at_end();
        if !done {
            out.truncate(before);
        }
        done
    }
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
        // Of two, the last one counts: that is for the general reader.
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

/// Every field of an object in its place: those that stand somewhere in `out` already, and those that
/// are absent.
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

/// The value of an absent field.
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

/// Whether every escape is one that a writer must use.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use crate::{Account, AccountId, AttributeField, TagInfo};

    fn text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            "", "a", "张", "🙂", "\"", "\\", "/", "\n", "\t", "\u{8}", "\u{c}", "\u{1}", "\u{7f}",
            "\u{2028}",
        ]);
        prop::collection::vec(odd, 0..5).prop_map(|it| it.concat())
    }

    prop_compose! {
        fn account()(
            texts in prop::collection::vec(text(), 8),
            numbers in prop::collection::vec(prop_oneof![Just(0), -3..30_i64, any::<i64>()], 4),
            flags in any::<(bool, bool)>(),
            pairs in prop::collection::vec((text(), text()), 0..3),
        ) -> Account {
            let mut it = Account::new(AccountId::new("id").unwrap_or_else(|_| unreachable!()));
            it.account_type = numbers[0].into();
            (it.deleted_by_contact, it.deleted_by_staff) = flags;
            let profile = &mut it.profile;
            (profile.gender, profile.add_at, profile.add_way) =
                (numbers[1].into(), numbers[2], numbers[3].into());
            let fields = [
                &mut profile.name, &mut profile.avatar, &mut profile.alias, &mut profile.phone,
                &mut profile.union_id, &mut profile.external_user_id, &mut profile.channel_name,
                &mut profile.desc,
            ];
            fields.into_iter().zip(texts).for_each(|(field, text)| *field = text);
            for (name, value) in pairs {
                let (mut field, mut tag) = (AttributeField::default(), TagInfo::default());
                (field.field_name, field.field_value) = (name.clone(), value.clone());
                (tag.parent_tag_name, tag.tag_name) = (name, value);
                it.user_attr_field_list.push(field);
                it.tag_info_list.push(tag);
            }
            it
        }
    }

    fn written(json: &str) -> Option<String> {
        let account: Account = serde_json::from_str(json).ok()?;
        serde_json::to_string(&account).ok()
    }

    /// Whether it was accepted; then it equals the account as written.
    fn holds(json: &str) -> Result<bool, TestCaseError> {
        let mut out = "before".to_owned();
        let taken = Account::normalize_json(json, &mut out);
        let normal = out.strip_prefix("before").map(str::to_owned);
        prop_assert_eq!(
            normal,
            if taken { written(json) } else { Some(String::new()) },
            "{}",
            json
        );
        Ok(taken)
    }

    /// An object with its fields in another order, some of them gone, null or twice.
    fn shuffled(value: &Value, dice: &mut u64) -> String {
        let mut below = |n: u64| {
            *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*dice >> 33) % n
        };
        let Value::Object(fields) = value else {
            return match value {
                Value::Array(items) => {
                    let items: Vec<_> = items.iter().map(|it| shuffled(it, dice)).collect();
                    format!("[{}]", items.join(", "))
                }
                value if below(20) == 0 => value.to_string().replace('"', ""),
                _ if below(20) == 0 => "null".to_owned(),
                value => value.to_string(),
            };
        };
        let mut members: Vec<(u64, &String, &Value)> =
            fields.iter().map(|(name, value)| (below(9), name, value)).collect();
        members.sort_by_key(|it| it.0);
        if below(30) == 0
            && let Some(first) = members.first().copied()
        {
            members.push(first);
        }
        let gone = below(40) == 0;
        let members = members.into_iter().skip(usize::from(gone));
        let members: Vec<_> = members
            .map(|(_, name, value)| format!("\"{name}\" :{}", shuffled(value, dice)))
            .collect();
        format!("{{{}}}", members.join(" ,"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn what_is_taken_is_written_as_the_account_is(
            account in account(),
            mut dice in any::<u64>(),
            at in any::<usize>(),
            odd in prop::sample::select(vec!["", " ", "\"", "\\/", "\\u0041", "0", "-", ",", "}", "null", "é", "1.0"]),
            instead in 0..3_usize,
        ) {
            let json = serde_json::to_string(&account).unwrap_or_default();
            let taken = holds(&json)?;
            // All but rare control characters and numbers of 19 digits.
            let rare = json.contains("\\u00") || json.split(|c: char| !c.is_ascii_digit()).any(|it| it.len() > 18);
            prop_assert!(taken || rare, "{}", json);
            let value: Value = serde_json::from_str(&json).unwrap_or_default();
            let other = shuffled(&value, &mut dice);
            holds(&other)?;
            // And with anything in the place of anything.
            for json in [json, other] {
                let at = at % (json.len() + 1);
                if let (Some(before), Some(after)) = (json.get(..at), json.get((at + instead).min(json.len())..)) {
                    holds(&format!("{before}{odd}{after}"))?;
                }
            }
        }
    }

    #[test]
    fn what_is_usual_is_taken_and_the_rest_is_not() {
        let account = Account::new(AccountId::new("id").unwrap_or_else(|_| unreachable!()));
        let json = serde_json::to_string(&account).unwrap_or_default();
        assert!(holds(&json).is_ok_and(|taken| taken));
        for (from, to, taken) in [
            ("\"name\":\"\"", "\"name\": null", true),
            ("\"phone\":\"\"", "\"phone\":1399998888", true),
            (",\"add_at\":0,\"add_way\":0", ",\"add_way\":2,\"add_at\":1624873867", true),
            (",\"desc\":\"\"", "", true),
            ("\"tag_info_list\":[]", "\"tag_info_list\":null", true),
            ("\"tag_info_list\":[]", "\"tag_info_list\":[{\"tag_name\":\"t\"}]", true),
            ("\"name\":\"\"", "\"name\":\"\\n\\\"\"", true),
            ("\"name\":\"\"", "\"name\":\"\\/\"", false),
            ("\"name\":\"\"", "\"name\":\"\\u00e9\"", false),
            ("\"name\":\"\"", "\"name\":\"a\",\"name\":\"b\"", false),
            ("\"gender\":0", "\"gender\":\"0\"", false),
            ("\"gender\":0", "\"gender\":-0", false),
            ("false", "0", false),
            ("\"tag_info_list\":[]", "\"tag_info_list\":[],\"new\":1", false),
            ("\"tag_info_list\":[]", "\"tag_info_list\":[null]", false),
            ("\"account_id\":\"id\"", "\"account_id\":\"\"", false),
        ] {
            let other = json.replacen(from, to, 1);
            assert_ne!(other, json);
            assert!(holds(&other).is_ok_and(|it| it == taken), "{other}");
        }
    }
}
