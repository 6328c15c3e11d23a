//! The rewriter against the account's own writer.

use proptest::prelude::*;
use serde_json::Value;

use super::rewrite;
use crate::generated::layout::RECORD;
use crate::layout::{Field, Kind};
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
    let taken = Account::write_canonical_json(json, &mut out);
    let canonical = out.strip_prefix("before").map(str::to_owned);
    prop_assert_eq!(canonical, if taken { written(json) } else { Some(String::new()) }, "{}", json);
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
    let members: Vec<_> =
        members.map(|(_, name, value)| format!("\"{name}\" :{}", shuffled(value, dice))).collect();
    format!("{{{}}}", members.join(" ,"))
}

/// An object without white space and with its fields in order, but for rare accidents: some of them are gone or null.
fn gapped(fields: &[Field], value: &Value, dice: &mut u64) -> String {
    let mut below = |n: u64| {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*dice >> 33) % n
    };
    let kept: Vec<(u64, &Field)> = fields.iter().map(|it| (below(40), it)).collect();
    let mut kept: Vec<_> =
        kept.into_iter().filter(|it| it.0 >= 10 || it.1.0 == "account_id").collect();
    if kept.iter().any(|it| it.0 == 39) {
        kept.reverse();
    }
    let members = kept.into_iter().map(|(die, Field(name, kind))| {
        let value = &value[name];
        let text = match (kind, value) {
            (Kind::Object(fields), _) => gapped(fields, value, dice),
            (Kind::List(fields), Value::Array(items)) => {
                let items: Vec<_> = items.iter().map(|it| gapped(fields, it, dice)).collect();
                format!("[{}]", items.join(","))
            }
            (Kind::Text, _) if die == 38 => "123".to_owned(),
            _ if die == 37 => "null".to_owned(),
            _ => value.to_string(),
        };
        format!("\"{name}\":{text}")
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
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
        let compact = gapped(RECORD, &value, &mut dice);
        holds(&compact)?;
        // And with anything in the place of anything.
        for json in [json, other, compact] {
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

/// A field that is new in the specification is rewritten, in its place.
#[test]
fn a_new_field_is_rewritten() {
    let mut fields: Vec<Field> = RECORD.to_vec();
    fields.push(Field("new_text", Kind::Text));
    fields.push(Field("new_number", Kind::Integer));
    let json = r#"{"new_number":7,"new_text":"N","account_id":"a"}"#;
    let mut known = String::new();
    assert!(!Account::write_canonical_json(json, &mut known) && known.is_empty());
    let mut out = String::new();
    assert!(rewrite(&fields, json, &mut out));
    assert!(Account::write_canonical_json(r#"{"account_id":"a"}"#, &mut known));
    assert_eq!(out, known.replace("[]}", r#"[],"new_text":"N","new_number":7}"#));
}
