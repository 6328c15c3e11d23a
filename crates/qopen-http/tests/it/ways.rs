//! Redirects, proxies, waits and codes: where a request goes, when it is repeated, and what its
//! errors say.

use std::error::Error;
use std::time::{Duration, Instant};

use qopen_http::{
    BuildError, ForwardError, Forwarder, ProxyOrigin, RetryPolicy, SendError, Sender, TokenError,
};
use qopen_types::RobotAccountListRequest;

use crate::gateway::{Gateway, LIST_PATH, TOKEN_PATH};
use crate::peers::{Peer, Socks};

const OK: &str = r#"{"errcode":0,"data":{"serial_no":"s1"}}"#;

fn request() -> RobotAccountListRequest {
    RobotAccountListRequest::new("robot".parse().unwrap(), "mark".parse().unwrap())
}

fn quick() -> RetryPolicy {
    RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(2))
}

async fn fails(sender: &Sender) -> SendError {
    sender.request_account_list(&request()).await.unwrap_err()
}

/// An error and all its causes.
fn chain(error: &dyn Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out.push_str(&format!(": {error}"));
        cause = error.source();
    }
    out
}

/// A port that refuses connections.
fn closed() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_redirect_is_named_and_the_other_host_sees_nothing() {
    let other = Peer::new("200 OK", OK).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location =
            other.url().replace("http://", "http://u:canary@") + "/moved?token=canary#canary";
        let peer = Peer::new(&format!("{status}\r\nlocation: {location}"), "").await;
        let sender = Sender::builder(peer.url()).access_token("canary-token").retry(quick());
        let error = fails(&sender.build().unwrap()).await;
        let number: u16 = status[..3].parse().unwrap();
        assert!(matches!(error, SendError::Redirected { status, .. } if status == number));
        let target = format!("{}/moved", other.url());
        assert_eq!(error.redirected_to(), Some(&*target));
        let said = format!("{error} {error:?}");
        assert!(said.contains(&target) && !said.contains("canary"), "{said}");
        assert!(!error.is_retryable() && !error.is_refusal() && !error.may_have_arrived());
        assert_eq!(peer.heard().len(), 1, "it is not tried again");

        // The same at the token endpoint, which gets the app's secret.
        let sender = Sender::builder(peer.url()).app_credentials("app", "canary-secret");
        let error = fails(&sender.build().unwrap()).await;
        assert_eq!(error.redirected_to(), Some(&*target));
        assert!(!chain(&error).contains("canary"));

        let url = format!("{}/events?key=canary", peer.url().replace("//", "//me:canary@"));
        let error = Forwarder::new(&url).unwrap().forward(b"{}").await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(matches!(error, ForwardError::Redirected { status, .. } if status == number));
        assert!(said.contains(&target) && !said.contains("canary"), "{said}");
    }
    assert!(other.heard().is_empty(), "{:?}", other.heard());
}

#[tokio::test]
async fn a_redirect_loop_is_one_request() {
    let peer = Peer::new("307 Temporary\r\nlocation: SELF/again", "").await;
    let sender = Sender::builder(peer.url()).access_token("t").retry(quick()).build().unwrap();
    assert_eq!(fails(&sender).await.redirected_to(), Some(&*format!("{}/again", peer.url())));
    let error = Forwarder::new(&peer.url()).unwrap().forward(b"{}").await.unwrap_err();
    assert!(matches!(error, ForwardError::Redirected { .. }));
    assert_eq!(peer.heard().len(), 2);
}

#[tokio::test]
async fn a_redirect_without_a_target_is_a_status() {
    let peer = Peer::new("304 Not Modified", "").await;
    let sender = Sender::builder(peer.url()).access_token("t").build().unwrap();
    assert!(matches!(fails(&sender).await, SendError::Status { status: 304, .. }));
}

#[tokio::test]
async fn user_and_password_of_a_forward_url_are_sent_and_shown_nowhere() {
    let peer = Peer::new("200 OK", "success").await;
    let forwarder = Forwarder::builder(peer.url().replace("//", "//me:p%40ss@") + "/in?q=1");
    assert!(!format!("{forwarder:?}").contains("p%40ss"));
    let forwarder = forwarder.build().unwrap();
    forwarder.forward(b"{\"n\":1}").await.unwrap();
    let heard = peer.heard().remove(0);
    assert!(heard.starts_with("POST /in?q=1 HTTP/1.1\r\n") && heard.ends_with("\r\n\r\n{\"n\":1}"));
    // "me:p@ss" in base64.
    assert!(heard.contains("authorization: Basic bWU6cEBzcw==\r\n"), "{heard}");
    let away = format!("http://me:canary@{}/in", closed());
    let error = Forwarder::new(&away).unwrap().forward(b"{}").await.unwrap_err();
    assert!(!format!("{} {error:?} {forwarder:?}", chain(&error)).contains("canary"));
}

