//! The quick reader against the general one: where it gives anything, it gives the same.

use proptest::prelude::*;

use super::{CallbackSkim, general, quick};

/// What both make of it; the quick one may leave it to the other.
fn agrees(payload: &str) -> Result<bool, TestCaseError> {
    let Some(quick) = quick::read(payload) else { return Ok(false) };
    let general = general(payload);
    prop_assert!(general.is_ok(), "only the quick reader takes {payload:?}");
    let general = general.unwrap_or_else(|_| quick.clone());
    prop_assert!(general == quick, "{payload:?}");
    let accounts = |it: &CallbackSkim<'_>| -> Vec<String> {
        let page = it.page.as_ref();
        page.map(|it| it.accounts.iter().map(|it| it.raw.to_owned()).collect()).unwrap_or_default()
    };
    prop_assert_eq!(accounts(&general), accounts(&quick));
    Ok(true)
}

/// JSON, nearly: every part now and then as it must not be.
fn json() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        8 => "[ -~]{0,20}".prop_map(|it| format!("\"{}\"", it.replace(['"', '\\'], ""))),
        2 => prop::collection::vec(prop::sample::select(vec![
            "a", "é", "张", "🙂", "\\n", "\\/", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\ud83d",
            "\u{7f}", "\u{85}", "12345678",
        ]), 0..6).prop_map(|it| format!("\"{}\"", it.concat())),
        1 => prop::sample::select(vec!["\"\n\"", "\"\\x\"", "\"\\u12g4\"", "\"", "\"\\", "\"\u{1}\""])
            .prop_map(str::to_owned),
    ];
    let number = prop::sample::select(vec![
        "0",
        "1",
        "-1",
        "42",
        "-0",
        "01",
        "1.5",
        "1.",
        ".5",
        "1e9",
        "1e",
        "1E+3",
        "-",
        "+1",
        "123456789012345678",
        "1234567890123456789",
        "99999999999999999999",
        "1e999",
        "-0.0",
    ]);
    let word = prop::sample::select(vec!["true", "false", "null", "nul", "True", "tru"]);
    let leaf = prop_oneof![
        6 => string,
        3 => number.prop_map(str::to_owned),
        2 => word.prop_map(str::to_owned),
    ];
    let name = prop_oneof![
        8 => prop::sample::select(vec![
            "account_id", "data", "has_more", "mark_id", "robot_id", "account_list", "err_code",
            "errcode", "err_msg", "event_type", "other", "account\\u005fid", "data\\/", "",
        ]).prop_map(|it| format!("\"{it}\"")),
        1 => Just("name".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let space =
            || prop::sample::select(vec!["", "", "", " ", "\n\t", "\r ", "\u{a0}", "\u{c}"]);
        let comma = || prop::sample::select(vec![",", ",", ",", ",", " , ", ",,", ";", ""]);
        let list = (prop::collection::vec(inner.clone(), 0..5), space(), comma())
            .prop_map(|(list, space, comma)| format!("[{space}{}{space}]", list.join(comma)));
        let member = (name.clone(), space(), inner, space())
            .prop_map(|(name, a, value, b)| format!("{a}{name}{b}:{a}{value}{b}"));
        let object = (prop::collection::vec(member, 0..6), comma())
            .prop_map(|(members, comma)| format!("{{{}}}", members.join(comma)));
        prop_oneof![1 => list, 3 => object]
    })
}

/// The usual shape, with anything in the place of each part.
fn payload() -> impl Strategy<Value = String> {
    let or_any = |usual: &'static str| prop_oneof![6 => Just(usual.to_owned()), 1 => json()];
    let account = prop_oneof![
        4 => "[a-z0-9]{1,20}".prop_map(|id| format!(r#"{{"account_id":"{id}","profile":{{"name":"张 \"x\""}}}}"#)),
        1 => json().prop_map(|it| format!(r#"{{"profile":{it},"account_id":"a"}}"#)),
        1 => json().prop_map(|it| format!(r#"{{"account_id":{it}}}"#)),
        1 => json(),
    ];
    let accounts =
        prop::collection::vec(account, 0..4).prop_map(|it| format!("[{}]", it.join(",")));
    let accounts = prop_oneof![8 => accounts, 1 => json()];
    let (code, message) = (or_any("0"), or_any(r#""success""#));
    let (robot, more, mark) = (or_any(r#""robot""#), or_any("true"), or_any(r#""mark""#));
    (code, message, robot, more, mark, accounts, prop::sample::select(vec!["", " ", "x", "}"]))
        .prop_map(|(code, message, robot, more, mark, accounts, end)| format!(
            r#"{{"event_type":42016,"err_code":{code},"err_msg":{message},"robot_id":{robot},"data":{{"has_more":{more},"mark_id":{mark},"account_list":{accounts}}}}}{end}"#
        ))
}

/// A text with one byte changed, dropped or added, or cut off; `None` where that is no text.
fn mutated(text: &str, at: usize, byte: u8, how: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.checked_rem(bytes.len())?;
    match how {
        0 => bytes[at] = byte,
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, byte),
        _ => bytes.truncate(at),
    }
    String::from_utf8(bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn on_anything_like_json(payload in json()) {
        agrees(&payload)?;
    }

    #[test]
    fn on_pages_with_anything_in_them(payload in payload()) {
        agrees(&payload)?;
    }

    #[test]
    fn on_pages_that_were_tampered_with(
        payload in payload(),
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut text = payload;
        for (at, byte, how) in changes {
            text = mutated(&text, at, byte, how).unwrap_or(text);
        }
        agrees(&text)?;
    }
}

#[test]
fn the_usual_shape_is_read_quickly_and_the_rest_is_not() {
    let usual = r#"{"event_type":42016,"err_code":0,"err_msg":"ok","robot_id":"r","data":{"has_more":false,"mark_id":"m","account_list":[{"account_id":"a","profile":{"name":"\u5f20","n":[1.5e3,{}]}},{"account_id":7}]}}"#;
    assert!(agrees(usual).is_ok_and(|quick| quick));
    assert!(agrees(&usual.replace(',', " ,\n\t").replace(':', " : ")).is_ok_and(|quick| quick));
    for other in ["", "{}x", "[]", r#"{"err_code":"0"}"#, r#"{"d\u0061ta":{}}"#, r#"{"data":null}"#]
    {
        assert!(agrees(other).is_ok_and(|quick| !quick), "{other}");
    }
    let deep = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(agrees(&deep(64)).is_ok_and(|quick| quick));
    assert!(agrees(&deep(65)).is_ok_and(|quick| !quick));
    assert!(CallbackSkim::read(&deep(65)).is_ok());
}
