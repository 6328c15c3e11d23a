//! Accounts that are spelled already as they would be written.

use crate::Account;
use crate::ids;
use crate::reader::Reader;

impl Account {
    /// Whether this JSON is, byte for byte, what the account that it describes is written as: then it
    /// need not be read to be written. Unknown fields are not looked into: with any, the answer is no.
    #[must_use]
    pub fn is_canonical_json(json: &str) -> bool {
        let mut reader = Reader::new(json);
        account(&mut reader).is_some() && reader.is_at_end()
    }
}

fn account(reader: &mut Reader<'_>) -> Option<()> {
    reader.word(b"{\"account_id\":")?;
    ids::check(reader.plain_string()?).ok()?;
    integer(reader, b",\"account_type\":")?;
    for name in [&b",\"deleted_by_contact\":"[..], b",\"deleted_by_staff\":"] {
        reader.word(name)?;
        reader.flag()?;
    }
    reader.word(b",\"profile\":")?;
    profile(reader)?;
    for name in [&b",\"user_attr_sys_field_list\":"[..], b",\"user_attr_field_list\":"] {
        reader.word(name)?;
        pairs(reader, b"{\"field_name\":", b",\"field_value\":")?;
    }
    reader.word(b",\"tag_info_list\":")?;
    pairs(reader, b"{\"parent_tag_name\":", b",\"tag_name\":")?;
    reader.take(b'}')
}

fn profile(reader: &mut Reader<'_>) -> Option<()> {
    text(reader, b"{\"name\":")?;
    integer(reader, b",\"gender\":")?;
    for name in [&b",\"avatar\":"[..], b",\"alias\":", b",\"phone\":"] {
        text(reader, name)?;
    }
    integer(reader, b",\"add_at\":")?;
    integer(reader, b",\"add_way\":")?;
    let rest = [
        &b",\"union_id\":"[..],
        b",\"external_user_id\":",
        b",\"state_code\":",
        b",\"channel_name\":",
        b",\"desc\":",
    ];
    rest.into_iter().try_for_each(|name| text(reader, name))?;
    reader.take(b'}')
}

/// A list of objects of two texts each.
fn pairs(reader: &mut Reader<'_>, first: &[u8], second: &[u8]) -> Option<()> {
    reader.take(b'[')?;
    if reader.take(b']').is_some() {
        return Some(());
    }
    loop {
        text(reader, first)?;
        text(reader, second)?;
        reader.take(b'}')?;
        if reader.take(b',').is_none() {
            return reader.take(b']');
        }
    }
}

fn integer(reader: &mut Reader<'_>, name: &[u8]) -> Option<()> {
    reader.word(name)?;
    reader.integer().map(drop)
}

fn text(reader: &mut Reader<'_>, name: &[u8]) -> Option<()> {
    reader.word(name)?;
    let (text, plain) = reader.string()?;
    (plain || escapes_are_canonical(text)).then_some(())
}

/// Whether every escape is the one that a writer uses, which has no choice but for these.
fn escapes_are_canonical(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let canonical = match byte {
            b'\\' => bytes.next().is_some_and(|it| b"\"\\bfnrt".contains(&it)),
            _ => true,
        };
        if !canonical {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn holds(json: &str) -> Result<bool, TestCaseError> {
        let canonical = Account::is_canonical_json(json);
        if canonical {
            let written = written(json);
            prop_assert_eq!(written.as_deref(), Some(json));
        }
        Ok(canonical)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_canonical_is_written_so(
            account in account(),
            at in any::<usize>(),
            odd in prop::sample::select(vec!["", " ", "\"", "\\/", "\\u0041", "0", "-", ",", "}", "null", "é", "1.0"]),
            instead in 0..3_usize,
        ) {
            let json = serde_json::to_string(&account).unwrap_or_default();
            let canonical = holds(&json)?;
            // All but rare control characters and numbers of 19 digits.
            let rare = json.contains("\\u00") || json.split(|c: char| !c.is_ascii_digit()).any(|it| it.len() > 18);
            prop_assert!(canonical || rare, "{}", json);
            // And with anything in the place of anything.
            let at = at % (json.len() + 1);
            if let (Some(before), Some(after)) = (json.get(..at), json.get((at + instead).min(json.len())..)) {
                holds(&format!("{before}{odd}{after}"))?;
            }
        }
    }

    #[test]
    fn what_is_spelled_otherwise_is_not() {
        let account = Account::new(AccountId::new("id").unwrap_or_else(|_| unreachable!()));
        let json = serde_json::to_string(&account).unwrap_or_default();
        assert!(Account::is_canonical_json(&json));
        for (from, to) in [
            ("\"name\":\"\"", "\"name\":\"\\/\""),
            ("\"name\":\"\"", "\"name\":\"\\u00e9\""),
            ("\"name\":\"\"", "\"name\":null"),
            ("\"name\":\"\"", "\"name\": \"\""),
            ("\"gender\":0", "\"gender\":\"0\""),
            ("\"gender\":0", "\"gender\":-0"),
            ("false", "0"),
            ("\"tag_info_list\":[]", "\"tag_info_list\":null"),
            ("\"tag_info_list\":[]", "\"tag_info_list\":[],\"new\":1"),
            ("\"account_id\":\"id\"", "\"account_id\":\"\""),
        ] {
            let other = json.replacen(from, to, 1);
            assert_ne!(other, json);
            assert!(!Account::is_canonical_json(&other), "{other}");
        }
    }
}
