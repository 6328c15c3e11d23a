//! The gateway's answers in the spellings that its endpoints use.

use qopen_types::{
    AccessTokenResponse, MarkId, Response as _, ResponseError, RobotAccountListRequest,
    RobotAccountListResponse, RobotId,
};

fn token(text: &str) -> Result<(String, i64), ResponseError> {
    let answer: AccessTokenResponse = serde_json::from_str(text).unwrap();
    answer.grant().map(|grant| (grant.access_token.expose().to_owned(), grant.expires_in))
}

#[test]
fn a_token_comes_in_two_shapes() {
    let nested =
        r#"{"errcode":0,"data":{"errcode":0,"data":{"access_token":"t","expires_in":7200}}}"#;
    let flat = r#"{"err_code":"0","data":{"access_token":"t","expires_in":"7200"}}"#;
    assert_eq!(token(nested).unwrap(), ("t".to_owned(), 7200));
    assert_eq!(token(flat).unwrap(), ("t".to_owned(), 7200));
    for none in
        [r#"{"errcode":0}"#, r#"{"data":{}}"#, r#"{"data":{"access_token":""}}"#, r#"{"data":[]}"#]
    {
        assert_eq!(token(none).unwrap_err(), ResponseError::NoToken, "{none}");
    }
}

#[test]
fn a_refusal_keeps_code_message_and_hint() {
    for text in [
        r#"{"errcode":40001,"errmsg":"invalid Token","hint":"log-7","data":null}"#,
        r#"{"err_code":"40001","err_msg":"invalid Token","hint":"log-7","data":""}"#,
    ] {
        let answer: RobotAccountListResponse = serde_json::from_str(text).unwrap();
        let refusal = answer.refusal().unwrap();
        assert_eq!((refusal.code, refusal.hint.as_str()), (40001, "log-7"));
        assert!(refusal.names_token());
        insta::allow_duplicates! { insta::assert_snapshot!(refusal, @r#"the gateway refused: code 40001, message "invalid Token", hint "log-7""#); }
        assert!(matches!(token(text), Err(ResponseError::Refused(_))));
    }
}

#[test]
fn acceptance_is_no_code_or_code_zero() {
    let answer: RobotAccountListResponse =
        serde_json::from_str(r#"{"errcode":0,"data":{"serial_no":88}}"#).unwrap();
    assert_eq!((answer.refusal(), answer.serial_no().as_deref()), (None, Some("88")));
    let bare: RobotAccountListResponse = serde_json::from_str("{}").unwrap();
    assert_eq!((bare.refusal(), bare.errcode, bare.serial_no()), (None, None, None));
    assert!(serde_json::from_str::<RobotAccountListResponse>("\"ok\"").is_err());
}

#[test]
fn the_request_is_written_as_documented() {
    let request =
        RobotAccountListRequest::new(RobotId::new("r").unwrap(), MarkId::new("m").unwrap());
    insta::assert_snapshot!(serde_json::to_string(&request).unwrap(), @r#"{"robot_id":"r","mark_id":"m","need_tag_info":false}"#);
}
