//! The skim sees what the full reader sees.

use proptest::prelude::*;
use qopen_types::{CallbackSkim, Entry, EventType, RobotAccountListCallback, SkimError};

/// Compares the two readers on one payload.
fn agree(payload: &str) -> Result<(), TestCaseError> {
    let full = serde_json::from_str::<RobotAccountListCallback>(payload);
    let skim = match (CallbackSkim::read(payload), full.as_ref()) {
        (Ok(skim), _) => skim,
        (Err(_), Err(_)) => return Ok(()),
        (Err(error), Ok(_)) => {
            return Err(TestCaseError::fail(format!("only the skim fails: {error}")));
        }
    };
    // The skim may understand more: it does not look at every field.
    let Ok(full) = full else { return Ok(()) };
    prop_assert_eq!(skim.err_code, full.err_code);
    prop_assert_eq!(&*skim.err_msg, &full.err_msg);
    prop_assert_eq!(&skim.robot_id, &full.robot_id);
    let (Some(page), Some(full)) = (&skim.page, &full.data) else {
        prop_assert!(skim.page.is_none() && full.data.is_none());
        return Ok(());
    };
    prop_assert_eq!(page.has_more, full.has_more);
    prop_assert_eq!(&page.mark_id, &full.mark_id);
    prop_assert_eq!(page.accounts.len(), full.account_list.len());
    for (account, entry) in page.accounts.iter().zip(&full.account_list) {
        match entry {
            Entry::Read(full) => {
                prop_assert_eq!(account.id.as_deref(), Ok(full.account_id.as_str()));
                let id = account.account_id();
                prop_assert_eq!(id.as_ref(), Some(&full.account_id));
            }
            // Which fault is named first may differ, and the skim looks at fewer fields.
            Entry::Unread(_) => {}
        }
    }
    Ok(())
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("0".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| n.to_string()),
        ".{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u00e9\n""#.to_owned()),
    ]
}

fn object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let field = (proptest::sample::select(names), value());
    proptest::collection::vec(field, 0..5).prop_map(|fields| {
        let fields: Vec<_> =
            fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    })
}

fn payload() -> impl Strategy<Value = String> {
    let account = prop_oneof![
        4 => object(&["account_id", "account_type", "profile", "x"]),
        2 => "[a-z]{1,4}".prop_map(|id| format!(r#"{{"account_id":"{id}"}}"#)),
        1 => value(),
    ];
    let list = prop_oneof![
        5 => proptest::collection::vec(account, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
        1 => value(),
    ];
    let data = prop_oneof![
        5 => (value(), value(), list).prop_map(|(more, mark, list)| {
            format!(r#"{{"has_more":{more},"mark_id":{mark},"account_list":{list}}}"#)
        }),
        1 => value(),
    ];
    (value(), value(), value(), data).prop_map(|(code, message, robot, data)| {
        format!(r#"{{"event_type":42016,"err_code":{code},"err_msg":{message},"robot_id":{robot},"data":{data}}}"#)
    })
}

proptest! {
    #[test]
    fn the_skim_agrees_with_the_full_reader(payload in payload()) {
        agree(&payload)?;
    }

    #[test]
    fn the_skim_survives_damage(payload in payload(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let at = at.index(payload.len());
        let mut damaged = payload;
        while !damaged.is_char_boundary(damaged.len().min(at)) { damaged.pop(); }
        let at = at.min(damaged.len());
        damaged.insert(at, with);
        agree(&damaged)?;
    }
}

#[test]
fn a_shape_error_still_says_whose_page_it_was() {
    let payload = r#"{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","has_more":false,"account_list":7}}"#;
    let Err(SkimError::Shape { reason, robot_id, mark_id }) = CallbackSkim::read(payload) else {
        panic!("a number is no list");
    };
    assert_eq!(reason, "account_list: expected a list, found a number");
    assert_eq!(robot_id.unwrap().as_str(), "r");
    assert_eq!(mark_id.unwrap().as_str(), "m");
}

#[test]
fn text_that_is_not_json_is_told_from_json_that_does_not_fit() {
    for text in ["", "x", "{", r#"{"data":7"#, "{}{}"] {
        assert!(matches!(CallbackSkim::read(text), Err(SkimError::NotJson(_))), "{text}");
    }
    for text in ["7", "[1]", r#"{"data":7}"#, r#"{"err_code":{}}"#] {
        assert!(matches!(CallbackSkim::read(text), Err(SkimError::Shape { .. })), "{text}");
    }
}

#[test]
fn deep_nesting_is_no_danger() {
    let deep = "[".repeat(200_000);
    assert!(CallbackSkim::read(&deep).is_err());
    let closed = format!(r#"{{"x":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert!(CallbackSkim::read(&closed).unwrap().page.is_none());
    assert_eq!(EventType::of_payload(&closed), EventType::Absent);
}

#[test]
fn the_event_type_is_found_wherever_it_stands_and_however_it_is_spelt() {
    for (payload, event_type) in [
        (r#"{"event_type":42016,"rest":"#, EventType::ROBOT_ACCOUNT_LIST),
        (r#"{"a":{"event_type":1},"event_type":"42016"}"#, EventType::ROBOT_ACCOUNT_LIST),
        (r#"{"event_type":"msg.new"}"#, EventType::Name("msg.new".into())),
        (r#"{"event_type":null}"#, EventType::Absent),
        (r#"{}"#, EventType::Absent),
        (r#"[]"#, EventType::Absent),
        ("", EventType::Absent),
    ] {
        assert_eq!(EventType::of_payload(payload), event_type, "{payload}");
    }
}