#[tokio::test]
async fn a_socks5_proxy_is_used_with_its_user_and_password() {
    let gateway = Gateway::start().await;
    gateway.list(200, OK);
    let socks = Socks::to(gateway.base_url["http://".len()..].parse().unwrap()).await;
    // The proxy resolves the name: nothing here could.
    let proxy = format!("socks5h://me:p%40ss@{}", socks.address);
    let sender = Sender::builder("http://gateway.invalid:81").access_token("t").proxy(proxy);
    let sender = sender.build().unwrap();
    sender.request_account_list(&request()).await.unwrap();
    let used = sender.proxy().unwrap();
    assert_eq!((&used.address, used.origin), (&socks.address.to_string(), ProxyOrigin::Setting));
    // The sender resolves the name.
    let proxy = format!("socks5://{}", socks.address);
    let sender = Sender::builder("http://localhost:82").access_token("t").proxy(proxy);
    sender.build().unwrap().request_account_list(&request()).await.unwrap();
    let asked = socks.asked();
    assert_eq!(asked[0], "me:p@ss gateway.invalid:81");
    assert!([" 127.0.0.1:82", " ::1:82"].contains(&&*asked[1]), "{asked:?}");

    let peer = Peer::new("200 OK", "success").await;
    let socks = Socks::to(peer.address).await;
    let forwarder = Forwarder::builder("http://app.invalid/events")
        .proxy(format!("socks5h://{}", socks.address))
        .timeout(Duration::from_secs(5));
    forwarder.build().unwrap().forward(b"{}").await.unwrap();
    assert_eq!(socks.asked(), [" app.invalid:80"]);
}

#[tokio::test]
async fn an_error_through_a_proxy_names_the_proxy_and_no_password() {
    let away = closed();
    for scheme in ["http", "socks5", "socks5h", "socks4"] {
        for target in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
            let proxy = format!("{scheme}://me:canary@{away}");
            let sender = Sender::builder(target).access_token("t").proxy(&proxy);
            let sender = sender.retry(RetryPolicy::default().attempts(1)).build().unwrap();
            let error = fails(&sender).await;
            let said = format!("{} {error:?}", chain(&error));
            assert!(
                matches!(&error, SendError::Transport { proxy: Some(used), connected: false, .. }
                if used.address == away.to_string()),
                "{said}"
            );
            let names = format!("the proxy {away} (from the proxy setting)");
            assert!(said.contains(&names) && !said.contains("canary"), "{said}");

            let forwarder = Forwarder::builder(target).proxy(&proxy).build().unwrap();
            let error = forwarder.forward(b"{}").await.unwrap_err();
            let said = format!("{} {error:?}", chain(&error));
            assert!(said.contains(&names) && !said.contains("canary"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_answers_itself_is_named() {
    for status in [
        "407 Proxy Authentication Required",
        "502 Bad Gateway",
        "403 Forbidden",
        "302 Found\r\nlocation: http://portal.invalid/login",
        "200 OK",
    ] {
        let proxy = Peer::new(status, "").await;
        let once = RetryPolicy::default().attempts(1);
        for target in ["http://gateway.invalid", "https://gateway.invalid"] {
            let sender = Sender::builder(target).access_token("t").proxy(proxy.url()).retry(once);
            let error = fails(&sender.build().unwrap()).await;
            let said = chain(&error);
            assert!(said.contains(&format!("the proxy {}", proxy.address)), "{said}");
            assert!(!status.starts_with("407") || !error.is_refusal(), "the platform said nothing");
        }
    }
}

#[tokio::test]
async fn no_proxy_is_used_where_none_is_wanted() {
    let gateway = Gateway::start().await;
    gateway.list(200, OK);
    let sender = Sender::builder(&gateway.base_url).access_token("t").no_proxy().build().unwrap();
    sender.request_account_list(&request()).await.unwrap();
    assert!(sender.proxy().is_none());
}

#[tokio::test]
async fn a_wait_beyond_the_budget_is_said_with_its_seconds() {
    for (head, asked) in [
        ("429 Too Many\r\nretry-after: 120", 120),
        ("503 Away\r\nretry-after: 120", 120),
        ("503 Away\r\nretry-after: 99999999999999999999999", u64::MAX),
        (
            "503 Away\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:51:37 GMT",
            120,
        ),
        (
            "429 Too Many\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun Nov  6 08:51:37 1994",
            120,
        ),
    ] {
        let peer = Peer::new(head, "").await;
        let sender = Sender::builder(peer.url()).access_token("t").retry(quick()).build().unwrap();
        let error = fails(&sender).await;
        assert_eq!(peer.heard().len(), 1);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(asked)));
        let said = error.to_string();
        let says = format!(
            "the gateway asked for {asked} s, longer than the 45 s that are left of the budget"
        );
        assert!(said.contains(&says) && error.is_retryable(), "{said}");
        // The token endpoint behaves the same.
        let sender = Sender::builder(peer.url()).app_credentials("a", "s").retry(quick());
        let error = fails(&sender.build().unwrap()).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(asked)));
        assert!(chain(&error).contains(&says));
    }
}

