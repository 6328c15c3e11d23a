//! Refusals by the platform in words.

use qopen::http::{SendError, TokenError};
use qopen::{Status, send_error};

use crate::exit::chained;
use crate::lang::{Phrase, Text, phrase};
use crate::say::one_line;
use crate::settings::BASE_URL;

/// Describes a refusal by the platform in one sentence, with the setting to check.
pub(crate) fn refusal(error: &SendError) -> Phrase {
    let of_token = matches!(error, SendError::Token(_));
    match (error.refusal(), error) {
        (Some(refusal), _) => {
            let what = match of_token {
                true => Text::new("the app key or secret", " app key 或 secret"),
                false => Text::new("the request", "请求"),
            };
            let hint = match refusal.hint.as_str() {
                "" => Phrase::default(),
                hint => phrase!(", hint {hint}", "，hint {hint}", hint = one_line(hint)),
            };
            let said = match refusal.message.as_str() {
                "" => Phrase::default(),
                message => phrase!(": {message}", "：{message}", message = one_line(message)),
            };
            let advice = match of_token {
                true => Text::new(
                    "; check QOPEN_APP_SECRET and QOPEN_APP_KEY",
                    "；请检查 QOPEN_APP_SECRET 与 QOPEN_APP_KEY",
                ),
                false
                    if refusal.names_token() || matches!(error, SendError::Unauthorized { .. }) =>
                {
                    Text::new("; check QOPEN_ACCESS_TOKEN", "；请检查 QOPEN_ACCESS_TOKEN")
                }
                false => Text::new("", ""),
            };
            phrase!(
                "the platform refused {what} ({code}{hint}){said}{advice}",
                "平台拒绝了{what}（{code}{hint}）{said}{advice}",
                what = what,
                code = refusal.code,
                hint = hint,
                said = said,
                advice = advice,
            )
        }
        (None, SendError::Unauthorized { status, .. }) => phrase!(
            "the platform refused the access token (HTTP {status}); check QOPEN_ACCESS_TOKEN",
            "平台拒绝了访问令牌（HTTP {status}）；请检查 QOPEN_ACCESS_TOKEN",
            status = status,
        ),
        (None, SendError::Token(TokenError::Request(_) | TokenError::Shared(_))) => phrase!(
            "{why}; check QOPEN_APP_SECRET, QOPEN_APP_KEY and QOPEN_BASE_URL",
            "{why}；请检查 QOPEN_APP_SECRET、QOPEN_APP_KEY 与 QOPEN_BASE_URL",
            why = chained("", error),
        ),
        (None, error) => chained("", error),
    }
}

/// Returns the setting to check if a request was not sent.
pub(super) fn hint(status: &Status) -> Option<Phrase> {
    let Status::NotSent(error) = status else { return None };
    let error = send_error(error)?;
    if let SendError::Transport { connected: false, .. } | SendError::Status { status: 404, .. } =
        error
    {
        return Some(phrase!("check {name}", "请检查 {name}", name = BASE_URL.env));
    }
    let target = error.redirected_to()?;
    let end = target.match_indices('/').nth(2).map_or(target.len(), |it| it.0);
    let host = target.starts_with("http").then(|| &target[..end])?;
    Some(phrase!(
        "set {name} to {host} if the gateway is there",
        "若网关在那里，请将 {name} 设为 {host}",
        name = BASE_URL.env,
        host = host,
    ))
}
