//! Any body as an envelope, and any payload in one that is signed: opened as it was sealed, or
//! refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qopen_callback::{CallbackKeys, Freshness, Keyring};

fuzz_target!(|bytes: &[u8]| {
    let aes = "0123456789abcdef0123456789abcdef".into();
    let ring = Keyring::new("app", CallbackKeys::new("token", &aes).expect("the key has 32 bytes"));
    let now = 1_700_000_000;
    assert!(ring.open(bytes, now, Freshness::default()).is_err(), "nobody has signed this");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut envelope = ring.seal(text, "nonce", now);
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    let opened = ring.open(&body, now, Freshness::default()).expect("it was sealed");
    assert_eq!(opened.payload(), text);
    // And a content that is not what was signed.
    envelope.encoding_content = text.to_owned();
    let body = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    assert!(ring.open(&body, now, Freshness::default()).is_err());
});
