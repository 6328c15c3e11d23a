//! The published vectors: known answers from an independent implementation.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qopen_callback::{CallbackKeys, Keyring, OpenError, Padding, TimestampPolicy};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) const VECTORS: &str = include_str!("../../vectors/envelopes.json");

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    app_key: String,
    token: String,
    encoding_aes_key: String,
    body: Option<String>,
    body_base64: Option<String>,
    padded_to: Option<u8>,
    payload: Option<String>,
    payload_sha256: Option<String>,
    refused: Option<Vec<String>>,
}

impl Case {
    fn ring(&self) -> Keyring {
        let aes = self.encoding_aes_key.as_str().into();
        let keys = CallbackKeys::new(self.token.as_str(), &aes).unwrap();
        Keyring::new(self.app_key.as_str(), keys)
    }

    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            _ => panic!("{}: it must have one body", self.name),
        }
    }

    /// What a reader may say: the digest of the payload, or one of the reasons.
    pub(crate) fn expected(&self) -> Vec<String> {
        match (&self.payload, &self.payload_sha256, &self.refused) {
            (Some(payload), None, None) => vec![sha256(payload.as_bytes())],
            (None, Some(digest), None) => vec![digest.clone()],
            (None, None, Some(reasons)) => {
                reasons.iter().map(|it| format!("refused: {it}")).collect()
            }
            _ => panic!("{}: it must have one result", self.name),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Every case. The counts fail if a change of the generator loses some.
pub(crate) fn cases() -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let cases = serde_json::from_str::<File>(VECTORS).unwrap().cases;
    let refused = cases.iter().filter(|it| it.refused.is_some()).count();
    assert_eq!((cases.len(), refused), (212, 127));
    cases
}

#[test]
fn every_vector_opens_or_is_refused_as_it_says() {
    for case in cases() {
        let opened = case.ring().open(&case.body(), 1_763_850_000, TimestampPolicy::default());
        let result = match &opened {
            Ok(opened) => sha256(opened.payload()),
            Err(error) => format!("refused: {}", error.reason()),
        };
        assert!(case.expected().contains(&result), "{}: {opened:?}", case.name);
        let fits = match case.name.strip_prefix("signed: ") {
            Some("content not base64") => matches!(opened, Err(OpenError::Base64(_))),
            Some("content empty" | "half of the last block" | "not a whole number of blocks") => {
                matches!(opened, Err(OpenError::Length { .. }))
            }
            Some(name) if name.contains("padding") || name.contains("key") => {
                matches!(opened, Err(OpenError::Padding))
            }
            _ => true,
        };
        assert!(fits, "{}: {opened:?}", case.name);
    }
}

#[test]
fn sealing_makes_the_same_bytes_as_the_independent_implementation() {
    let mut paddings = Vec::new();
    for case in cases() {
        let (Some(payload), Some(padded_to)) = (&case.payload, case.padded_to) else { continue };
        let padding = if padded_to == 32 { Padding::Wecom } else { Padding::Pkcs7 };
        let envelope: Value = serde_json::from_slice(&case.body()).unwrap();
        let text = |field: &str| envelope[field].as_str().map(str::to_owned);
        let content = case.ring().encrypt(payload.as_bytes(), padding);
        assert_eq!(Some(&content), text("encoding_content").as_ref(), "{}", case.name);
        // A number would lose its digits here.
        if let Some(timestamp) = text("timestamp") {
            let ours = case.ring().sign(content, &text("nonce").unwrap(), timestamp);
            assert_eq!(Some(ours.signature), text("signature"), "{}", case.name);
        }
        paddings.push(padded_to);
    }
    let count = |wanted: u8| paddings.iter().filter(|it| **it == wanted).count();
    assert_eq!((count(16), count(32)), (47, 35));
}
