//! Every spelling that the readers take, and the ones they refuse.

use proptest::prelude::*;
use qopen_types::{
    Account, AccountId, InvalidId, Item, Json, MarkId, Profile, RobotAccountListCallback, Secret,
};

fn profile(field: &str, value: &str) -> Result<Profile, String> {
    serde_json::from_str(&format!("{{\"{field}\":{value}}}")).map_err(|error| error.to_string())
}

#[test]
fn integers_come_as_numbers_and_as_text() {
    for (spelling, value) in [
        ("5", 5),
        ("\"5\"", 5),
        ("\" 5 \"", 5),
        ("-5", -5),
        ("5.0", 5),
        ("\"5.0\"", 5),
        ("\"\"", 0),
        ("null", 0),
        ("9223372036854775807", i64::MAX),
    ] {
        assert_eq!(profile("add_at", spelling).unwrap().add_at, value, "{spelling}");
        assert_eq!(profile("add_way", spelling).unwrap().add_way.code(), value, "{spelling}");
    }
    for spelling in ["true", "\"x\"", "5.5", "9223372036854775808", "1e300", "[]", "{}"] {
        let error = profile("add_at", spelling).unwrap_err();
        assert!(error.starts_with("add_at: expected an integer, found a"), "{error}");
    }
}

#[test]
fn text_comes_as_text_and_as_numbers() {
    for (spelling, value) in [
        ("\"13\"", "13"),
        ("13", "13"),
        ("-13", "-13"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.5", "1.5"),
        ("null", ""),
    ] {
        assert_eq!(profile("phone", spelling).unwrap().phone, value, "{spelling}");
    }
    for spelling in ["true", "[]", "{}", "123456789012345678901234567890"] {
        assert!(profile("phone", spelling).unwrap_err().starts_with("phone: expected a string"));
    }
}

#[test]
fn flags_come_as_booleans_numbers_and_text() {
    let flag = |spelling: &str| {
        let text = format!(r#"{{"account_id":"a","deleted_by_staff":{spelling}}}"#);
        serde_json::from_str::<Account>(&text).map(|account| account.deleted_by_staff)
    };
    for spelling in ["true", "1", "\"1\"", "\"true\"", "\"True\"", "1.0", "\"1.0\""] {
        assert!(flag(spelling).unwrap(), "{spelling}");
    }
    for spelling in ["false", "0", "\"0\"", "\"FALSE\"", "0.0", "\"\"", "null"] {
        assert!(!flag(spelling).unwrap(), "{spelling}");
    }
    for spelling in ["2", "-1", "0.5", "\"yes\"", "[]"] {
        assert!(flag(spelling).is_err(), "{spelling}");
    }
}

#[test]
fn null_and_absent_are_the_same_for_all_but_the_identifier() {
    let bare: Account = serde_json::from_str(r#"{"account_id":"a"}"#).unwrap();
    let null: Account = serde_json::from_str(
        r#"{"account_id":"a","account_type":null,"deleted_by_contact":null,"deleted_by_staff":null,
            "profile":null,"user_attr_sys_field_list":null,"user_attr_field_list":null,
            "tag_info_list":null}"#,
    )
    .unwrap();
    assert_eq!(bare, null);
    assert_eq!(bare, Account::new(AccountId::new("a").unwrap()));
    for empty in ["[]", "\"\""] {
        let text = format!(r#"{{"account_id":"a","profile":{empty}}}"#);
        assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), bare);
    }
    for missing in ["{}", r#"{"account_id":null}"#, r#"{"account_id":""}"#] {
        let error = serde_json::from_str::<Account>(missing).unwrap_err().to_string();
        assert!(error.starts_with("account_id: missing"), "{error}");
    }
    let number: Account = serde_json::from_str(r#"{"account_id":7}"#).unwrap();
    assert_eq!(number.account_id.as_str(), "7");
}

#[test]
fn an_error_callback_has_no_page() {
    for data in ["null", "\"\"", "[]"] {
        let text = format!(r#"{{"err_code":"-7","err_msg":"no","data":{data}}}"#);
        let callback: RobotAccountListCallback = serde_json::from_str(&text).unwrap();
        assert_eq!((callback.err_code, callback.data), (-7, None));
    }
}

#[test]
fn e5_an_unreadable_field_costs_the_field() {
    let read = |json: &str| match Item::<Account>::read(Json::parse(json).unwrap()) {
        Item::Valid(account) => account,
        Item::Invalid(unread) => panic!("{json}: {}", unread.reason),
    };
    let account = read(
        r#"{"account_id":"a","deleted_by_contact":"maybe","profile":{"name":"n","add_at":"2024-01-02","x":1},
            "tag_info_list":[{"tag_name":[1],"parent_tag_name":"g"},7,null],"user_attr_field_list":{"a":1},"new":2}"#,
    );
    let unread: Vec<(&str, &str)> =
        account.unread.iter().map(|(path, value)| (path, value.as_str())).collect();
    assert_eq!(
        unread,
        [
            ("deleted_by_contact", "\"maybe\""),
            ("profile.add_at", "\"2024-01-02\""),
            ("tag_info_list[0].tag_name", "[1]"),
            ("tag_info_list[1]", "7"),
            ("user_attr_field_list", "{\"a\":1}"),
        ]
    );
    assert_eq!((account.profile.name.as_str(), account.profile.add_at), ("n", 0));
    assert_eq!((account.profile.extra.len(), account.extra.len()), (1, 1));
    assert_eq!(account.tag_info_list[0].parent_tag_name, "g");
    let written = serde_json::to_string(&account).unwrap();
    assert!(written.ends_with(r#""new":2,"_unread":{"deleted_by_contact":"maybe","profile.add_at":"2024-01-02","tag_info_list[0].tag_name":[1],"tag_info_list[1]":7,"user_attr_field_list":{"a":1}}}"#), "{written}");
    // A cut emoji is text with a hole in it, and not unreadable.
    let cut = read(r#"{"account_id":"a","profile":{"name":"x\ud83d"}}"#);
    assert_eq!((cut.profile.name.as_str(), cut.unread.len()), ("x\u{fffd}", 0));
    assert_eq!(read(r#"{"account_id":"a","tag_info_list":{},"profile":7}"#).unread.len(), 1);
    // Without a readable id it is no customer.
    for unread in ["{}", "7", r#"{"account_id":[1],"profile":{"name":"n"}}"#] {
        let entry = Item::<Account>::read(Json::parse(unread).unwrap());
        assert!(matches!(entry, Item::Invalid(_)), "{unread}");
    }
}

#[test]
fn identifiers_are_checked_once() {
    assert_eq!(MarkId::new(""), Err(InvalidId::Empty));
    assert_eq!(MarkId::new("a\nb"), Err(InvalidId::ControlCharacter));
    assert!(MarkId::new("é".repeat(256)).is_ok());
    assert_eq!(MarkId::new("x".repeat(513)), Err(InvalidId::TooLong { limit: 512, actual: 513 }));
}

#[test]
fn i10_a_secret_does_not_print_itself() {
    let secret = Secret::from("hunter2");
    assert_eq!(format!("{secret:?}"), "<secret>");
    assert_eq!(secret.expose(), "hunter2");
}

proptest! {
    /// For any value in a field, reading ends in a value or in an error that does not quote it.
    #[test]
    fn i10_errors_never_quote_the_value(canary in "[a-z]{12}", field in 0..6_usize) {
        let field = ["add_at", "gender", "phone", "account_id", "profile", "tag_info_list"][field];
        for value in [
            format!("\"{canary}\""),
            format!("[\"{canary}\"]"),
            format!("{{\"{canary}\":\"{canary}\"}}"),
        ] {
            for text in [format!(r#"{{"{field}":{value}}}"#), value.clone()] {
                if let Err(error) = serde_json::from_str::<Profile>(&text) {
                    prop_assert!(!error.to_string().contains(&canary), "{error}");
                }
                if let Err(error) = serde_json::from_str::<Account>(&text) {
                    prop_assert!(!error.to_string().contains(&canary), "{error}");
                }
            }
        }
    }
}
