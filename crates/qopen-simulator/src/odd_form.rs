//! The odd forms of pages, as data.

use serde::{Deserialize, Serialize};

/// An odd form of a page (protocol sections 3 and 4). A reader reads it, or keeps it byte for
/// byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Odd {
    /// Plaintext padded to 32 bytes.
    WecomPadding,
    /// Plaintext that is not padded.
    Unpadded,
    /// White space in the base64 text.
    Base64Spaces,
    /// URL-safe base64 without padding.
    Base64Url,
    /// A signature in upper case.
    UpperCase,
    /// A timestamp in milliseconds.
    Milliseconds,
    /// A byte order mark before the envelope.
    EnvelopeBom,
    /// A byte order mark before the payload.
    PayloadBom,
    /// A name cut inside a character.
    CutText,
    /// A name cut inside an emoji.
    LoneSurrogate,
    /// An unescaped control character in a string.
    ControlCharacter,
    /// `NaN` where a number belongs.
    NotANumber,
    /// `data` as a JSON text.
    DataAsText,
    /// The payload as a JSON text.
    PayloadAsText,
    /// The list of accounts as an object with numeric keys.
    ListAsObject,
    /// Flags as texts, such as `"True"`.
    FlagTexts,
    /// No `has_more` on the page on which it would be false.
    NoHasMore,
    /// No event type.
    NoEventType,
    /// A date text where seconds belong.
    DateTime,
    /// Content that is not base64.
    NotBase64,
    /// Content that no key opens.
    Undecryptable,
    /// A payload that is not JSON.
    NotJson,
    /// Nesting deeper than any reader follows.
    TooDeep,
    /// Fields of the page under other names.
    RenamedFields,
    /// `account_list` twice, each with a part of the accounts.
    DoubleList,
    /// Accounts whose id is an object.
    UnreadableIds,
    /// The mark in capitals.
    MarkInCapitals,
}

impl Odd {
    /// Every odd form.
    pub const ALL: [Self; 27] = [
        Self::WecomPadding,
        Self::Unpadded,
        Self::Base64Spaces,
        Self::Base64Url,
        Self::UpperCase,
        Self::Milliseconds,
        Self::EnvelopeBom,
        Self::PayloadBom,
        Self::CutText,
        Self::LoneSurrogate,
        Self::ControlCharacter,
        Self::NotANumber,
        Self::DataAsText,
        Self::PayloadAsText,
        Self::ListAsObject,
        Self::FlagTexts,
        Self::NoHasMore,
        Self::NoEventType,
        Self::DateTime,
        Self::NotBase64,
        Self::Undecryptable,
        Self::NotJson,
        Self::TooDeep,
        Self::RenamedFields,
        Self::DoubleList,
        Self::UnreadableIds,
        Self::MarkInCapitals,
    ];

    /// Whether it keeps every customer's JSON text unchanged.
    #[must_use]
    pub const fn keeps_spelling(self) -> bool {
        matches!(
            self,
            Self::WecomPadding
                | Self::Unpadded
                | Self::Base64Spaces
                | Self::Base64Url
                | Self::UpperCase
                | Self::Milliseconds
                | Self::EnvelopeBom
                | Self::PayloadBom
                | Self::NotANumber
                | Self::TooDeep
        )
    }

    /// Whether it keeps every customer's data, and the statement of the page's end.
    #[must_use]
    pub const fn keeps_contents(self) -> bool {
        self.is_readable()
            && !matches!(
                self,
                Self::CutText
                    | Self::LoneSurrogate
                    | Self::ControlCharacter
                    | Self::DateTime
                    | Self::NoHasMore
            )
    }

    /// Whether a reader reads it: then the pull is complete and correct.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        !matches!(
            self,
            Self::NotBase64
                | Self::Undecryptable
                | Self::NotJson
                | Self::RenamedFields
                | Self::DoubleList
                | Self::UnreadableIds
                | Self::MarkInCapitals
        )
    }
}
