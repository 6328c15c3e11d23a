//! The receiver over loopback, in plain HTTP/1.1.

use qopen_callback::receiver::HandlerError;
use qopen_callback::{CallbackKeys, Keyring, RejectReason};
use qopen_types::EventType;

use crate::server::{PAGE, Server, status};

#[tokio::test]
async fn a_page_is_handed_on_and_answered_success() {
    let server = Server::start().await;
    let answer = server.post(&server.sealed(PAGE)).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("\r\n\r\nsuccess"), "{answer}");
    assert_eq!(*server.recorder.pages.lock().unwrap(), [PAGE]);
    assert_eq!((server.stats.received(), server.stats.accepted(), server.stats.stale()), (1, 1, 1));
}

#[tokio::test]
async fn other_events_are_handed_on_byte_for_byte() {
    let server = Server::start().await;
    let body = server.sealed(r#"{"event_type":"chat.msg"}"#);
    assert_eq!(status(&server.post(&body).await), 200);
    let others = server.recorder.others.lock().unwrap();
    assert_eq!(*others, [(EventType::Name("chat.msg".into()), body)]);
    assert_eq!(server.stats.other_events(), 1);
}

#[tokio::test]
async fn what_does_not_hold_is_refused_by_kind_and_counted() {
    let server = Server::start().await;
    let other_app =
        Keyring::new("other", CallbackKeys::new("token", &"0123456789abcdef".into()).unwrap());
    let other_token =
        Keyring::new("app", CallbackKeys::new("other", &"0123456789abcdef".into()).unwrap());
    let other_aes =
        Keyring::new("app", CallbackKeys::new("token", &"fedcba9876543210".into()).unwrap());
    let seal = |ring: &Keyring| serde_json::to_vec(&ring.seal(&PAGE.repeat(9), "n", 1)).unwrap();
    for (body, expected, reason) in [
        (Vec::new(), 400, RejectReason::Malformed),
        (b"not json".to_vec(), 400, RejectReason::Malformed),
        (vec![0xff, 0xfe], 400, RejectReason::Malformed),
        ("[".repeat(500_000).into_bytes(), 400, RejectReason::Malformed),
        (b"{\"app_key\":\"app\"}".to_vec(), 400, RejectReason::Malformed),
        (seal(&other_app), 401, RejectReason::AppKey),
        (seal(&other_token), 401, RejectReason::Signature),
        (seal(&other_aes), 400, RejectReason::Undecryptable),
        (vec![b' '; 1_000_001], 413, RejectReason::Body),
    ] {
        let before = server.stats.rejected(reason);
        let answer = server.post(&body).await;
        assert_eq!(status(&answer), expected, "{reason}");
        assert!(!answer.contains("success"));
        assert_eq!(server.stats.rejected(reason), before + 1, "{reason}");
    }
    assert!(server.recorder.pages.lock().unwrap().is_empty());
    assert_eq!(server.stats.accepted(), 0);
    // Seven of these may have been genuine before a proxy cut them: the one that no key decrypts,
    // the one that is too large, and the five that are no envelope.
    assert_eq!(server.stats.refusals().get().count, 7);
}

#[tokio::test]
async fn e1_what_is_signed_is_handed_on_whatever_is_inside() {
    let server = Server::start().await;
    *server.recorder.undecrypted.lock().unwrap() = Some(Vec::new());
    let payloads = ["hello", "", "[]", r#"{"data":{"account_list":["#, "\u{feff}{}"];
    for payload in payloads {
        assert_eq!(status(&server.post(&server.sealed(payload)).await), 200, "{payload}");
    }
    assert_eq!(server.recorder.others.lock().unwrap().len(), payloads.len());
    for content in ["no base64!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", ""] {
        let envelope = server.ring.sign(content.to_owned(), "n", "1763850000".into());
        let body = serde_json::to_vec(&envelope).unwrap();
        assert_eq!(status(&server.post(&body).await), 200, "{content}");
        let kept = server.recorder.undecrypted.lock().unwrap();
        assert_eq!(kept.as_ref().unwrap().last().map(String::as_str), Some(content));
    }
    assert_eq!((server.stats.accepted(), server.stats.undecrypted()), (9, 4));
    assert_eq!(server.stats.refusals().get().count, 0);
}

#[tokio::test]
async fn e3_refusals_that_a_page_may_have_suffered_are_noted_and_others_not() {
    let server = Server::start().await;
    let seen = || server.stats.refusals().get().count;
    *server.recorder.answer.lock().unwrap() = Some(HandlerError::Unavailable);
    server.post(&server.sealed(PAGE)).await;
    assert_eq!(seen(), 1, "a page that was not kept");
    server.post(&server.sealed(r#"{"event_type":40023}"#)).await;
    assert_eq!(seen(), 1, "an event of another kind is no page");
    server.post(&server.sealed(r#"{"event_type":null,"data":{"#)).await;
    assert_eq!(seen(), 2, "what does not say what it is may be one");
    *server.recorder.answer.lock().unwrap() = None;
    server.post_with("content-encoding: gzip\r\n", &server.sealed(PAGE)).await;
    assert_eq!(seen(), 3);
    let head = "POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n";
    server.send(head, b"{").await;
    assert_eq!(seen(), 4, "a body that did not come in time");
    server.send("POST /callback HTTP/1.1\r\nhost:", b"").await;
    assert_eq!(seen(), 5, "a head that did not come in time");
    server.send("GET / HTTP/1.1\r\nhost:", b"").await;
    assert_eq!(seen(), 5, "not a callback");
    server.post(b"{}").await;
    assert_eq!(seen(), 6, "a proxy may have cut it");
}

#[tokio::test]
async fn what_comes_to_the_wrong_place_is_counted() {
    let server = Server::start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&server.send(&get("/callback/"), b"").await), 404);
    assert_eq!(status(&server.send(&get("/callback?echostr=1&nonce=2"), b"").await), 405);
    assert_eq!(status(&server.send(&get("/callback"), b"").await), 405);
    let stats = &server.stats;
    assert_eq!((stats.other_paths(), stats.other_methods(), stats.echo_checks()), (1, 2, 1));
    assert_eq!(stats.last_other_path().as_deref(), Some("/callback/"));
    server.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"GET / HTTP/1.1\r\n\r\n").await;
    let listener = &server.listener;
    assert_eq!((listener.proxy_protocol(), listener.http2()), (1, 0));
    server.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"").await;
    assert_eq!((listener.http2(), listener.tls_without_certificate()), (1, 0));
    let hello = "\u{16}\u{3}\u{1}\u{0}\u{5}\u{1}\u{0}\u{0}\u{1}\u{0}\u{0}\u{0}";
    server.send(hello, b"").await;
    assert_eq!((listener.http2(), listener.tls_without_certificate()), (1, 1));
    assert_eq!((listener.proxy_protocol(), listener.failed_handshakes()), (1, 0));
    // What comes in pieces is refused at the first that is no HTTP.
    server.send("\u{16}\u{3}\u{1}\u{0}\u{5}", b"").await;
    server.send("\u{16}", b"").await;
    server.send("\r\n\r\n\0", b"").await;
    assert_eq!((listener.tls_without_certificate(), listener.proxy_protocol()), (3, 2));
    // Empty lines before a request, and a method with the same beginning, are HTTP.
    assert_eq!(status(&server.send(&format!("\r\n{}", get("/a")), b"").await), 404);
    let odd = "PRIME /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&server.send(odd, b"").await), 404);
    let counts = (listener.tls_without_certificate(), listener.proxy_protocol());
    assert_eq!((counts, listener.http2()), ((3, 2), 1));
}

#[tokio::test]
async fn a_handler_that_cannot_take_it_is_answered_for() {
    let server = Server::start().await;
    for (refusal, expected) in [(HandlerError::Unavailable, 503), (HandlerError::Malformed, 400)] {
        *server.recorder.answer.lock().unwrap() = Some(refusal);
        let answer = server.post(&server.sealed(PAGE)).await;
        assert_eq!(status(&answer), expected);
        assert!(!answer.contains("success"));
    }
    let rejections = server.stats.rejections();
    assert_eq!(rejections, [(RejectReason::Payload, 1), (RejectReason::Unavailable, 1)]);
}

#[tokio::test]
async fn bodies_at_the_limit_and_in_pieces_arrive_whole() {
    let server = Server::start().await;
    // Padded with white space to exactly the limit: large enough to be opened outside the reactor.
    let mut body = server.sealed(PAGE);
    body.resize(1_000_000, b' ');
    assert_eq!(status(&server.post(&body).await), 200);

    let sealed = server.sealed(PAGE);
    let (one, two) = sealed.split_at(sealed.len() / 2);
    let mut chunked = Vec::new();
    for chunk in [one, two, b""] {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    let head = "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(status(&server.send(head, &chunked).await), 200);
    assert_eq!(server.recorder.pages.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_off() {
    let server = Server::start().await;
    let head = "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"186a0\r\n".as_slice(), &[b' '; 100_000], b"\r\n"].concat();
    assert_eq!(status(&server.send(head, &chunk.repeat(20)).await), 413);
}

#[tokio::test]
async fn i11_bodies_together_take_no_more_than_their_room() {
    let server = Server::start().await;
    let head =
        "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 900000\r\n\r\n";
    // Two bodies that send most of their declared length, and then nothing until they time out.
    let hold = vec![b' '; 800_000];
    let (one, two) = tokio::join!(server.send(head, &hold), server.send(head, &hold));
    let mut statuses = [status(&one), status(&two)];
    statuses.sort_unstable();
    // The stalled one gives way, and the other one stalls in its turn.
    assert_eq!(statuses, [408, 408]);
    // The memory is returned.
    let mut body = server.sealed(PAGE);
    body.resize(1_000_000, b' ');
    assert_eq!(status(&server.post(&body).await), 200);
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let server = Server::start().await;
    let head =
        "POST /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    assert_eq!(status(&server.send(head, b"{").await), 408);
    assert_eq!(server.stats.rejected(RejectReason::Body), 1);
}

#[tokio::test]
async fn other_methods_paths_and_encodings_are_not_for_us() {
    let server = Server::start().await;
    let get = "GET /callback HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&server.send(get, b"").await), 405);
    let elsewhere =
        "POST /other HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(status(&server.send(elsewhere, b"").await), 404);
    let body = server.sealed(PAGE);
    assert_eq!(status(&server.post_with("content-encoding: gzip\r\n", &body).await), 415);
    assert_eq!(server.stats.rejected(RejectReason::Compressed), 1);
    for plain in ["identity", "utf-8", "UTF-8", "none", ""] {
        let header = format!("content-encoding: {plain}\r\n");
        assert_eq!(status(&server.post_with(&header, &body).await), 200, "{plain}");
    }
}
