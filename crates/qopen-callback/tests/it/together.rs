//! Bodies that are verified together have the results that they have alone.

use std::time::Duration;

use proptest::prelude::*;
use qopen_callback::listener::Listener;
use qopen_callback::{CallbackKeys, Keyring, Padding, TimestampPolicy};
use qopen_types::{CallbackEnvelope, EventType};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::server::{PAGE, Server, status};

const NOW: u64 = 1_763_850_000;

fn ring(app: &str, tokens: &[&str]) -> Keyring {
    let pair = |token: &&str| CallbackKeys::new(*token, &"0123456789abcdef".into()).unwrap();
    let mut pairs = tokens.iter().map(pair);
    let first = Keyring::new(app, pairs.next().unwrap());
    pairs.fold(first, Keyring::with_keys)
}

/// A body, and what is done to it.
#[derive(Clone, Debug)]
enum Body {
    Signed {
        app: &'static str,
        token: &'static str,
        length: usize,
    },
    /// With a byte of it changed.
    Changed {
        length: usize,
        at: prop::sample::Index,
        xor: u8,
    },
    UpperCase {
        token: &'static str,
    },
    /// With escapes: its values are not parts of the body.
    Escaped,
    /// Signed, and decrypted by no key.
    Undecryptable {
        length: usize,
    },
    Garbage(Vec<u8>),
}

fn json(envelope: &CallbackEnvelope) -> Vec<u8> {
    serde_json::to_vec(envelope).unwrap()
}

impl Body {
    fn bytes(&self) -> Vec<u8> {
        let sealed = |app: &str, token: &str, length: usize| {
            json(&ring(app, &[token]).seal(&"p".repeat(length), "nonce", NOW))
        };
        match self {
            Self::Signed { app, token, length } => sealed(app, token, *length),
            Self::Changed { length, at, xor } => {
                let mut body = sealed("app", "one", *length);
                let at = at.index(body.len());
                body[at] ^= xor;
                body
            }
            Self::UpperCase { token } => {
                let body = String::from_utf8(sealed("app", token, 30)).unwrap();
                let begin = body.find("signature\":\"").unwrap() + "signature\":\"".len();
                let signature = &body[begin..begin + 32];
                body.replace(signature, &signature.to_uppercase()).into_bytes()
            }
            Self::Escaped => {
                let body = String::from_utf8(sealed("app", "one", 40)).unwrap();
                body.replace(":\"nonce", ":\"\\u006eonce").into_bytes()
            }
            Self::Undecryptable { length } => {
                let ring = ring("app", &["one"]);
                let content = ring.encrypt(&vec![b'['; *length], Padding::None);
                json(&ring.sign(content, "nonce", NOW.to_string()))
            }
            Self::Garbage(bytes) => bytes.clone(),
        }
    }
}

fn body() -> impl Strategy<Value = Body> {
    let token = prop::sample::select(vec!["one", "two", "three", "forged"]);
    let app = prop::sample::select(vec!["app", "app", "app", "other"]);
    let length = prop_oneof![4 => 0..400_usize, 1 => 0..20_000_usize];
    prop_oneof![
        6 => (app, token.clone(), length.clone())
            .prop_map(|(app, token, length)| Body::Signed { app, token, length }),
        2 => (length.clone(), any::<prop::sample::Index>(), 1..=255_u8)
            .prop_map(|(length, at, xor)| Body::Changed { length, at, xor }),
        1 => token.prop_map(|token| Body::UpperCase { token }),
        1 => Just(Body::Escaped),
        1 => length.prop_map(|length| Body::Undecryptable { length }),
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Body::Garbage),
    ]
}

/// Everything that a result says.
fn said(result: Result<qopen_callback::VerifiedEnvelope<'_>, qopen_callback::OpenError>) -> String {
    let Ok(verified) = &result else { return format!("{:?}", result.unwrap_err()) };
    let opened = verified.open(NOW, TimestampPolicy::default());
    let opened = opened.map(|it| (it.matched_key(), it.readings(), it.into_payload()));
    let envelope = (verified.timestamp(), verified.signed_at(), verified.encoding_content());
    format!("{envelope:?} {opened:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn i8_together_the_results_are_as_one_by_one(
        bodies in prop::collection::vec(body(), 0..36),
        tokens in prop::sample::select(vec![&["one"][..], &["two", "one"], &["one", "two", "one", "three"]]),
    ) {
        let ring = ring("app", tokens);
        let bodies: Vec<Vec<u8>> = bodies.iter().map(Body::bytes).collect();
        let slices: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let together: Vec<String> = ring.verify_many(&slices).into_iter().map(said).collect();
        let alone: Vec<String> = slices.iter().map(|body| said(ring.verify(body))).collect();
        prop_assert_eq!(together, alone);
    }
}

/// A payload of this many bytes, which names its number.
fn payload(number: usize, bytes: usize) -> String {
    format!(r#"{{"event_type":"chat.msg","n":{number},"pad":"{}"}}"#, "x".repeat(bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_a_burst_are_each_answered_for_themselves() {
    let server = Server::start_with(Listener::default(), |config| {
        config.memory_limit = 200_000_000;
        config.read_timeout = Duration::from_secs(60);
    })
    .await;
    let forger = ring("app", &["forged"]);
    // Small and large, one in four forged, one in four hung up on.
    let of = |n: usize| if n.is_multiple_of(5) { 300_000 } else { n * 50 };
    let one = async |n: usize| {
        let ring = if n % 4 == 3 { &forger } else { &server.ring };
        let body = json(&ring.seal(&payload(n, of(n)), "nonce", NOW));
        if n % 4 == 1 {
            let head = format!(
                "POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
            return None;
        }
        Some(status(&server.post(&body).await))
    };
    let all = futures_util::future::join_all((0..120).map(one)).await;
    for (n, status) in all.into_iter().enumerate() {
        let expected = [Some(200), None, Some(200), Some(401)][n % 4];
        assert_eq!(status, expected, "{n}");
    }
    let others = std::mem::take(&mut *server.recorder.others.lock().unwrap());
    for n in (0..120).filter(|n| n % 2 == 0) {
        let same = |(event, body): &&(EventType, Vec<u8>)| {
            let opened = server.ring.open(body, NOW, TimestampPolicy::default()).unwrap();
            *event == EventType::Name("chat.msg".into())
                && opened.payload() == payload(n, of(n)).as_bytes()
        };
        assert_eq!(others.iter().filter(same).count(), 1, "{n}");
    }
    assert_eq!(status(&server.post(&server.sealed(PAGE)).await), 200);
}
