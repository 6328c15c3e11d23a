//! Pages in odd forms: broken JSON of other senders, and envelopes that a proxy has altered.

use qopen_callback::{Keyring, Padding};
use serde_json::Value;

use crate::schedule::Odd;

/// A page's payload in an odd form. Forms of the envelope leave the payload unchanged.
pub(crate) fn payload(odd: Odd, payload: &str, mark: &str) -> Vec<u8> {
    let mut page: Value = serde_json::from_str(payload).unwrap_or_default();
    let last = page["data"]["has_more"] == Value::Bool(false);
    match odd {
        Odd::PayloadBom => return [b"\xef\xbb\xbf", payload.as_bytes()].concat(),
        Odd::CutText => return in_first_name(&mut page, "XX", |_| vec![0xe5]),
        Odd::LoneSurrogate => return in_first_name(&mut page, "XX", |_| b"\\ud83d".to_vec()),
        Odd::ControlCharacter => return in_first_name(&mut page, "XX", |_| b"\x01\n".to_vec()),
        Odd::NotANumber => return payload.replacen("\"err_code\":0", "\"err_code\":NaN", 1).into(),
        Odd::DataAsText => page["data"] = page["data"].to_string().into(),
        Odd::PayloadAsText => page = page.to_string().into(),
        Odd::ListAsObject => {
            let list = page["data"]["account_list"].as_array().cloned().unwrap_or_default();
            let list = list.into_iter().enumerate().map(|(n, it)| ((n * 3).to_string(), it));
            page["data"]["account_list"] = Value::Object(list.collect());
        }
        Odd::FlagTexts => {
            let more = if last { "False" } else { "TRUE" };
            page["data"]["has_more"] = more.into();
            each_account(&mut page, |it| {
                if let Some(flag) = it["deleted_by_staff"].as_bool() {
                    it["deleted_by_staff"] = if flag { "True" } else { "0.0" }.into();
                }
            });
        }
        Odd::NoHasMore if last => {
            page["data"].as_object_mut().map(|it| it.remove("has_more"));
        }
        Odd::NoEventType => page["event_type"] = Value::Null,
        Odd::DateTime => each_account(&mut page, |it| {
            it["profile"]["add_at"] = "2024-01-02 03:04:05".into();
        }),
        Odd::NotJson => return payload.replacen(':', "=", 1).into(),
        Odd::TooDeep => {
            let deep = format!("{{\"deep\":{}{},", "[".repeat(400), "]".repeat(400));
            return payload.replacen('{', &deep, 1).into();
        }
        Odd::RenamedFields => {
            return payload
                .replace("\"account_list\"", "\"accounts\"")
                .replace("\"has_more\"", "\"more\"")
                .into();
        }
        Odd::DoubleList => {
            let list = page["data"]["account_list"].as_array().cloned().unwrap_or_default();
            let (one, other) = list.split_at(list.len() / 2);
            page["data"]["account_list"] = "LISTS".into();
            let lists = format!(
                "{},\"account_list\":{}",
                Value::from(one.to_vec()),
                Value::from(other.to_vec())
            );
            return page.to_string().replacen("\"LISTS\"", &lists, 1).into();
        }
        Odd::UnreadableIds => each_account(&mut page, |it| {
            it["account_id"] = serde_json::json!({"id": it["account_id"]});
        }),
        Odd::MarkInCapitals => {
            return payload.replace(mark, &mark.to_uppercase()).into();
        }
        _ => return payload.into(),
    }
    page.to_string().into_bytes()
}

fn each_account(page: &mut Value, change: impl Fn(&mut Value)) {
    let list = page["data"]["account_list"].as_array_mut();
    list.into_iter().flatten().for_each(change);
}

/// The payload with bytes inserted in the first account's name.
fn in_first_name(page: &mut Value, place: &str, with: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let list = page["data"]["account_list"].as_array_mut();
    let Some(first) = list.and_then(|it| it.first_mut()) else {
        return page.to_string().into_bytes();
    };
    let name = format!("qopen-{place}");
    if !first["profile"].is_object() {
        first["profile"] = serde_json::json!({});
    }
    first["profile"]["name"] = name.as_str().into();
    let text = page.to_string();
    let Some(at) = text.find(&name) else { return text.into_bytes() };
    let bytes = text.as_bytes();
    [&bytes[..at], &with(place), &bytes[at + name.len()..]].concat()
}

/// The request body of a payload in an odd form.
pub(crate) fn body(
    ring: &Keyring,
    odd: Option<Odd>,
    payload: &[u8],
    nonce: &str,
    now: u64,
) -> Vec<u8> {
    let padding = match odd {
        Some(Odd::WecomPadding) => Padding::Wecom,
        Some(Odd::Unpadded) => Padding::None,
        _ => Padding::Pkcs7,
    };
    let mut plain = payload.to_vec();
    if padding == Padding::None {
        // White space before the end fills the payload up to whole blocks.
        let end = plain.pop();
        plain.resize((plain.len() + 1).next_multiple_of(16) - 1, b' ');
        plain.extend(end);
    }
    let content = ring.encrypt(&plain, padding);
    let content = match odd {
        Some(Odd::Base64Spaces) => {
            let lines = content.as_bytes().chunks(76).map(String::from_utf8_lossy);
            lines.collect::<Vec<_>>().join("\r\n")
        }
        Some(Odd::Base64Url) => {
            content.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
        }
        Some(Odd::NotBase64) => format!("{}*", &content[..content.len() - 1]),
        Some(Odd::Undecryptable) => content.chars().rev().filter(|c| *c != '=').collect(),
        _ => content,
    };
    let timestamp = match odd {
        Some(Odd::Milliseconds) => now * 1000,
        _ => now,
    };
    let mut envelope = ring.sign(content, nonce, timestamp.to_string());
    if odd == Some(Odd::UpperCase) {
        envelope.signature = envelope.signature.to_uppercase();
    }
    let mut body = serde_json::to_vec(&envelope).unwrap_or_default();
    if odd == Some(Odd::EnvelopeBom) {
        body.splice(0..0, *b"\xef\xbb\xbf");
    }
    body
}
