//! Steps of a diagnosis, and advice.

use qopen::callback::OpenError;
use qopen::types::EventType;

use crate::lang::Text;

/// The names of the steps.
pub(super) mod steps {
    use super::Text;

    pub(crate) const BODY: Text = Text::new("body", "请求体");
    pub(crate) const ENVELOPE: Text = Text::new("envelope", "信封");
    pub(crate) const APP_KEY: Text = Text::new("app key", "应用 key");
    pub(crate) const SIGNATURE: Text = Text::new("signature", "签名");
    pub(crate) const BASE64: Text = Text::new("base64", "base64");
    pub(crate) const LENGTH: Text = Text::new("length", "长度");
    pub(crate) const PADDING: Text = Text::new("padding", "填充");
    pub(crate) const TIMESTAMP: Text = Text::new("timestamp", "时间戳");
    pub(crate) const READING: Text = Text::new("reading", "读法");
    pub(crate) const UTF_8: Text = Text::new("UTF-8", "UTF-8");
    pub(crate) const JSON: Text = Text::new("JSON", "JSON");
    pub(crate) const SHAPE: Text = Text::new("shape", "形式");
    pub(crate) const EVENT: Text = Text::new("event", "事件");
    pub(crate) const REPORT: Text = Text::new("report", "报告");
    pub(crate) const PULL: Text = Text::new("pull", "拉取");
    pub(crate) const PAYLOAD: Text = Text::new("payload", "内容");
    pub(crate) const PAGE: Text = Text::new("page", "分页");
    pub(crate) const CUSTOMERS: Text = Text::new("customers", "客户");
    pub(crate) const JOURNAL: Text = Text::new("journal", "持久化存储");
}

pub(super) const WELL_FORMED: Text = Text::new("well formed", "格式正确");

pub(super) const OTHER_KEY: Text = Text::new(
    "if the EncodingAESKey were another one, the content would look like this too",
    "若 EncodingAESKey 不是同一个，内容也会是这样",
);

/// The signature of a rotation's next pair.
pub(super) const NEXT_TOKEN: Text =
    Text::new("made with the next callback token", "由下一个回调令牌计算");

/// The steps of opening in their order, each with the text of its success.
pub(super) const OPENING: [(Text, Text); 6] = [
    (
        steps::ENVELOPE,
        Text::new("a JSON object with all five fields", "含全部五个字段的 JSON 对象"),
    ),
    (steps::APP_KEY, Text::new("the configured one", "与配置一致")),
    (steps::SIGNATURE, Text::new("made with the callback token", "由回调令牌计算")),
    (steps::BASE64, WELL_FORMED),
    (steps::LENGTH, Text::new("a whole number of AES blocks", "整数个 AES 块")),
    (steps::PADDING, Text::new("valid", "有效")),
];

/// Returns the step at which an error stopped the opening.
pub(super) fn step_of(error: &OpenError) -> Text {
    match error {
        OpenError::AppKey => steps::APP_KEY,
        OpenError::Signature => steps::SIGNATURE,
        OpenError::Base64(_) => steps::BASE64,
        OpenError::Length { .. } => steps::LENGTH,
        OpenError::Padding => steps::PADDING,
        _ => steps::ENVELOPE,
    }
}

/// Returns the meaning of an event that is known (protocol section 6).
pub(super) fn meaning(event: &EventType) -> Option<Text> {
    let EventType::Code(code) = event else { return None };
    Some(match code {
        20001 => Text::new("a new customer", "新客户"),
        20002 => Text::new("a new group", "新群聊"),
        20003 => Text::new("an id of a customer became known", "得知客户的某个 ID"),
        40012..=40014 => Text::new("a change of a group", "群聊变更"),
        40023 => Text::new("a private message", "私聊消息"),
        41002 => Text::new("a scan-code robot was logged out", "扫码机器人已登出"),
        _ => return None,
    })
}

/// Guesses the kind of unreadable content.
pub(super) fn form(bytes: &[u8]) -> Option<Text> {
    const UTF_16: Text = Text::new("it looks like UTF-16", "看起来是 UTF-16");
    let text = bytes.trim_ascii();
    let zeros = bytes.iter().take(64).filter(|byte| **byte == 0).count();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    match text {
        [0x1f, 0x8b, ..] => Some(Text::new(
            "it looks compressed (gzip): have the proxy pass it on as it is",
            "看起来经过压缩（gzip）：请让代理原样转发",
        )),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF_16),
        _ if zeros > 8 => Some(UTF_16),
        [0xef, 0xbb, 0xbf, ..] => {
            Some(Text::new("it begins with a byte order mark", "以字节顺序标记开头"))
        }
        _ if text.len() >= 16 && text.iter().all(base64) => Some(Text::new(
            "it looks like base64: is it the content without its envelope, or encoded twice?",
            "看起来是 base64：是否只有内容而没有信封，或编码了两次？",
        )),
        _ if text.contains(&b'=') && text.contains(&b'&') && !text.starts_with(b"{") => {
            Some(Text::new(
                "it looks like a form: the platform sends JSON",
                "看起来是表单：平台发送的是 JSON",
            ))
        }
        [b'<', ..] => Some(Text::new(
            "it looks like XML: is it of another platform?",
            "看起来是 XML：是否来自其他平台？",
        )),
        _ => None,
    }
}

pub(super) fn advice(error: &OpenError) -> Option<Text> {
    match error {
        OpenError::AppKey => Some(Text::new(
            "is QOPEN_APP_KEY the key of the app whose console has this callback URL?",
            "QOPEN_APP_KEY 是否为后台使用该回调地址的应用的 key？",
        )),
        OpenError::Signature => Some(Text::new(
            "is QOPEN_CALLBACK_TOKEN the console's callback token, and is the body byte for byte as it came?",
            "QOPEN_CALLBACK_TOKEN 是否为后台的回调令牌？请求体是否与收到时逐字节相同？",
        )),
        OpenError::Base64(_) | OpenError::Padding | OpenError::Length { .. } => Some(Text::new(
            "is QOPEN_ENCODING_AES_KEY the console's? `qopen quarantine retry` reads what was kept with the right key",
            "QOPEN_ENCODING_AES_KEY 是否与后台一致？`qopen quarantine retry` 可用正确的密钥读取已保存的内容",
        )),
        _ => None,
    }
}
