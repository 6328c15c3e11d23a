//! Properties of every envelope.

use std::time::Duration;

use proptest::prelude::*;
use qopen_callback::{
    CallbackKeys, InvalidAesKey, Keyring, OpenError, Padding, RejectReason, TimestampAge,
    TimestampPolicy,
};
use qopen_types::Reading;

const NOW: u64 = 1_763_850_000;

fn keys(token: &str, aes: &str) -> CallbackKeys {
    CallbackKeys::new(token, &aes.into()).unwrap()
}

fn ring() -> Keyring {
    Keyring::new("app", keys("token", "0123456789abcdef0123456789abcdef"))
}

fn sealed(ring: &Keyring, payload: &str) -> Vec<u8> {
    serde_json::to_vec(&ring.seal(payload, "nonce", NOW)).unwrap()
}

fn open(body: &[u8]) -> Result<String, OpenError> {
    let opened = ring().open(body, NOW, TimestampPolicy::default())?;
    Ok(String::from_utf8(opened.into_payload()).unwrap())
}

proptest! {
    #[test]
    fn what_is_sealed_opens(payload in ".{0,200}", key in prop::sample::select(vec![16_usize, 24, 32])) {
        let ring = Keyring::new("app", keys("token", &"k".repeat(key)));
        let opened = ring.open(&sealed(&ring, &payload), NOW, TimestampPolicy::default()).unwrap();
        prop_assert_eq!(opened.payload(), payload.as_bytes());
        prop_assert!(opened.readings().is_plain());
    }

    #[test]
    fn i8_a_changed_byte_never_opens_to_something_else(
        payload in "[a-z]{1,80}", at in any::<prop::sample::Index>(), xor in 1..=255_u8,
    ) {
        let mut body = sealed(&ring(), &payload);
        let at = at.index(body.len());
        body[at] ^= xor;
        if let Ok(opened) = open(&body) {
            prop_assert_eq!(opened, payload);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&body).is_err());
    }
}

#[test]
fn what_is_no_envelope_is_named() {
    let reason = |body: &str| open(body.as_bytes()).unwrap_err();
    assert!(matches!(reason(" \n"), OpenError::Empty));
    assert!(matches!(reason("[1]"), OpenError::NotAnObject));
    assert!(matches!(reason("{"), OpenError::NotJson(_)));
    assert!(matches!(reason("{}"), OpenError::MissingField { field: "app_key" }));
    let nested = r#"{"app_key":{},"nonce":"","timestamp":"","signature":"","encoding_content":""}"#;
    assert!(matches!(reason(nested), OpenError::FieldType { field: "app_key" }));
    assert!(matches!(reason(&"[".repeat(100_000)), OpenError::NotAnObject));
    assert!(matches!(reason(&"{\"a\":".repeat(100_000)), OpenError::NotJson(_)));
    assert!(matches!(open(&[b'{', 0xff]).unwrap_err(), OpenError::NotJson(_)));
    assert_eq!(reason("{}").reason(), RejectReason::Malformed);
}

#[test]
fn the_spelling_of_the_json_does_not_matter() {
    let text = String::from_utf8(sealed(&ring(), "{}")).unwrap();
    let spaced = text.replace(':', " : ").replace(',', " ,\n");
    assert_eq!(open(spaced.as_bytes()).unwrap(), "{}");
    let escaped = text.replace('/', "\\/").replace("nonce\":\"n", "nonce\":\"\\u006e");
    assert_ne!(escaped, text);
    assert_eq!(open(escaped.as_bytes()).unwrap(), "{}");
    let more = text.replacen('{', "{\"later\":[{}],", 1);
    assert_eq!(open(more.as_bytes()).unwrap(), "{}");
}

#[test]
fn several_pairs_of_keys_open_and_the_first_seals() {
    let (old, new) = (keys("old", &"o".repeat(32)), keys("new", &"n".repeat(16)));
    let both = Keyring::new("app", new.clone()).with_keys(old.clone());
    for (ring, matched) in [(Keyring::new("app", new), 0), (Keyring::new("app", old), 1)] {
        let opened = both.open(&sealed(&ring, "{}"), NOW, TimestampPolicy::default()).unwrap();
        assert_eq!(opened.matched_key(), matched);
    }
    assert_eq!(
        both.open(&sealed(&both, "{}"), NOW, TimestampPolicy::default()).unwrap().matched_key(),
        0
    );

    // Only the AES key differs; the token is the same.
    let (first, second) = (keys("token", &"1".repeat(32)), keys("token", &"2".repeat(32)));
    let both = Keyring::new("app", first).with_keys(second.clone());
    let body = sealed(&Keyring::new("app", second), "{\"text\":\"long enough to be no accident\"}");
    assert_eq!(both.open(&body, NOW, TimestampPolicy::default()).unwrap().matched_key(), 1);
}

