//! Errors of opening a callback.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

/// Why an envelope was not opened (protocol section 3).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The body is empty.
    #[error("the body is empty")]
    Empty,
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// The body is JSON, but not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A field is missing.
    #[error("the envelope has no field `{field}`")]
    MissingField {
        /// The field's name.
        field: &'static str,
    },
    /// A field is neither a string nor a number.
    #[error("the envelope's `{field}` is neither a string nor a number")]
    FieldType {
        /// The field's name.
        field: &'static str,
    },
    /// The envelope is for another app.
    #[error("the envelope names another app key than the configured one")]
    AppKey,
    /// No callback token of the ring makes the signature.
    #[error("signature mismatch; is the callback token correct?")]
    Signature,
    /// The timestamp is further from the clock than the policy allows.
    #[error("the timestamp is {} s away from this clock, and stale callbacks are refused", away.as_secs())]
    Stale {
        /// Distance from the clock, in either direction.
        away: Duration,
    },
    /// The signed timestamp is not a number, and the policy refuses stale callbacks.
    #[error("the timestamp is not a number of seconds, and stale callbacks are refused")]
    TimestampUnreadable,
    /// The signed content is not base64.
    #[error("the encrypted content is not base64")]
    Base64(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// The signed content is not a positive whole number of AES blocks.
    #[error("the encrypted content has {bytes} bytes, which is not a positive multiple of 16")]
    Length {
        /// Bytes of the content.
        bytes: usize,
    },
    /// The signed content does not decrypt; most likely the EncodingAESKey is wrong.
    #[error("the decrypted content has no valid padding; is the EncodingAESKey correct?")]
    Padding,
}

/// Reasons of rejections, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The body is not an envelope.
    Malformed,
    /// The envelope is for another app key.
    AppKey,
    /// The signature is wrong.
    Signature,
    /// The timestamp is stale or unreadable, and the policy refuses that.
    Stale,
    /// The signature holds, but no key decrypts the content.
    Undecryptable,
    /// The body is larger than the limit, too slow, or broke off.
    Body,
    /// The body is compressed.
    Compressed,
    /// The memory limit left no room for the body.
    NoRoom,
    /// The callback was opened, but the handler cannot read its payload.
    Payload,
    /// The callback was opened, but could not be kept at the time.
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

    /// Whether a genuine callback may have suffered it. A genuine callback has the right signature.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::AppKey | Self::Signature => false,
            // An envelope that a proxy has cut was genuine.
            Self::Malformed | Self::Undecryptable | Self::Payload => true,
            Self::Stale | Self::Body | Self::Compressed | Self::NoRoom | Self::Unavailable => true,
        }
    }

    /// A short name, for the label of a metric.
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
    /// The reason, for counting.
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
