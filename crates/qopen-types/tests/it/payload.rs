//! The documented payload, and what survives a round trip.

use qopen_types::{
    Account, AccountType, AddWay, CallbackPayload, Gender, Item, Json, RobotAccountListCallback,
    RobotId,
};

/// The documented example with every documented field, `PHONE` standing for the contested one.
const EXAMPLE: &str = r#"{
  "event_type": 42016, "err_code": 0, "err_msg": "success",
  "robot_id": "accAR6zv3yNeXF2IE5TENM3",
  "data": {"has_more": true, "mark_id": "mark", "account_list": [{
    "account_id": "customer", "account_type": 2,
    "deleted_by_contact": false, "deleted_by_staff": false,
    "profile": {"name": "姓名", "gender": 0, "avatar": "https://a.example/1", "alias": "备注",
      "phone": PHONE, "add_way": 2, "add_at": 1624873867, "union_id": "u", "external_user_id": "e",
      "state_code": "s", "channel_name": "c", "desc": "d"},
    "user_attr_sys_field_list": [{"field_name": "备注", "field_value": ""},
      {"field_name": "生日1", "field_value": "2022-05-12"}],
    "user_attr_field_list": [{"field_name": "f1", "field_value": "v1"},
      {"field_name": "f2", "field_value": "v2"}],
    "tag_info_list": [{"parent_tag_name": "g", "tag_name": "t"}]}]}}"#;

fn read(text: &str) -> RobotAccountListCallback {
    serde_json::from_str(text).unwrap()
}

fn only_account(callback: &RobotAccountListCallback) -> &Account {
    let page = callback.data.as_ref().unwrap();
    assert_eq!(page.account_list.len(), 1);
    page.account_list.valid().next().expect("the account is readable")
}

#[test]
fn the_documented_example_reads_with_phone_as_number_and_as_string() {
    let number = read(&EXAMPLE.replace("PHONE", "1399998888"));
    let string = read(&EXAMPLE.replace("PHONE", "\"1399998888\""));
    assert_eq!(number, string);
    assert_eq!(number.event_type, RobotAccountListCallback::EVENT_TYPE);
    assert_eq!(number.robot_id, Some(RobotId::new("accAR6zv3yNeXF2IE5TENM3").unwrap()));

    let account = only_account(&number);
    assert_eq!(account.account_type, AccountType::WeChatContact);
    assert_eq!(account.profile.phone, "1399998888");
    assert_eq!(account.profile.add_way, AddWay::PhoneSearch);
    assert_eq!(account.profile.gender, Gender::Unspecified);
    assert_eq!(account.user_attr_sys_field_list[1].field_value, "2022-05-12");
    assert_eq!(account.tag_info_list[0].parent_tag_name, "g");
    assert!(account.extra.is_empty() && account.profile.extra.is_empty());
}

#[test]
fn what_is_written_is_the_documented_shape() {
    let callback = read(&EXAMPLE.replace("PHONE", "1399998888"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&callback).unwrap());
    let again: RobotAccountListCallback =
        serde_json::from_str(&serde_json::to_string(&callback).unwrap()).unwrap();
    assert_eq!(again, callback);
}

#[test]
fn i9_unknown_fields_and_codes_survive_to_the_digit() {
    let text = r#"{"account_id":"a","account_type":77,"profile":{"gender":9,"add_way":-3,
        "big":123456789012345678901234567890,"exact":1.10,"nested":{"b":[1, 2],"a":null}},
        "later":"\u00e9 \/ x","tag_info_list":[{"tag_id":18446744073709551616}]}"#;
    let account: Account = serde_json::from_str(text).unwrap();
    assert_eq!(account.account_type, AccountType::Unknown(77));
    assert_eq!(account.profile.add_way.code(), -3);

    let written = serde_json::to_string(&account).unwrap();
    for kept in [
        r#""account_type":77"#,
        r#""gender":9"#,
        r#""add_way":-3"#,
        r#""big":123456789012345678901234567890"#,
        r#""exact":1.10"#,
        r#""nested":{"b":[1,2],"a":null}"#,
        r#""later":"\u00e9 \/ x""#,
        r#""tag_id":18446744073709551616"#,
    ] {
        assert!(written.contains(kept), "{kept} is missing from {written}");
    }
    assert_eq!(serde_json::from_str::<Account>(&written).unwrap(), account);
}

#[test]
fn every_code_and_any_other_code_survives() {
    fn check<E>(known: &[E], code: impl Fn(E) -> i64, zh: impl Fn(E) -> &'static str)
    where
        E: From<i64> + Copy + PartialEq + std::fmt::Debug,
    {
        for value in known {
            assert_eq!(E::from(code(*value)), *value);
            assert!(!zh(*value).is_empty());
        }
        for other in (-3..300).chain([i64::MIN, i64::MAX]) {
            assert_eq!(code(E::from(other)), other);
        }
    }
    check(AddWay::KNOWN, AddWay::code, AddWay::label_zh);
    check(AccountType::KNOWN, AccountType::code, AccountType::label_zh);
    check(Gender::KNOWN, Gender::code, Gender::label_zh);

    let codes: Vec<i64> = AddWay::KNOWN.iter().map(|way| way.code()).collect();
    assert_eq!(codes.len(), 24);
    assert!([19, 20, 23].iter().all(|gap| !codes.contains(gap)));
}

#[test]
fn e5_i9_a_field_costs_a_field_and_an_account_without_an_id_stands_beside_the_good_ones() {
    let text = r#"{"data":{"account_list":[{"account_id":"a"},{"account_id":"b","profile":[1]},
        7,{"profile":{}},{"account_id":"c"}]}}"#;
    let page = read(text).data.unwrap();
    let ids: Vec<&str> = page.account_list.valid().map(|it| it.account_id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let broken: Vec<(&str, &str)> =
        page.account_list.invalid().map(|it| (it.raw.as_str(), it.reason.as_str())).collect();
    insta::assert_debug_snapshot!(broken);
    assert!(matches!(page.account_list.iter().nth(2), Some(Item::Invalid(_))));
    // What could not be read is written as it came.
    let written = serde_json::to_string(&page).unwrap();
    assert!(
        written.contains(r#""_unread":{"profile":[1]}"#)
            && written.contains(r#",7,{"profile":{}}"#)
    );
}

#[test]
fn i10_debug_prints_nothing_personal() {
    let text = EXAMPLE.replace("PHONE", "1399998888").replacen(
        "\"account_id\"",
        "\"extra\": \"canary\", \"account_id\"",
        1,
    );
    let printed = format!("{:?}", read(&text));
    for personal in ["姓名", "a.example", "备注", "1399998888", "生日1", "v1", "canary", "customer"]
    {
        assert!(!printed.contains(personal), "{personal} in {printed}");
    }
    assert!(printed.contains("accAR6zv3yNeXF2IE5TENM3"));
}

#[test]
fn json_keeps_its_text_but_for_white_space() {
    let json = Json::parse(" { \"a b\" : [ 1.0 , \"x \\\" y\" ] } ").unwrap();
    assert_eq!(json.as_str(), r#"{"a b":[1.0,"x \" y"]}"#);
    let error = Json::parse("{\"name\": 张三}").unwrap_err();
    assert_eq!(error.to_string(), "the text is not one JSON value");
    assert!(!std::error::Error::source(&error).unwrap().to_string().contains("张三"));
}
