//! Nouns and advice for what came to the callback listener.

use qopen::callback::RejectReason;

use super::words::Noun;
use crate::lang::Text;

/// Describes a rejection: the noun, and the advice.
pub(super) fn rejection(reason: RejectReason) -> (Noun, Text) {
    match reason {
        RejectReason::Malformed => (
            Noun::new(
                "request without an envelope",
                "requests without an envelope",
                "条不是回调信封的请求",
            ),
            Text::new("does a proxy change the body?", "代理是否改动了请求内容？"),
        ),
        RejectReason::AppKey => (
            Noun::new(
                "callback for another app key",
                "callbacks for another app key",
                "条 app key 不符的回调",
            ),
            Text::new("is QOPEN_APP_KEY the console's?", "QOPEN_APP_KEY 是否与平台后台一致？"),
        ),
        RejectReason::Signature => (
            Noun::new(
                "callback with a wrong signature",
                "callbacks with a wrong signature",
                "条签名错误的回调",
            ),
            Text::new(
                "is QOPEN_CALLBACK_TOKEN the console's?",
                "QOPEN_CALLBACK_TOKEN 是否与平台后台一致？",
            ),
        ),
        RejectReason::Stale => (
            Noun::new(
                "callback with a stale timestamp",
                "callbacks with a stale timestamp",
                "条时间戳过旧的回调",
            ),
            Text::new(
                "is this machine's clock right? QOPEN_REFUSE_STALE sets the tolerance",
                "本机时钟是否准确？QOPEN_REFUSE_STALE 可设置容差",
            ),
        ),
        RejectReason::Undecryptable => (
            Noun::new(
                "callback that does not decrypt",
                "callbacks that do not decrypt",
                "条无法解密的回调",
            ),
            advice::AES_KEY,
        ),
        RejectReason::Body => (
            Noun::new(
                "callback that was too large, too slow or cut off",
                "callbacks that were too large, too slow or cut off",
                "条过大、过慢或中断的回调",
            ),
            Text::new("does a proxy limit bodies?", "代理是否限制了请求大小？"),
        ),
        RejectReason::Compressed => (
            Noun::new("compressed callback", "compressed callbacks", "条经过压缩的回调"),
            Text::new("turn compression of requests off in the proxy", "请在代理中关闭请求压缩"),
        ),
        RejectReason::NoRoom => (
            Noun::new(
                "callback refused for lack of memory",
                "callbacks refused for lack of memory",
                "条因内存不足被拒绝的回调",
            ),
            Text::new("the platform sends them again", "平台会重新发送"),
        ),
        RejectReason::Payload => (
            Noun::new(
                "callback that the handler cannot read",
                "callbacks that the handler cannot read",
                "条处理程序无法读取的回调",
            ),
            Text::new("`qopen explain` diagnoses one", "可用 `qopen explain` 诊断"),
        ),
        RejectReason::Unavailable => (
            Noun::new(
                "callback that could not be kept or forwarded",
                "callbacks that could not be kept or forwarded",
                "条无法保存或转发的回调",
            ),
            Text::new(
                "is there room on the disk, does the URL of --forward answer `success`, and does `qopen serve --forward` take the events that wait?",
                "磁盘是否有空间？--forward 的地址是否返回 `success`？等待的事件是否由 `qopen serve --forward` 取走？",
            ),
        ),
        other => (Noun::new(other.as_str(), other.as_str(), other.as_str()), Text::new("", "")),
    }
}

/// What to check.
pub(super) mod advice {
    use super::Text;

