//! A list is never complete with a signed page missing: signed payloads and contents that were
//! changed at any layer are read, or count against the list.

use std::collections::BTreeSet;

use proptest::prelude::*;
use qopen::assembler::{PullKey, Seed};
use qopen::callback::{Padding, TimestampPolicy};
use qopen::journal::Layer;
use qopen::types::EventType;
use qopen::{Classified, Replay, Status, classify};
use serde_json::{Value, json};

use crate::harness::ring;

const MARK: &str = "0197d5a2-77aa-7c31-9b1e-2f6f0c1f8a11";

/// A page of the pull: two customers, of some shape.
fn page(number: usize) -> Value {
    let account = |n: usize| {
        json!({
            "account_id": format!("id{number}-{n}"), "account_type": 2, "deleted_by_staff": false,
            "profile": {"name": "a b", "phone": 1_399_998_888_i64, "add_at": 1_624_873_867},
            "tag_info_list": [{"tag_name": "t"}],
        })
    };
    json!({
        "event_type": 42016, "err_code": 0, "err_msg": "", "robot_id": "robot-1",
        "data": {
            "has_more": number < 2, "mark_id": MARK, "account_list": [account(1), account(2)],
        },
    })
}

/// A change to a page before it is encrypted, or to its content before it is signed.
#[derive(Clone, Debug)]
enum Change {
    /// Replaces bytes at a place.
    Bytes(Vec<(prop::sample::Index, usize, Vec<u8>)>),
    /// Replaces the value at a place of the JSON.
    Value(prop::sample::Index, String),
    /// Renames a member.
    Name(prop::sample::Index, String),
    /// Repeats a member, with another value.
    Twice(prop::sample::Index, String),
    /// Removes a member.
    Gone(prop::sample::Index),
    /// The same to the base64 text.
    Content(prop::sample::Index, usize, String),
}

fn odd() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "null",
        "\"\"",
        "{}",
        "[]",
        "0",
        "1.0",
        "\"True\"",
        "false",
        "NaN",
        "\"2024-01-02\"",
        "[1]",
        "{\"0\":{\"account_id\":\"z\"}}",
        "\"\\ud83d\"",
        "\"{\\\"a\\\":1}\"",
        "42017",
        "\"x",
        "\u{1}",
    ])
    .prop_map(str::to_owned)
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3),
        prop::sample::select(vec!["\"", "\\", "{", "}", "[", "]", ",", ":", "\n", "\u{feff}"])
            .prop_map(|it| it.as_bytes().to_vec()),
    ];
    let edit = (any::<prop::sample::Index>(), 0..4_usize, bytes);
    let name = prop::sample::select(vec![
        "accounts",
        "list",
        "hasMore",
        "mark",
        "robot",
        "type",
        "event_type",
        "errcode",
        "ACCOUNT_ID",
    ]);
    let text = "[A-Za-z0-9+/=_ -]{0,3}";
    prop_oneof![
        4 => prop::collection::vec(edit, 1..4).prop_map(Change::Bytes),
        3 => (any::<prop::sample::Index>(), odd()).prop_map(|(at, to)| Change::Value(at, to)),
        2 => (any::<prop::sample::Index>(), name).prop_map(|(at, to)| Change::Name(at, to.into())),
        2 => (any::<prop::sample::Index>(), odd()).prop_map(|(at, to)| Change::Twice(at, to)),
        2 => any::<prop::sample::Index>().prop_map(Change::Gone),
        2 => (any::<prop::sample::Index>(), 0..4_usize, text)
            .prop_map(|(at, cut, to)| Change::Content(at, cut, to)),
    ]
}

/// The members of the text: the beginning of each name and value, and the end of the value.
fn members(text: &str) -> Vec<(usize, usize, usize)> {
    let mut out = Vec::new();
    for (at, _) in text.match_indices("\":") {
        let Some(name) = text[..at].rfind('"') else { continue };
        let value = at + 2;
        let mut values =
            serde_json::Deserializer::from_str(&text[value..]).into_iter::<serde::de::IgnoredAny>();
        if let Some(Ok(_)) = values.next() {
            out.push((name, value, value + values.byte_offset()));
        }
    }
    out
}