#[tokio::test]
async fn a_wait_within_the_budget_is_kept_and_a_date_without_a_clock_is_none() {
    let policy = quick().attempts(2);
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let second = Some(Duration::from_secs(1));
    for (head, asked) in [
        ("503 Away\r\nretry-after: 1".to_owned(), second),
        (format!("503 Away\r\n{date}retry-after: Sunday, 06-Nov-94 08:49:38 GMT"), second),
        (format!("503 Away\r\n{date}retry-after: Sun, 06 Nov 1994 08:00:00 GMT"), None),
        ("503 Away\r\nretry-after: Fri, 31 Dec 9999 23:59:59 GMT".to_owned(), None),
        ("503 Away\r\nretry-after: soon".to_owned(), None),
    ] {
        let peer = Peer::new(&head, "").await;
        let sender = Sender::builder(peer.url()).access_token("t").retry(policy).build().unwrap();
        let begun = Instant::now();
        let error = fails(&sender).await;
        assert_eq!((peer.heard().len(), error.retry_after()), (2, asked), "{head}");
        assert!(begun.elapsed() >= asked.unwrap_or_default(), "{head}");
    }
}

#[tokio::test]
async fn a_refusal_with_a_listed_code_is_tried_again_under_the_same_mark() {
    let busy = |code: i64| format!(r#"{{"errcode":{code},"errmsg":"system busy","hint":"log-1"}}"#);
    let gateway = Gateway::start().await;
    gateway
        .token(200, &busy(-1))
        .token(200, r#"{"errcode":0,"data":{"access_token":"t","expires_in":7200}}"#);
    gateway.list(200, &busy(-1)).list(200, &busy(45009)).list(200, OK);
    let sender = || Sender::builder(&gateway.base_url).retry(quick());
    let patient = sender().app_credentials("a", "s").retry_codes([-1, 45009]).build().unwrap();
    patient.request_account_list(&request()).await.unwrap();
    let asked = gateway.asked(LIST_PATH);
    assert_eq!((asked.len(), gateway.asked(TOKEN_PATH).len()), (3, 2));
    assert!(asked.iter().all(|it| it.body["mark_id"] == "mark"));

    // A lasting refusal is the error, with everything that the gateway said.
    let gateway = Gateway::start().await;
    gateway.list(200, &busy(-1)).token(200, &busy(-1));
    let sender = |codes: &[i64]| {
        let sender = Sender::builder(&gateway.base_url).retry(quick());
        sender.access_token("t").retry_codes(codes.iter().copied()).build().unwrap()
    };
    let error = fails(&sender(&[-1])).await;
    assert_eq!(gateway.asked(LIST_PATH).len(), 4);
    assert!(error.is_retryable() && error.is_refusal());
    assert_eq!((error.refusal().unwrap().code, &*error.refusal().unwrap().hint), (-1, "log-1"));
    // Another code, or none: one attempt.
    for codes in [&[1][..], &[]] {
        let before = gateway.asked(LIST_PATH).len();
        let error = fails(&sender(codes)).await;
        assert!(!error.is_retryable() && error.is_refusal());
        assert_eq!(gateway.asked(LIST_PATH).len(), before + 1);
    }
    let lasting = Sender::builder(&gateway.base_url).retry(quick()).app_credentials("a", "s");
    let error = fails(&lasting.retry_codes([-1]).build().unwrap()).await;
    assert_eq!(gateway.asked(TOKEN_PATH).len(), 4);
    assert!(error.is_retryable() && error.is_refusal() && error.refusal().unwrap().code == -1);
    assert!(matches!(error, SendError::Token(TokenError::Shared(_))));
}

#[tokio::test]
async fn a_code_counts_with_every_status_of_an_error() {
    let busy = |code: i64| format!(r#"{{"errcode":{code},"errmsg":"busy","hint":"log-1"}}"#);
    for (status, code) in [("400 Bad", 45009), ("403 Forbidden", -1), ("401 No", 7), ("500 X", -1)]
    {
        let peer = Peer::new(status, &busy(code)).await;
        let sender = |codes: &[i64]| {
            let sender = Sender::builder(peer.url()).retry(quick().attempts(2));
            sender.access_token("t").retry_codes(codes.iter().copied()).build().unwrap()
        };
        let error = fails(&sender(&[code])).await;
        assert_eq!(peer.heard().len(), 2, "{status}");
        assert!(matches!(error, SendError::Refused { retryable: true, .. }), "{error:?}");
        // Without the code in the list, the status decides, and the error still has what the
        // gateway said.
        let error = fails(&sender(&[])).await;
        assert_eq!(peer.heard().len(), if status == "500 X" { 4 } else { 3 }, "{status}");
        let (refusal, said) = (error.refusal().unwrap(), chain(&error));
        assert_eq!((refusal.code, &*refusal.hint), (code, "log-1"));
        for words in [&status[..3], &code.to_string(), "busy", "log-1"] {
            assert!(said.contains(words), "{said}");
        }
    }
    // A body without a code changes nothing.
    for body in ["", "{", "[]", r#"{"errcode":0}"#, "<html>"] {
        let peer = Peer::new("403 Forbidden", body).await;
        let sender = Sender::builder(peer.url()).access_token("t").retry_codes([-1]);
        let error = fails(&sender.build().unwrap()).await;
        assert!(matches!(error, SendError::Unauthorized { status: 403, refusal: None, .. }));
    }
}

#[tokio::test]
async fn an_error_status_that_names_the_token_gets_another_token() {
    let gateway = Gateway::start().await;
    gateway.token(200, r#"{"errcode":0,"data":{"access_token":"t","expires_in":7200}}"#);
    gateway.list(400, r#"{"errcode":40014,"errmsg":"invalid access token"}"#).list(200, OK);
    let sender = Sender::builder(&gateway.base_url).retry(quick()).app_credentials("a", "s");
    sender.build().unwrap().request_account_list(&request()).await.unwrap();
    assert_eq!((gateway.asked(TOKEN_PATH).len(), gateway.asked(LIST_PATH).len()), (2, 2));
}

#[tokio::test]
async fn a_wait_counts_with_a_refusal_that_is_tried_again() {
    let body = r#"{"errcode":-1,"errmsg":"busy","hint":"log-1"}"#;
    for status in ["200 OK", "403 Forbidden"] {
        let peer = Peer::new(&format!("{status}\r\nretry-after: 120"), body).await;
        let sender = Sender::builder(peer.url()).access_token("t").retry(quick());
        let error = fails(&sender.retry_codes([-1]).build().unwrap()).await;
        assert_eq!((peer.heard().len(), error.retry_after()), (1, Some(Duration::from_secs(120))));
        assert!(error.to_string().contains("asked for 120 s, longer than the 45 s"), "{error}");
    }
    let peer = Peer::new("200 OK\r\nretry-after: 1", body).await;
    let sender = Sender::builder(peer.url()).access_token("t").retry(quick().attempts(2));
    let begun = Instant::now();
    fails(&sender.retry_codes([-1]).build().unwrap()).await;
    assert!(begun.elapsed() >= Duration::from_secs(1) && peer.heard().len() == 2);
}

#[test]
fn settings_of_a_forwarder_that_cannot_be_used_are_named() {
    let builder = || Forwarder::builder("https://app.example/callback");
    assert!(matches!(builder().proxy("ftp://p").build(), Err(BuildError::Proxy(_))));
    let pem = builder().root_certificate("x").build();
    assert!(matches!(pem, Err(BuildError::RootCertificate(_))));
    let url = Forwarder::builder("ftp://u:canary@h").build().unwrap_err();
    assert!(matches!(&url, BuildError::ForwardUrl { .. }) && !url.to_string().contains("canary"));
    for url in ["htp://h/hook/canary", "https//h/canary", "canary"] {
        let error = Forwarder::builder(url).build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
