//! Known answers, from an independent implementation.

use qopen_callback::{CallbackKeys, Keyring, OpenError, TimestampPolicy};
use serde_json::Value;

const VECTORS: &str = include_str!("../vectors/envelopes.json");

fn cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 15);
    cases
}

fn ring(case: &Value) -> Keyring {
    let text = |name: &str| case["config"][name].as_str().unwrap();
    let keys = CallbackKeys::new(text("token"), &text("encoding_aes_key").into()).unwrap();
    Keyring::new(text("app_key"), keys)
}

#[test]
fn every_vector_opens_or_fails_as_it_says() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let body = serde_json::to_vec(&case["envelope"]).unwrap();
        let opened = ring(&case).open(&body, 1_763_850_000, TimestampPolicy::default());
        match (opened, case["why"].as_str()) {
            (Ok(opened), None) => {
                assert_eq!(case["valid"], true, "{name}");
                assert_eq!(
                    opened.payload(),
                    case["plaintext"].as_str().unwrap().as_bytes(),
                    "{name}"
                );
            }
            (Err(error), Some(why)) => {
                let fits = match why {
                    "signature" => matches!(error, OpenError::Signature),
                    "app_key" => matches!(error, OpenError::AppKey),
                    "base64" => matches!(error, OpenError::Base64(_)),
                    "length" | "padding or length" => matches!(error, OpenError::Length { .. }),
                    "padding, UTF-8 or JSON" => matches!(error, OpenError::Padding),
                    other => panic!("{name}: no such reason as {other}"),
                };
                assert!(fits, "{name}: {why} expected, found {error}");
            }
            // Padded by accident: then the text is unreadable.
            (Ok(opened), Some("padding, UTF-8 or JSON")) => {
                assert!(serde_json::from_slice::<Value>(opened.payload()).is_err(), "{name}");
            }
            (opened, why) => panic!("{name}: {opened:?} where {why:?} was expected"),
        }
    }
}

#[test]
fn sealing_makes_the_same_bytes_as_the_independent_implementation() {
    let mut sealed = 0;
    for case in cases().iter().filter(|case| case["valid"] == true) {
        let envelope = &case["envelope"];
        let Some(timestamp) = envelope["timestamp"].as_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        let nonce = envelope["nonce"].as_str().unwrap();
        let ours = ring(case).seal(case["plaintext"].as_str().unwrap(), nonce, timestamp);
        assert_eq!(serde_json::to_value(&ours).unwrap(), *envelope, "{}", case["name"]);
        sealed += 1;
    }
    assert_eq!(sealed, 7);
}
