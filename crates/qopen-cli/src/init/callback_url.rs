//! The public URL of callbacks.

use std::fmt;

use reqwest::Url;

use crate::lang::{Phrase, phrase};
use crate::say::caution;
use crate::topics::warnings;
use crate::values::{plain_path, trim};

/// The URL that is registered in the platform's console.
#[derive(Debug)]
pub(super) struct CallbackUrl(Url);

impl CallbackUrl {
    /// Parses a URL that a person gave. Warns of one without TLS.
    ///
    /// # Errors
    /// It is not the URL of a callback. The reason does not quote it, because it may have a password.
    pub(super) fn parse(text: &str) -> Result<Self, Phrase> {
        let refused = |why: Phrase| {
            phrase!(
                "{why}; write it like https://app.example/callback",
                "{why}；请写成 https://app.example/callback 的形式",
                why = why,
            )
        };
        let url = Url::parse(trim(text)).map_err(|error| {
            refused(phrase!("not a URL: {why}", "不是 URL：{why}", why = error))
        })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refused(phrase!("not a URL of the web", "不是 http 或 https 地址")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(phrase!(
                "the platform sends no user and password",
                "平台不会发送用户名和密码",
            )));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused(phrase!(
                "a callback URL has neither ? nor #",
                "回调地址不能含有 ? 或 #",
            )));
        }
        // The path also becomes a `location` of nginx.
        plain_path(url.path())
            .map_err(|why| refused(phrase!("the path {why}", "路径 {why}", why = why)))?;
        if url.scheme() == "http" {
            caution!(
                warnings::URL_UNENCRYPTED,
                "{url} is not encrypted; put TLS in front of it",
                "{url} 未加密；请在前面加上 TLS",
                url = url,
            );
        }
        Ok(Self(url))
    }

    pub(super) fn path(&self) -> &str {
        self.0.path()
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_callback_url_has_a_host_and_a_path_and_no_more() {
        for (text, path) in [
            (" https://a.example/callback\n", "/callback"),
            ("https://a.example", "/"),
            ("HTTP://a.example:8443/a/b", "/a/b"),
            ("https://[::1]/cb", "/cb"),
        ] {
            assert_eq!(CallbackUrl::parse(text).unwrap().path(), path, "{text}");
        }
        for text in [
            "",
            "a.example/callback",
            "/callback",
            "ftp://a.example/",
            "file:///callback",
            "https://me:canary@a.example/callback",
            "https://canary@a.example/callback",
            "https://a.example/callback?key=canary",
            "https://a.example/#canary",
            "https://",
            "https://a.example/a%20b",
            "https://a.example/a;b",
            "https://a.example/$x",
        ] {
            let why = CallbackUrl::parse(text).unwrap_err();
            let why = why.english();
            assert!(!why.contains("canary") && why.contains("https://app.example"), "{why}");
        }
    }
}