#[test]
fn stale_timestamps_are_reported_or_refused() {
    let body = sealed(&ring(), "{}");
    let policy = TimestampPolicy::default().tolerance(Duration::from_secs(10));
    for (now, away) in
        [(NOW + 10, None), (NOW - 10, None), (NOW + 11, Some(11)), (NOW - 11, Some(11))]
    {
        let opened = ring().open(&body, now, policy).unwrap();
        let expected = away.map_or(TimestampAge::Fresh, |away| TimestampAge::Stale {
            away: Duration::from_secs(away),
        });
        assert_eq!(opened.timestamp_age(), expected);
        let refused = ring().open(&body, now, policy.refuse());
        assert_eq!(matches!(refused, Err(OpenError::Stale { .. })), away.is_some());
    }
}

#[test]
fn a_key_of_the_wrong_form_is_refused() {
    let new = |text: &str| CallbackKeys::new("t", &text.into()).map(drop);
    assert_eq!(new(""), Err(InvalidAesKey::Length { actual: 0 }));
    assert_eq!(new(&"k".repeat(31)), Err(InvalidAesKey::Length { actual: 31 }));
    assert_eq!(new(&"*".repeat(43)), Err(InvalidAesKey::NotBase64));
    assert_eq!(new(&"k".repeat(43)), Ok(()));
}

#[test]
fn i10_nothing_secret_prints() {
    let ring = Keyring::new("app", keys("canary-token", "canary-aes-key-1"));
    let body = sealed(&ring, "{\"name\":\"canary\"}");
    let verified = ring.verify(&body).unwrap();
    let opened = verified.open(NOW, TimestampPolicy::default()).unwrap();
    assert!(!format!("{ring:?} {verified:?} {opened:?}").contains("canary"));
}

#[test]
fn errors_keep_their_cause() {
    let error = open(b"{x}").unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("column"));
    assert!(!error.to_string().contains("column"));
}

#[test]
fn e4_every_layer_has_its_readings() {
    let ring = ring();
    let text = r#"{"event_type":42016,"data":{"has_more":false,"account_list":[]}}"#;
    let plain = ring.encrypt(text.as_bytes(), Padding::Pkcs7);
    let whole = format!("{text:width$}", width = text.len().next_multiple_of(16));
    let spaced: String = plain
        .as_bytes()
        .chunks(20)
        .map(|it| format!("{}\r\n", std::str::from_utf8(it).unwrap()))
        .collect();
    let sign = |content: &str| ring.sign(content.to_owned(), "n", NOW.to_string());
    let mut upper = sign(&plain);
    upper.signature = upper.signature.to_uppercase();
    let json = |envelope: &qopen_types::CallbackEnvelope| serde_json::to_vec(envelope).unwrap();
    let bom = [b"\xef\xbb\xbf".to_vec(), json(&sign(&plain))].concat();
    let longer = |n: usize| format!("{text:width$}", width = 64 + n);
    let url = (0..64)
        .map(longer)
        .map(|it| ring.encrypt(it.as_bytes(), Padding::Pkcs7))
        .find(|it| it.contains('+') && it.contains('/'));
    let url = url.unwrap().replace('+', "-").replace('/', "_");
    let unpadded = (0..64)
        .map(longer)
        .map(|it| ring.encrypt(it.as_bytes(), Padding::Pkcs7))
        .find(|it| it.ends_with('='));
    let unpadded = unpadded.unwrap().trim_end_matches('=').to_owned();
    let later = ring.sign(plain.clone(), "n", (NOW * 1000).to_string());
    let none = ring.encrypt(whole.as_bytes(), Padding::None);
    for (body, reading) in [
        (json(&sign(&plain)), None),
        (bom, Some(Reading::EnvelopeBom)),
        (json(&upper), Some(Reading::SignatureCase)),
        (json(&later), Some(Reading::Milliseconds)),
        (json(&sign(&spaced)), Some(Reading::Base64Space)),
        (json(&sign(&url)), Some(Reading::Base64Url)),
        (json(&sign(&unpadded)), Some(Reading::Base64Padding)),
        (json(&sign(&none)), Some(Reading::Unpadded)),
    ] {
        let opened = ring
            .open(&body, NOW, TimestampPolicy::default())
            .unwrap_or_else(|it| panic!("{reading:?}: {it}"));
        assert!(opened.payload().starts_with(text.as_bytes()), "{reading:?}");
        assert_eq!(
            opened.readings().iter().collect::<Vec<_>>(),
            reading.into_iter().collect::<Vec<_>>()
        );
        assert_eq!((opened.timestamp_age(), opened.signed_at()), (TimestampAge::Fresh, Some(NOW)));
    }
    // Every length that WeCom's padding can have.
    for n in 0..64 {
        let text = longer(n);
        let body = json(&sign(&ring.encrypt(text.as_bytes(), Padding::Wecom)));
        let opened = ring.open(&body, NOW, TimestampPolicy::default()).unwrap();
        assert_eq!(opened.payload(), text.as_bytes());
        assert_eq!(opened.readings().is_plain(), text.len() % 32 >= 16, "{n}");
    }
    // An unpadded content that is no object is damaged.
    for broken in ["{\"a\":1}{\"b\":2}xx", "not json at all!!"] {
        let whole = format!("{broken:32}");
        let body = json(&sign(&ring.encrypt(whole.as_bytes(), Padding::None)));
        assert!(matches!(
            ring.open(&body, NOW, TimestampPolicy::default()),
            Err(OpenError::Padding)
        ));
    }
}
