//! Any body as an envelope, and any payload in one that is signed: opened as it was sealed, or
//! refused.

use qopen_callback::{CallbackKeys, TimestampPolicy, Keyring};

/// The keys that everything here is opened with.
pub(crate) fn ring() -> Keyring {
    ring_of("token")
}

/// Keys that differ in the token alone: what they seal is signed wrongly, and right in all else.
pub(crate) fn ring_of(token: &str) -> Keyring {
    let aes = "0123456789abcdef0123456789abcdef".into();
    Keyring::new("app", CallbackKeys::new(token, &aes).expect("the key has 32 bytes"))
}

/// Opens them, and what they are sealed to.
pub fn run(bytes: &[u8]) {
    let ring = ring();
    let now = 1_700_000_000;
    assert!(ring.open(bytes, now, TimestampPolicy::default()).is_err(), "nobody has signed this");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut envelope = ring.seal(text, "nonce", now);
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    let opened = ring.open(&body, now, TimestampPolicy::default()).expect("it was sealed");
    assert_eq!(opened.payload(), text.as_bytes());
    // And a content that is not what was signed.
    envelope.encoding_content = text.to_owned();
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    assert!(ring.open(&body, now, TimestampPolicy::default()).is_err());
}
