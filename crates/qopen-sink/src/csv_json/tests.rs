//! Rows without their accounts against those of the accounts.

use proptest::prelude::*;
use qopen_types::{Item, Json};

use super::*;
use crate::Record;
use crate::csv_options::Labels;
use crate::csv_row::{push_row, row};

/// The row by way of the account.
fn read(robot: &RobotId, account: &str, options: CsvOptions) -> Option<String> {
    let (Item::Valid(account), _) = Item::<Account>::read_with(Json::parse(account).ok()?) else {
        return None;
    };
    let cells = row(Account::COLUMNS, &Record::new(robot, &account), options);
    let mut line = String::new();
    push_row(cells.iter().map(String::as_str), &mut line);
    Some(line)
}

/// Whether the row is written without the account; then both ways have the same bytes.
fn agrees(account: &str, options: CsvOptions) -> Result<bool, TestCaseError> {
    let robot: RobotId = "=a, \"robot\"".parse().unwrap();
    let mut line = "before".to_owned();
    let written = JsonRows::new(&robot, options).write(account, &mut line);
    let line = line.strip_prefix("before").map(str::to_owned);
    let expected = if written { read(&robot, account, options) } else { Some(String::new()) };
    prop_assert_eq!(line, expected, "{} {:?}", account, options);
    Ok(written)
}

fn options() -> impl Strategy<Value = CsvOptions> {
    let labels = prop::sample::select(vec![None, Some(Labels::Zh), Some(Labels::En)]);
    (any::<bool>(), labels)
        .prop_map(|(safe, labels)| CsvOptions::default().safe(safe).labels(labels))
}

/// A value as JSON: usual, odd, or wrong.
fn value() -> impl Strategy<Value = String> {
    let usual = vec![
        "\"\"",
        "\"a\"",
        "\"张, \\\"三\\\"\"",
        "\"=1\"",
        "\"'x\"",
        "\"007\"",
        "\"a|b:c=d\\\\\"",
        "\"\\n\\r\\t\\b\\f\"",
        "\"🙂;\"",
        "0",
        "1",
        "2",
        "3",
        "16",
        "99",
        "true",
        "false",
        "null",
    ];
    let odd = vec![
        "-0",
        "-1",
        "1e2",
        "1.0",
        "9223372036854775807",
        "9223372036854775808",
        "\"1\"",
        "01",
        "\"\\/\"",
        "\"\\u0000\"",
        "\"\\u0041\"",
        "\"\\ud83d\"",
        "[]",
        "{}",
        "[1]",
        "[null]",
        "tru",
    ];
    prop_oneof![
        12 => prop::sample::select(usual).prop_map(str::to_owned),
        1 => prop::sample::select(odd).prop_map(str::to_owned),
        2 => "\\PC{0,5}".prop_map(|it| serde_json::to_string(&it).unwrap()),
    ]
}

fn object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let rare =
        prop::sample::select(vec!["", "", "", "", "mood", "robot_id", "_unread", "n\\u0061me"]);
    let members = prop::collection::vec((0..names.len() * 8, value()), 0..names.len() + 2);
    (members, rare, value(), any::<bool>()).prop_map(|(mut members, rare, more, is_sorted)| {
        if is_sorted {
            members.sort_by_key(|it| it.0);
            members.dedup_by_key(|it| it.0 % names.len());
        }
        let members = members.iter().map(|(n, value)| (names[n % names.len()], value));
        let rare = Some((rare, &more)).filter(|it| !it.0.is_empty());
        let members: Vec<_> =
            members.chain(rare).map(|it| format!("\"{}\":{}", it.0, it.1)).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn list(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let list = prop::collection::vec(object(names), 0..4);
    prop_oneof![9 => list.prop_map(|it| format!("[{}]", it.join(","))), 1 => value()]
}

const PROFILE: &[&str] = &[
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
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_row_without_its_account_is_the_row_of_the_account(
        options in options(),
        id in prop_oneof![6 => "[=a-c,\"]{1,4}".prop_map(|it| serde_json::to_string(&it).unwrap()), 1 => value()],
        parts in (value(), value(), value()),
        profile in prop_oneof![9 => object(PROFILE), 1 => value()],
        tags in list(&["parent_tag_name", "tag_name"]),
        attributes in list(&["field_name", "field_value"]),
        rest in prop::sample::select(vec!["", "", "", ",\"vip\":true", ",\"account_type\":1", " ", "x"]),
    ) {
        let (kind, contact, staff) = parts;
        let account = format!(
            "{{\"account_id\":{id},\"account_type\":{kind},\"deleted_by_contact\":{contact},\
             \"deleted_by_staff\":{staff},\"tag_info_list\":{tags},\"profile\":{profile},\
             \"user_attr_field_list\":{attributes}{rest}}}"
        );
        agrees(&account, options)?;
    }

    #[test]
    fn a_usual_account_has_its_row_without_being_read(
        options in options(),
        texts in prop::collection::vec("[-=|:,;'\"\\\\\n\r07é张]{0,6}|\\PC{0,6}", 4),
        numbers in (0..64_i64, -3..70_i64, any::<bool>()),
    ) {
        let [name, desc, tag, more] = &texts[..] else { unreachable!() };
        let account = serde_json::json!({
            "account_id": "a", "account_type": numbers.0, "deleted_by_staff": numbers.2,
            "profile": {"name": name, "desc": desc, "gender": numbers.0, "add_at": numbers.1},
            "tag_info_list": [{"tag_name": tag, "parent_tag_name": more}, {}],
            "user_attr_sys_field_list": [{"field_name": name, "field_value": tag}],
        });
        let account = account.to_string();
        // All but rare control characters.
        prop_assert!(agrees(&account, options)? || account.contains("\\u00"), "{}", account);
    }
}

#[test]
fn a_code_without_a_known_label_is_read() {
    let account = |code| format!("{{\"account_id\":\"a\",\"account_type\":{code}}}");
    for (code, labels, taken) in [
        (1, None, true),
        (-1, None, true),
        (999, None, true),
        (1, Some(Labels::En), true),
        (63, Some(Labels::Zh), true),
        (64, Some(Labels::Zh), false),
        (-1, Some(Labels::Zh), false),
    ] {
        let options = CsvOptions::default().labels(labels);
        assert!(agrees(&account(code), options).is_ok_and(|it| it == taken), "{code}");
    }
}
