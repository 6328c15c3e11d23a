//! An endpoint that the sender has no method for.

use qopen_http::{SendError, Sender};
use qopen_types::{AccessTokenResponse, Endpoint, GetAccessToken, RobotAccountListResponse};

use crate::gateway::{Gateway, TOKEN_PATH};

struct Paint;

impl Endpoint for Paint {
    const NAME: &'static str = "Paint";
    const PATH: &'static str = "/gateway/qopen/Paint";
    const NEEDS_TOKEN: bool = true;
    type Request = serde_json::Value;
    type Response = RobotAccountListResponse;
}

#[tokio::test]
async fn any_endpoint_is_called_with_a_token_that_is_replaced_once() {
    let gateway = Gateway::start().await;
    let grant = |token: &str| {
        format!(r#"{{"errcode":0,"data":{{"access_token":"{token}","expires_in":7200}}}}"#)
    };
    gateway.token(200, &grant("t1")).token(200, &grant("t2"));
    gateway
        .list(200, r#"{"errcode":42001,"errmsg":"token expired"}"#)
        .list(200, r#"{"errcode":0}"#);
    let sender =
        Sender::builder(&gateway.base_url).app_credentials("key", "secret").build().unwrap();
    let request = serde_json::json!({"colour": 3});
    assert_eq!(sender.call::<Paint>(&request).await.unwrap().errcode, Some(0));
    let asked = gateway.asked(Paint::PATH);
    let tokens: Vec<_> = asked.iter().map(|it| it.token.as_deref()).collect();
    assert_eq!(tokens, [Some("t1"), Some("t2")]);
    assert!(asked.iter().all(|it| it.body == request));
}

#[tokio::test]
async fn a_refusal_of_any_endpoint_is_an_error() {
    let gateway = Gateway::start().await;
    gateway.list(200, r#"{"errcode":60011,"errmsg":"no paint","hint":"log-1"}"#);
    let sender = Sender::builder(&gateway.base_url).access_token("t").build().unwrap();
    let error = sender.call::<Paint>(&serde_json::json!({})).await.unwrap_err();
    assert!(
        matches!(error, SendError::Refused { endpoint: "Paint", retryable: false, .. }),
        "{error}"
    );
    assert_eq!(error.refusal().unwrap().code, 60011);
}

#[tokio::test]
async fn an_endpoint_that_needs_no_token_gets_none() {
    let gateway = Gateway::start().await;
    gateway.token(200, r#"{"errcode":0}"#);
    let sender = Sender::builder(&gateway.base_url).access_token("t").build().unwrap();
    let request = qopen_types::AccessTokenRequest::new("key".to_owned(), "secret".into());
    let answer: AccessTokenResponse = sender.call::<GetAccessToken>(&request).await.unwrap();
    assert_eq!(answer.errcode, Some(0));
    assert_eq!(gateway.asked(TOKEN_PATH)[0].token, None);
}
