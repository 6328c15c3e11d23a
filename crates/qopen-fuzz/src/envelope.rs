//! Any body as an envelope, and any payload in a signed one: it opens to the payload that was
//! sealed, or is refused.

use qopen_callback::{CallbackKeys, Keyring, TimestampPolicy};

/// The keys of every target.
pub(crate) fn ring() -> Keyring {
    ring_of("token")
}

/// Keys with another token: what they seal has a wrong signature, and is correct otherwise.
pub(crate) fn ring_of(token: &str) -> Keyring {
    let aes = "0123456789abcdef0123456789abcdef".into();
    Keyring::new("app", CallbackKeys::new(token, &aes).expect("the key has 32 bytes"))
}

/// Opens the bytes as an envelope, and as the payload of one.
pub fn run(bytes: &[u8]) {
    let ring = ring();
    let now = 1_700_000_000;
    assert!(
        ring.open(bytes, now, TimestampPolicy::default()).is_err(),
        "it has no valid signature"
    );
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut envelope = ring.seal(text, "nonce", now);
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    let opened = ring.open(&body, now, TimestampPolicy::default()).expect("it was sealed");
    assert_eq!(opened.payload(), text.as_bytes());
    // And a content that was not signed.
    envelope.encoding_content = text.to_owned();
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    assert!(ring.open(&body, now, TimestampPolicy::default()).is_err());
}