    pub(crate) const AES_KEY: Text = Text::new(
        "is QOPEN_ENCODING_AES_KEY the console's?",
        "QOPEN_ENCODING_AES_KEY 是否与平台后台一致？",
    );
    pub(crate) const UNREADABLE: Text =
        Text::new("`qopen quarantine list` shows them", "`qopen quarantine list` 会列出它们");
    pub(crate) const METHODS: Text =
        Text::new("the platform sends callbacks as POST", "平台以 POST 发送回调");
    pub(crate) const ECHO: Text = Text::new(
        "this console's callbacks are POSTs and expect `success`, so save the URL without that check",
        "本平台的回调是 POST 并期望 `success`，请不做该检查直接保存地址",
    );
    pub(crate) const PROXY: Text = Text::new(
        "turn the PROXY protocol off towards this listener",
        "请关闭对本监听器的 PROXY 协议",
    );
    pub(crate) const HTTP2: Text = Text::new(
        "let the proxy speak HTTP/1.1 to this listener",
        "请让代理以 HTTP/1.1 访问本监听器",
    );
    pub(crate) const TLS: Text = Text::new(
        "let the proxy speak http:// to this listener, or give it QOPEN_TLS_CERT",
        "请让代理以 http:// 访问本监听器，或设置 QOPEN_TLS_CERT",
    );
    pub(crate) const HANDSHAKES: Text = Text::new(
        "does the peer speak https://, and trust the certificate of QOPEN_TLS_CERT?",
        "对方是否使用 https://，并信任 QOPEN_TLS_CERT 的证书？",
    );
    pub(crate) const CROWDED: Text = Text::new(
        "behind a proxy all clients are one peer: let it reuse connections, or raise QOPEN_MAX_CONNECTIONS_PER_PEER",
        "代理之后的所有客户端算作同一来源：请让代理复用连接，或调大 QOPEN_MAX_CONNECTIONS_PER_PEER",
    );
}

/// What came besides pages and rejected callbacks.
pub(super) mod nouns {
    use super::Noun;

    pub(crate) const UNDECRYPTED: Noun = Noun::new(
        "verified callback that does not decrypt",
        "verified callbacks that do not decrypt",
        "条签名正确但无法解密的回调",
    );
    pub(crate) const OTHER_PATHS: Noun =
        Noun::new("request to another path", "requests to other paths", "个发往其他路径的请求");
    pub(crate) const UNKNOWN_PAGES: Noun = Noun::new(
        "verified page of another pull",
        "verified pages of other pulls",
        "个其他拉取的分页（签名正确）",
    );
    pub(crate) const UNREADABLE: Noun = Noun::new(
        "verified callback that cannot be read",
        "verified callbacks that cannot be read",
        "条签名正确但无法读取的回调",
    );
    pub(crate) const STRAY_REPORTS: Noun = Noun::new(
        "error report of another pull",
        "error reports of other pulls",
        "条其他拉取的错误报告",
    );
    pub(crate) const OTHER_EVENTS: Noun = Noun::new("other event", "other events", "个其他事件");
    pub(crate) const OTHER_METHODS: Noun = Noun::new(
        "request with another method than POST",
        "requests with another method than POST",
        "个使用 POST 以外方法的请求",
    );
    pub(crate) const ECHO_CHECKS: Noun = Noun::new(
        "check of the URL by a console (GET with echostr)",
        "checks of the URL by a console (GET with echostr)",
        "次后台对地址的检查（带 echostr 的 GET）",
    );
    pub(crate) const PROXY_PROTOCOL: Noun = Noun::new(
        "connection that begins with the PROXY protocol",
        "connections that begin with the PROXY protocol",
        "个以 PROXY 协议开始的连接",
    );
    pub(crate) const HTTP2: Noun = Noun::new(
        "connection that speaks HTTP/2",
        "connections that speak HTTP/2",
        "个使用 HTTP/2 的连接",
    );
    pub(crate) const TLS: Noun = Noun::new(
        "connection that speaks TLS to a listener without a certificate",
        "connections that speak TLS to a listener without a certificate",
        "个以 TLS 连接无证书监听器的连接",
    );
    pub(crate) const HANDSHAKES: Noun =
        Noun::new("TLS handshake that failed", "TLS handshakes that failed", "次失败的 TLS 握手");
    pub(crate) const CROWDED: Noun = Noun::new(
        "connection closed at once, because its peer had too many",
        "connections closed at once, because their peer had too many",
        "个因来源连接过多而立即关闭的连接",
    );
    pub(crate) const MILLISECONDS: Noun = Noun::new(
        "timestamp in milliseconds",
        "timestamps in milliseconds",
        "个以毫秒为单位的时间戳",
    );
}
