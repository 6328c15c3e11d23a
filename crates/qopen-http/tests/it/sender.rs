//! The sender's reaction to each kind of answer.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use qopen_http::{BuildError, RetryPolicy, SendError, Sender, SenderBuilder, TokenError};
use qopen_types::{Endpoint, RobotAccountListRequest, RobotAccountListResponse};

use crate::gateway::{Gateway, LIST_PATH, TOKEN_PATH};

const OK: &str = r#"{"errcode":0,"data":{"serial_no":"s1"}}"#;

fn request() -> RobotAccountListRequest {
    let mut request =
        RobotAccountListRequest::new("robot".parse().unwrap(), "mark".parse().unwrap());
    request.need_tag_info = true;
    request
}

fn builder(gateway: &Gateway) -> SenderBuilder {
    let quick = RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(2));
    Sender::builder(&gateway.base_url).retry(quick)
}

fn grant(token: &str) -> String {
    format!(r#"{{"errcode":0,"data":{{"data":{{"access_token":"{token}","expires_in":7200}}}}}}"#)
}

#[tokio::test]
async fn a_request_is_sent_as_documented() {
    let gateway = Gateway::start().await;
    gateway.list(200, OK);
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let accepted = sender.request_account_list(&request()).await.unwrap();
    assert_eq!((accepted.serial_no.as_deref(), accepted.explicit), (Some("s1"), true));
    let asked = gateway.asked(LIST_PATH);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].token.as_deref(), Some("t0"));
    assert_eq!(asked[0].content_type, "application/json; charset=UTF-8");
    let body = serde_json::json!({"robot_id": "robot", "mark_id": "mark", "need_tag_info": true});
    assert_eq!(asked[0].body, body);
}

/// A body that is no JSON: an object needs texts as keys.
type Unwritable = BTreeMap<(u8, u8), u8>;

struct Broken;

impl Endpoint for Broken {
    const NAME: &'static str = "broken";
    const PATH: &'static str = LIST_PATH;
    const NEEDS_TOKEN: bool = true;
    type Request = Unwritable;
    type Response = RobotAccountListResponse;
}

#[tokio::test]
async fn a_request_that_cannot_be_written_is_not_sent() {
    let gateway = Gateway::start().await;
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let error = sender.call::<Broken>(&Unwritable::from([((0, 0), 0)])).await.unwrap_err();
    assert!(matches!(error, SendError::Encode { endpoint: "broken", .. }), "{error}");
    assert!(!error.is_retryable() && !error.may_have_arrived() && !error.is_refusal());
    assert_eq!(error.source().unwrap().to_string(), "key must be a string");
    assert!(gateway.asked(LIST_PATH).is_empty());
}

#[tokio::test]
async fn an_object_without_code_counts_as_accepted_and_anything_else_is_an_error() {
    let gateway = Gateway::start().await;
    gateway.list(200, "{}").list(200, "\"ok\"").list(200, "<html>").list(200, "");
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    assert!(!sender.request_account_list(&request()).await.unwrap().explicit);
    for _ in 0..3 {
        let error = sender.request_account_list(&request()).await.unwrap_err();
        assert!(matches!(error, SendError::Response { .. }), "{error}");
        assert!(error.source().is_some() && !error.is_retryable() && !error.is_refusal());
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_says_everything() {
    let gateway = Gateway::start().await;
    gateway.list(200, r#"{"err_code":60011,"err_msg":"no such robot","hint":"log-1"}"#);
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (refusal.code, &*refusal.message, &*refusal.hint),
        (60011, "no such robot", "log-1")
    );
    assert!(error.is_refusal() && !error.is_retryable());
    assert_eq!(gateway.asked(LIST_PATH).len(), 1);
    // The cause appears once: neither text repeats the other.
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("60011") && !error.to_string().contains("60011"));
}

#[tokio::test]
async fn trouble_on_the_way_is_tried_again_under_the_same_mark() {
    let gateway = Gateway::start().await;
    gateway.list(503, "").list(429, "").list(500, "{}").list(200, OK);
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    sender.request_account_list(&request()).await.unwrap();
    let asked = gateway.asked(LIST_PATH);
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|it| it.body["mark_id"] == "mark"));
}

