//! Quarantine: callbacks that verified and are unreadable.

use std::fmt;

use qopen_types::{Digest, PullId};

use crate::record::Payload;

/// The layer at which something that verified could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// The content is not base64 of whole blocks, or no key decrypts it. The item is the content.
    Content,
    /// The plaintext is not text.
    Text,
    /// The text is not JSON.
    Json,
    /// The JSON does not make a page.
    Shape,
    /// It is a page of a pull that was not requested here.
    Pull,
    /// It is no callback: it stands for pages that the journal has lost, because it was restored from a backup.
    Lost,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 6] =
        [Self::Content, Self::Text, Self::Json, Self::Shape, Self::Pull, Self::Lost];

    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Text => "text",
            Self::Json => "json",
            Self::Shape => "shape",
            Self::Pull => "pull",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that verified and could not be read, kept whole, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The pull it belongs to, where that could be read.
    pub pull: Option<PullId>,
    /// Where reading it ended.
    pub layer: Layer,
    /// The reason; never quotes the payload.
    pub reason: String,
    /// The thing itself.
    pub payload: Payload,
}

/// Between the layer and the reason, where they are stored as one text.
const BETWEEN: char = '\u{1f}';

impl Quarantined {
    /// Something of a pull, or of an unknown one.
    #[must_use]
    pub fn new(
        pull: Option<PullId>,
        layer: Layer,
        reason: impl Into<String>,
        payload: Payload,
    ) -> Self {
        Self { pull, layer, reason: reason.into(), payload }
    }

    /// The digest of its payload, which names the item.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.payload.as_bytes())
    }

    /// Layer and reason as one text, for a storage to keep.
    #[must_use]
    pub fn stored_reason(&self) -> String {
        format!("{}{BETWEEN}{}", self.layer, self.reason)
    }

    /// Restores an item from what a storage kept: the pull, the text of [`stored_reason`](Self::stored_reason)
    /// and the payload. A text without a layer is from the first version and means [`Layer::Shape`].
    #[must_use]
    pub fn restored(pull: Option<PullId>, stored: &str, payload: Payload) -> Self {
        let parts = stored.split_once(BETWEEN);
        let layer =
            parts.and_then(|(name, _)| Layer::ALL.into_iter().find(|it| it.as_str() == name));
        match (layer, parts) {
            (Some(layer), Some((_, reason))) => Self::new(pull, layer, reason, payload),
            _ => Self::new(pull, Layer::Shape, stored, payload),
        }
    }

    /// Whether both are the same thing of the same pull.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.pull == other.pull && self.payload == other.payload
    }
}
