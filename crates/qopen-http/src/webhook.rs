//! Signed messages to another listener, as [Standard Webhooks](https://www.standardwebhooks.com) describes them.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::through;
use crate::forward::Forwarder;
use crate::headers;
use crate::proxy::ProxyUsed;

/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// Bytes of a secret, at least and at most.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// Secrets are base64, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret that signs messages: 24 to 64 bytes, written as `whsec_` and base64.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

/// The error of a text that is no [`WebhookSecret`]. It does not show the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseWebhookSecretError {
    /// The prefix is missing.
    #[error("it does not begin with whsec_")]
    Prefix,
    /// The rest is not base64.
    #[error("it is not base64 after whsec_")]
    Base64,
    /// The secret is too short or too long.
    #[error("it has {bytes} bytes; 24 to 64 are allowed")]
    Length {
        /// Its bytes.
        bytes: usize,
    },
}

impl FromStr for WebhookSecret {
    type Err = ParseWebhookSecretError;

    fn from_str(text: &str) -> Result<Self, ParseWebhookSecretError> {
        let text = text.strip_prefix(PREFIX).ok_or(ParseWebhookSecretError::Prefix)?;
        let key = BASE64.decode(text).map_err(|_| ParseWebhookSecretError::Base64)?;
        let key = Zeroizing::new(key);
        let bytes = key.len();
        if !(SHORTEST..=LONGEST).contains(&bytes) {
            return Err(ParseWebhookSecretError::Length { bytes });
        }
        let key = Hmac::new_from_slice(&key);
        key.map(Self).map_err(|_| ParseWebhookSecretError::Length { bytes })
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSecret {
    /// Returns the value of `webhook-signature` for a message.
    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// The error of a message that was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The id cannot be the value of a header.
    #[error("the id of the message cannot be sent")]
    Id,
    /// The listener was unreachable, or did not answer in time.
    #[error("the listener could not be reached or did not answer in time{}", through(.proxy))]
    Transport {
        /// The proxy of the message.
        proxy: Option<ProxyUsed>,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The listener redirected. Redirects are not followed.
    #[error(
        "the listener answered with HTTP status {status}{}, which redirects to {location}; redirects are not followed, so name the final URL",
        through(.proxy)
    )]
    Redirected {
        /// The status, 300 to 399.
        status: u16,
        /// The target: scheme, host, port and path.
        location: String,
        /// The proxy of the message. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
    },
    /// The listener did not accept the message.
    #[error("the listener answered with HTTP status {status}{}", through(.proxy))]
    NotAccepted {
        /// The status; 410 means that the listener wants no further messages.
        status: u16,
        /// The proxy of the message. The answer may be the proxy's own.
        proxy: Option<ProxyUsed>,
    },
}

/// Posts signed messages to a listener.
///
/// User and password in the URL become HTTP basic authentication. No error or log shows them, or the secret.
#[derive(Clone)]
pub struct Webhook {
    way: Forwarder,
    secret: WebhookSecret,
}

impl Webhook {
    /// Posts to the URL of this forwarder, with its client, and signs with the secret that the listener knows.
    pub fn through(forwarder: Forwarder, secret: WebhookSecret) -> Self {
        Self { way: forwarder, secret }
    }

    /// Posts a message, which is JSON. Every attempt of a message has the same id, and a time of its own. Returns
    /// `Ok` if the listener answered with a status from 200 to 299.
    ///
    /// # Errors
    /// [`WebhookError`]; the listener may have received the message.
    ///
    /// # Cancellation
    /// After the future was dropped, the listener may have received the message.
    pub async fn send(&self, id: &str, body: &[u8]) -> Result<(), WebhookError> {
        let Forwarder { client, url, proxy } = &self.way;
        let proxy = || proxy.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = self.secret.sign(id, now, body);
        let id = HeaderValue::try_from(id).map_err(|_| WebhookError::Id)?;
        let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", now);
        let request = request.header("webhook-signature", signature).body(body.to_vec());
        let response = request.send().await.map_err(|error| {
            let source = error.without_url().into();
            WebhookError::Transport { proxy: proxy(), source }
        })?;
        let status = response.status().as_u16();
        if let Some(location) = headers::redirect(url, status, response.headers()) {
            return Err(WebhookError::Redirected { status, location, proxy: proxy() });
        }
        match status {
            200..=299 => Ok(()),
            _ => Err(WebhookError::NotAccepted { status, proxy: proxy() }),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.way.url.host_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_signature_of_the_standards_example() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_with_and_without_padding_and_never_shown() {
        for bytes in [24, 25, 26, 64] {
            let text = BASE64.encode(vec![7; bytes]);
            for text in [text.as_str(), text.trim_end_matches('=')] {
                let secret: WebhookSecret = format!("whsec_{text}").parse().unwrap();
                assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
            }
        }
        let wrong = |text: &str| text.parse::<WebhookSecret>().unwrap_err();
        assert_eq!(wrong("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ParseWebhookSecretError::Prefix);
        assert_eq!(wrong("whsec_ä"), ParseWebhookSecretError::Base64);
        assert_eq!(wrong("whsec_"), ParseWebhookSecretError::Length { bytes: 0 });
        for bytes in [23, 65] {
            let text = format!("whsec_{}", BASE64.encode(vec![7; bytes]));
            assert_eq!(wrong(&text), ParseWebhookSecretError::Length { bytes });
        }
    }
}