#[tokio::test]
async fn tries_end_with_the_policy() {
    let gateway = Gateway::start().await;
    gateway.list(503, "");
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Status { status: 503, .. }) && error.is_retryable());
    assert_eq!(gateway.asked(LIST_PATH).len(), 4);

    let impatient = RetryPolicy::default().delays(Duration::from_secs(60), Duration::from_secs(60));
    let sender =
        Sender::builder(&gateway.base_url).access_token("t0").retry(impatient).build().unwrap();
    assert!(sender.request_account_list(&request()).await.is_err());
    assert_eq!(gateway.asked(LIST_PATH).len(), 5, "the budget is less than the delay");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_or_does_not_answer_is_named_with_its_cause() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let once = RetryPolicy::default().attempts(1);
    let sender =
        Sender::builder(format!("http://{closed}")).access_token("t0").retry(once).build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Transport { .. }) && error.is_retryable());
    assert!(error.source().is_some());

    let gateway = Gateway::start().await;
    gateway.list(200, OK).delay(Duration::from_secs(30));
    let timeout = Duration::from_millis(100);
    let sender = builder(&gateway).access_token("t0").retry(once).timeout(timeout).build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Transport { .. }));
}

#[tokio::test]
async fn a_token_is_fetched_once_however_many_wait() {
    let gateway = Gateway::start().await;
    gateway.token(200, &grant("t1")).list(200, OK).delay(Duration::from_millis(20));
    let sender = builder(&gateway).app_credentials("key", "s3cret").build().unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.request_account_list(&request()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let asked = gateway.asked(TOKEN_PATH);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, serde_json::json!({"app_key": "key", "app_secret": "s3cret"}));
    assert!(gateway.asked(LIST_PATH).iter().all(|it| it.token.as_deref() == Some("t1")));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_replaced_once() {
    for rejection in [(401, ""), (403, ""), (200, r#"{"errcode":1,"errmsg":"token expired"}"#)] {
        let gateway = Gateway::start().await;
        gateway.token(200, &grant("old")).token(200, &grant("new"));
        gateway.list(rejection.0, rejection.1).list(200, OK);
        let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
        sender.request_account_list(&request()).await.unwrap();
        let tokens: Vec<_> =
            gateway.asked(LIST_PATH).into_iter().filter_map(|it| it.token).collect();
        assert_eq!(tokens, ["old", "new"]);
    }
    let gateway = Gateway::start().await;
    gateway.token(200, &grant("t")).list(401, "");
    let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Unauthorized { status: 401, .. }) && error.is_refusal());
    assert_eq!((gateway.asked(LIST_PATH).len(), gateway.asked(TOKEN_PATH).len()), (2, 2));
}

#[tokio::test]
async fn a_fixed_token_that_is_not_accepted_has_no_replacement() {
    let gateway = Gateway::start().await;
    gateway.list(401, "");
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Unauthorized { .. }) && error.is_refusal());
    assert_eq!(gateway.asked(LIST_PATH).len(), 1);
}

