//! Why a callback was not opened.

use std::fmt;
use std::time::Duration;

/// Why an envelope was not opened (protocol section 3).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is nothing in it.
    #[error("the body is empty")]
    Empty,
    /// It is not JSON.
    #[error("the body is not JSON")]
    NotJson(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is JSON and not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A field is not there.
    #[error("the envelope has no field `{field}`")]
    MissingField {
        /// Which.
        field: &'static str,
    },
    /// A field holds neither text nor number.
    #[error("the envelope's `{field}` is neither a string nor a number")]
    FieldType {
        /// Which.
        field: &'static str,
    },
    /// It is for another app.
    #[error("the envelope names another app key than the configured one")]
    AppKey,
    /// It is not signed with any of the callback tokens.
    #[error("the signature is not the one that the callback token makes")]
    Signature,
    /// It is older, or further ahead, than the policy allows.
    #[error("the timestamp is {} s away from this clock, and stale callbacks are refused", away.as_secs())]
    Stale {
        /// How far.
        away: Duration,
    },
    /// It is signed, and its timestamp is no number, while stale callbacks are refused.
    #[error("the timestamp is not a number of seconds, and stale callbacks are refused")]
    TimestampUnreadable,
    /// It is signed, and its content is not base64.
    #[error("the encrypted content is not base64")]
    Base64(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is signed, and its content is not a whole, positive number of AES blocks.
    #[error("the encrypted content has {bytes} bytes, which is not a positive multiple of 16")]
    Length {
        /// How many bytes the content has.
        bytes: usize,
    },
    /// It is signed, and does not decrypt: most likely the EncodingAESKey is another.
    #[error("the decrypted content has no valid padding; is the EncodingAESKey the right one?")]
    Padding,
}

/// Rejections by kind, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The body is not an envelope.
    Malformed,
    /// Another app's key.
    AppKey,
    /// A wrong signature.
    Signature,
    /// A stale or unreadable timestamp, where those are refused.
    Stale,
    /// Signed, and not to be decrypted.
    Undecryptable,
    /// The body is larger than the limit, did not come in time, or broke off.
    Body,
    /// The body is compressed.
    Compressed,
    /// There was no room for the body.
    NoRoom,
    /// Opened, and the handler cannot read its payload.
    Payload,
    /// Opened, and could not be kept at the time.
    Unavailable,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::AppKey,
        Self::Signature,
        Self::Stale,
        Self::Undecryptable,
        Self::Body,
        Self::Compressed,
        Self::NoRoom,
        Self::Payload,
        Self::Unavailable,
    ];

    /// Whether a genuine callback may have suffered it. A wrong signature is a stranger's.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::AppKey | Self::Signature => false,
            // What a proxy has cut was a genuine envelope.
            Self::Malformed | Self::Undecryptable | Self::Payload => true,
            Self::Stale | Self::Body | Self::Compressed | Self::NoRoom | Self::Unavailable => true,
        }
    }

    /// A short name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::AppKey => "app_key",
            Self::Signature => "signature",
            Self::Stale => "stale",
            Self::Undecryptable => "undecryptable",
            Self::Body => "body",
            Self::Compressed => "compressed",
            Self::NoRoom => "no_room",
            Self::Payload => "payload",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OpenError {
    /// The kind of rejection, for counting.
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        match self {
            Self::Empty
            | Self::NotJson(_)
            | Self::NotAnObject
            | Self::MissingField { .. }
            | Self::FieldType { .. } => RejectReason::Malformed,
            Self::AppKey => RejectReason::AppKey,
            Self::Signature => RejectReason::Signature,
            Self::Stale { .. } | Self::TimestampUnreadable => RejectReason::Stale,
            Self::Base64(_) | Self::Length { .. } | Self::Padding => RejectReason::Undecryptable,
        }
    }
}