fn changed(payload: &str, change: &Change) -> Vec<u8> {
    let members = members(payload);
    let member = |at: &prop::sample::Index| members[at.index(members.len())];
    match change {
        Change::Bytes(edits) => {
            let mut bytes = payload.as_bytes().to_vec();
            for (at, cut, to) in edits {
                let at = at.index(bytes.len() + 1);
                let end = (at + cut).min(bytes.len());
                bytes.splice(at..end, to.iter().copied());
            }
            bytes
        }
        Change::Value(at, to) => {
            let (_, value, end) = member(at);
            format!("{}{to}{}", &payload[..value], &payload[end..]).into()
        }
        Change::Name(at, to) => {
            let (name, value, _) = member(at);
            format!("{}\"{to}\":{}", &payload[..name], &payload[value..]).into()
        }
        Change::Twice(at, to) => {
            let (name, value, end) = member(at);
            let named = &payload[name..value];
            format!("{},{named}{to}{}", &payload[..end], &payload[end..]).into()
        }
        Change::Gone(at) => {
            let (name, _, end) = member(at);
            let rest = payload[end..].strip_prefix(',').unwrap_or(&payload[end..]);
            format!("{}{rest}", payload[..name].trim_end_matches(',')).into()
        }
        Change::Content(..) => payload.into(),
    }
}

/// The ids of customers that are whole in the sent bytes.
fn ids_in(payload: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(payload);
    let parts = text.split("\"account_id\":\"").skip(1);
    let ids = parts.filter_map(|it| it.split_once('"')).map(|(id, _)| id.to_owned());
    ids.filter(|id| id.starts_with("id") && id.len() == 5).collect()
}

proptest! {
    #[test]
    fn i13_never_complete_with_a_signed_page_missing(
        at in 0..3_usize, change in change(), wecom in any::<bool>(),
    ) {
        let ring = ring();
        let padding = if wecom { Padding::Wecom } else { Padding::Pkcs7 };
        let (mut replay, mut required, mut folded) = (Replay::default(), BTreeSet::new(), BTreeSet::new());
        let mut elsewhere = false;
        let seed = Seed::of(&PullKey::new("robot-1", MARK));
        for number in 0..3 {
            let payload = page(number).to_string();
            let payload = if number == at { changed(&payload, &change) } else { payload.into() };
            let mut content = ring.encrypt(&payload, padding);
            if let Change::Content(place, cut, to) = &change && number == at {
                let place = place.index(content.len() + 1);
                let end = (place + cut).min(content.len());
                content.replace_range(place..end, to);
            }
            let body = serde_json::to_vec(&ring.sign(content, "n", "1763850000".into())).unwrap();
            let verified = ring.verify(&body).unwrap();
            match verified.open(1_763_850_000, TimestampPolicy::default()) {
                Ok(opened) => {
                    let payload = opened.into_payload();
                    match classify(&payload) {
                        Classified::Page(page) if page.pull.mark_id.as_str() == MARK
                            && page.pull.robot_id.as_str() == "robot-1" =>
                        {
                            folded.extend(page.accounts.iter().map(|it| it.fingerprint));
                        }
                        // Whole, and another pull's by its names: indistinguishable from that
                        // pull's page.
                        Classified::Page(_) => elsewhere = true,
                        // A well-formed event of another type.
                        Classified::Other(_) => elsewhere = true,
                        Classified::Report { .. } => elsewhere = true,
                        Classified::Unreadable(it) => {
                            let names_other = it.mark_id.is_some_and(|it| it.as_str() != MARK)
                                || it.robot_id.is_some_and(|it| it.as_str() != "robot-1");
                            // Well-formed JSON that names another pull, or another robot.
                            elsewhere |= it.layer == Layer::Shape && names_other;
                            // Another event by the rule: its type says so, and the pull's mark is
                            // not in it.
                            let ours = [EventType::Absent, EventType::ROBOT_ACCOUNT_LIST];
                            let is_named = String::from_utf8_lossy(&payload).contains(MARK);
                            elsewhere |= !ours.contains(&it.event_type) && !is_named;
                        }
                        other => panic!("a kind that this test does not know: {other:?}"),
                    }
                    required.extend(ids_in(&payload));
                    replay.add(payload).unwrap();
                }
                Err(error) => {
                    replay.add_undecrypted(verified.encoding_content(), error.to_string());
                    required.extend([format!("id{number}-1"), format!("id{number}-2")]);
                }
            }
        }
        let outcomes = replay.finish().unwrap();
        let ours = outcomes.iter().find(|it| it.progress.pull.mark_id.as_str() == MARK
            && it.progress.pull.robot_id.as_str() == "robot-1");
        let complete = ours.is_some_and(|it| matches!(it.status, Status::Complete(_)));
        if complete && !elsewhere {
            for id in &required {
                prop_assert!(folded.contains(&seed.fingerprint(id)), "{id} is missing: {}", String::from_utf8_lossy(&changed(&page(at).to_string(), &change)));
            }
        }
    }
}

#[test]
fn what_is_not_changed_is_complete() {
    let mut replay = Replay::default();
    for number in 0..3 {
        replay.add(page(number).to_string().into()).unwrap();
    }
    let outcomes = replay.finish().unwrap();
    assert!(matches!(outcomes[0].status, Status::Complete(_)));
    assert_eq!(outcomes[0].progress.figures.accounts, 6);
    assert!(members(&page(0).to_string()).len() > 20);
}