#[tokio::test]
async fn a_token_renews_itself_before_it_ends() {
    let gateway = Gateway::start().await;
    // One second of life, a tenth of which is kept back.
    let short = |token: &str| grant(token).replace("7200", "\"1\"");
    gateway.token(200, &short("t1")).token(200, &short("t2")).list(200, OK);
    let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
    sender.request_account_list(&request()).await.unwrap();
    let renewed = async {
        loop {
            sender.request_account_list(&request()).await.unwrap();
            if gateway.asked(LIST_PATH).last().unwrap().token.as_deref() == Some("t2") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_a_refusal() {
    let gateway = Gateway::start().await;
    gateway.token(200, r#"{"errcode":40013,"errmsg":"invalid app_secret","hint":"log-2"}"#);
    let sender = builder(&gateway).app_credentials("key", "canary").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Token(TokenError::Shared(it)) if matches!(**it, TokenError::Response(_)))
    );
    assert!(error.is_refusal());
    assert_eq!(error.refusal().unwrap().hint, "log-2");
    assert!(!format!("{error:?} {sender:?}").contains("canary"));
    assert!(gateway.asked(LIST_PATH).is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let gateway = Gateway::start().await;
    gateway.list(307, "");
    let sender = builder(&gateway).access_token("t0").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Status { status: 307, .. }));
}

#[tokio::test]
async fn the_rate_is_limited() {
    let gateway = Gateway::start().await;
    gateway.list(200, OK);
    let limit = NonZeroU32::new(20).unwrap();
    let sender = builder(&gateway).access_token("t0").rate_limit(limit).build().unwrap();
    let begun = Instant::now();
    for _ in 0..30 {
        sender.request_account_list(&request()).await.unwrap();
    }
    // Twenty at once, and ten more at twenty a second.
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_proxy_is_used() {
    let proxy = Gateway::start().await;
    proxy.list(200, OK);
    let sender =
        Sender::builder("http://gateway.invalid").access_token("t0").proxy(&proxy.base_url);
    sender.build().unwrap().request_account_list(&request()).await.unwrap();
    assert_eq!(proxy.asked(LIST_PATH).len(), 1);
}

#[test]
fn settings_that_cannot_be_used_are_named_before_anything_is_sent() {
    for url in
        ["", "gateway.example", "ftp://gateway.example", "http://", "https://x/?a=1", "https://u@x"]
    {
        let error = Sender::builder(url).access_token("t").build().unwrap_err();
        assert!(matches!(&error, BuildError::BaseUrl { .. }), "{error}");
    }
    for url in ["https://gateway.example/", "https://gateway.example//", "http://[::1]:9"] {
        assert!(Sender::builder(url).access_token("t").build().is_ok(), "{url}");
    }
    for url in ["https://gateway.example/prefix/", "https://gateway.example/gateway/qopen/"] {
        let error = Sender::builder(url).access_token("t").build().unwrap_err();
        assert!(matches!(&error, BuildError::BaseUrlPath { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(url) && said.contains("like \"https://gateway.example\""), "{said}");
    }
    let sender = || Sender::builder("https://gateway.example");
    assert!(matches!(sender().build(), Err(BuildError::NoToken)));
    let with_token = || sender().access_token("t");
    for url in ["::", "ftp://u:canary@p", "http://", "p:port", "http://p/canary", "socks://p", ""] {
        let error = with_token().proxy(url).build().unwrap_err();
        assert!(matches!(error, BuildError::Proxy(_)), "{url}: {error}");
        let said = format!("{error:?} {}", error.source().unwrap());
        assert!(said.contains("http://proxy.example:3128") && !said.contains("canary"), "{said}");
    }
    for url in
        ["p:1", "http://u:p@p:1", "SOCKS5://p", "socks5h://u:p@p", "socks4a://p", "https://p"]
    {
        assert!(with_token().proxy(url).build().is_ok(), "{url}");
    }
    assert!(matches!(
        with_token().root_certificate("x").build(),
        Err(BuildError::RootCertificate(_))
    ));
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_named() {
    let gateway = Gateway::start().await;
    let fixed = builder(&gateway).access_token("a\nb").build().unwrap_err();
    assert!(matches!(fixed, BuildError::UnsendableToken));
    gateway.token(200, &grant("a\\nb"));
    let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
    let error = sender.request_account_list(&request()).await.unwrap_err();
    assert!(matches!(error, SendError::Token(TokenError::Unsendable)));
    assert!(gateway.asked(LIST_PATH).is_empty());
}

#[tokio::test]
async fn a_failure_to_get_a_token_is_shared_by_all_who_waited_for_it() {
    let gateway = Gateway::start().await;
    gateway.token(200, r#"{"errcode":40013,"errmsg":"no"}"#).delay(Duration::from_millis(300));
    let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
    let ask = || async { sender.request_account_list(&request()).await.unwrap_err() };
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert!(a.is_refusal() && b.is_refusal() && c.is_refusal());
    assert_eq!(c.refusal().unwrap().code, 40013);
    assert_eq!(gateway.asked(TOKEN_PATH).len(), 1);
    // A later caller asks anew.
    ask().await;
    assert_eq!(gateway.asked(TOKEN_PATH).len(), 2);
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_very_long_wait_is_left_alone() {
    let gateway = Gateway::start().await;
    let huge = r#"{"errcode":0,"data":{"access_token":"t","expires_in":9223372036854775807}}"#;
    gateway.token(200, huge).list(200, OK);
    let sender = builder(&gateway).app_credentials("key", "secret").build().unwrap();
    sender.request_account_list(&request()).await.unwrap();
}

#[test]
fn i10_nothing_prints_a_token_or_a_secret() {
    let fixed = Sender::builder("https://gateway.example").access_token("canary").build().unwrap();
    let source = qopen_http::FixedToken::new("canary");
    let builder = Sender::builder("https://gateway.example").app_credentials("key", "canary");
    assert!(!format!("{fixed:?} {source:?} {builder:?}").contains("canary"));
    for url in ["https://user:canary@x", "https://:canary@x", "https://x/?token=canary", "canary@x"]
    {
        let builder = Sender::builder(url).access_token("t");
        assert!(!format!("{builder:?}").contains("canary"));
        let error = builder.build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_checked_by_a_request_and_a_fixed_one_is_not() {
    let gateway = Gateway::start().await;
    gateway.token(200, &grant("t1")).token(200, r#"{"errcode":7,"errmsg":"no such app"}"#);
    let sender = || builder(&gateway).app_credentials("app", "secret").build().unwrap();
    let good = sender();
    assert_eq!(good.last_date(), None);
    good.check_token().await.unwrap();
    assert!(good.last_date().is_some_and(|it| it.ends_with(" GMT")));
    assert!(sender().check_token().await.unwrap_err().is_refusal());
    let fixed = builder(&gateway).access_token("t0").build().unwrap();
    fixed.check_token().await.unwrap();
    assert_eq!(gateway.asked(TOKEN_PATH).len(), 2);
}
