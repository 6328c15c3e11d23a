//! The skim sees what the full reader sees.

use proptest::prelude::*;
use qopen_types::{
    CallbackSkim, EventType, Item, PayloadText, Reading, RobotAccountListCallback, SkimError,
};

/// Compares the two readers on one payload.
fn agree(payload: &str) -> Result<(), TestCaseError> {
    let full = serde_json::from_str::<RobotAccountListCallback>(payload);
    let skim = match (CallbackSkim::read(payload), full.as_ref()) {
        (Ok(skim), _) => skim,
        (Err(_), Err(_)) => return Ok(()),
        // What is absent, or there twice, is for the skim to weigh: completeness rests on it.
        (Err(SkimError::Shape { reason, .. }), Ok(_))
            if reason.contains("missing") || reason.contains("twice") =>
        {
            return Ok(());
        }
        (Err(error), Ok(_)) => {
            return Err(TestCaseError::fail(format!("only the skim fails: {error}")));
        }
    };
    // The skim may read more payloads: it does not look at every field.
    let Ok(full) = full else { return Ok(()) };
    prop_assert_eq!(skim.err_code, full.err_code);
    if skim.err_code != 0 {
        // A report is its code, whatever decorates it.
        return Ok(());
    }
    prop_assert_eq!(&skim.robot_id, &full.robot_id);
    let (Some(page), Some(full)) = (&skim.page, &full.data) else {
        prop_assert!(skim.page.is_none() && full.data.is_none());
        return Ok(());
    };
    prop_assert_eq!(page.has_more.unwrap_or(false), full.has_more);
    prop_assert_eq!(&page.mark_id, &full.mark_id);
    prop_assert_eq!(page.accounts.len(), full.account_list.len());
    for (account, entry) in page.accounts.iter().zip(&full.account_list) {
        match entry {
            Item::Valid(full) => {
                prop_assert_eq!(account.id.as_deref(), Ok(full.account_id.as_str()));
                let id = account.account_id();
                prop_assert_eq!(id.as_ref(), Some(&full.account_id));
            }
            // Which fault is named first may differ, and the skim looks at fewer fields.
            Item::Invalid(_) => {}
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

fn reason(payload: &str) -> String {
    match CallbackSkim::read(payload) {
        Err(SkimError::Shape { reason, .. }) => reason,
        other => panic!("{payload}: {other:?}"),
    }
}

#[test]
fn e4_what_is_there_twice_hides_nothing() {
    let page = |more: &str| format!(r#"{{"robot_id":"r","data":{{"mark_id":"m",{more}}}}}"#);
    for (more, field) in [
        (r#""has_more":true,"account_list":[],"account_list":[]"#, "account_list"),
        (r#""has_more":true,"has_more":false,"account_list":[]"#, "has_more"),
        (r#""has_more":true,"mark_id":"n","account_list":[]"#, "mark_id"),
    ] {
        assert_eq!(reason(&page(more)), format!("{field}: given twice"));
    }
    for field in ["err_code", "robot_id", "data", "event_type"] {
        let twice = format!(r#"{{"{field}":0,"{field}":0}}"#);
        assert_eq!(reason(&twice), format!("{field}: given twice"));
    }
    let page = page(r#""has_more":false,"account_list":[{"account_id":"a","account_id":"b"}]"#);
    let accounts = CallbackSkim::read(&page).unwrap().page.unwrap().accounts;
    assert_eq!(accounts[0].id, Err("account_id: given twice".into()));
}

#[test]
fn e6_absence_is_not_emptiness() {
    let page = |more: &str| format!(r#"{{"robot_id":"r","data":{{"mark_id":"m"{more}}}}}"#);
    for more in
        ["", ",\"has_more\":null", ",\"account_list\":null", ",\"hasMore\":true,\"list\":[]"]
    {
        assert_eq!(
            reason(&page(more)),
            "has_more and account_list: missing, and nothing can stand for it"
        );
    }
    let renamed = page(r#","has_more":false,"accounts":[{"account_id":"a"}]"#);
    assert_eq!(reason(&renamed), "account_list: missing, and `accounts` is not known");
    for (more, has_more) in [
        (r#","has_more":false"#, Some(false)),
        (r#","has_more":false,"account_list":null,"new":1"#, Some(false)),
        (r#","has_more":"1.0","account_list":{}"#, Some(true)),
        (r#","account_list":[]"#, None),
        (r#","has_more":null,"account_list":"""#, None),
    ] {
        let page = page(more);
        let page = CallbackSkim::read(&page).unwrap().page.unwrap();
        assert_eq!((page.has_more, page.accounts.len()), (has_more, 0), "{more}");
    }
}

#[test]
fn e7_a_report_is_its_code_whatever_decorates_it() {
    for (report, code, mark) in [
        (r#"{"err_code":5,"data":"gone","err_msg":{"a":[1]}}"#, 5, None),
        (r#"{"err_code":0,"errcode":"7","data":[1],"err_msg":null}"#, 7, None),
        (r#"{"errcode":-1.0,"data":{"mark_id":"m","account_list":7}}"#, -1, Some("m")),
    ] {
        let skim = CallbackSkim::read(report).unwrap();
        let named = skim.page.and_then(|page| page.mark_id);
        assert_eq!((skim.err_code, named.as_ref().map(|it| it.as_str())), (code, mark), "{report}");
    }
    assert!(reason(r#"{"err_code":"E5"}"#).starts_with("err_code: expected an integer"));
}

#[test]
fn e4_layers_are_read_in_their_order() {
    let strict = r#"{"event_type":42016,"robot_id":"r","data":{"has_more":false,"mark_id":"m","account_list":[{"account_id":"a"}]}}"#;
    let with = |from: &str, to: &str| strict.replacen(from, to, 1).into_bytes();
    let bom = [b"\xef\xbb\xbf", strict.as_bytes()].concat();
    let mut cut = with("\"a\"}", "\"a\",\"name\":\"XX\"}");
    let at = cut.windows(2).position(|it| it == b"XX").unwrap();
    cut[at] = 0xe5;
    let data = strict.find("{\"has").unwrap();
    let inner = serde_json::to_string(&strict[data..strict.len() - 1]).unwrap();
    for (payload, reading) in [
        (strict.as_bytes().to_vec(), None),
        (bom, Some(Reading::PayloadBom)),
        (cut, Some(Reading::CutText)),
        (with("\"r\"", "\"r\",\"x\":\"\u{1}\""), Some(Reading::ControlCharacter)),
        (with("\"r\"", "\"r\",\"x\":NaN"), Some(Reading::NotANumber)),
        (with("\"r\"", "\"r\",\"err_msg\":\"\\ud83d\\ud83d\u{2}\""), Some(Reading::LoneSurrogate)),
        (serde_json::to_vec(strict).unwrap(), Some(Reading::JsonInText)),
        (format!("{}{inner}}}", &strict[..data]).into_bytes(), Some(Reading::JsonInText)),
        (with("false", "\"False\""), Some(Reading::FlagForm)),
        (with("false", "null"), Some(Reading::ImpliedEnd)),
        (
            with("[{\"account_id\":\"a\"}]", "{\"0\":{\"account_id\":\"a\"}}"),
            Some(Reading::ListAsObject),
        ),
    ] {
        PayloadText::of(&payload).skim(|_, skim, readings| {
            let page = skim.unwrap().page.unwrap();
            assert_eq!(page.accounts.len(), 1, "{reading:?}");
            assert_eq!(page.accounts[0].id.as_deref(), Ok("a"));
            assert_eq!(readings.is_plain(), reading.is_none());
            assert!(reading.is_none_or(|it| readings.contains(it)), "{reading:?}: {readings:?}");
        });
    }
}

#[test]
fn text_that_is_not_json_is_told_from_json_that_does_not_fit() {
    for text in ["", "x", "{", r#"{"data":7"#, "{}{}"] {
        assert!(matches!(CallbackSkim::read(text), Err(SkimError::NotJson(_))), "{text}");
    }
    for text in ["7", "[1]", r#"{"data":7}"#, r#"{"err_code":{}}"#, r#"{"data":{}}"#] {
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
