//! The text of a payload.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::reading::{Reading, Readings, noting};
use crate::repair::repaired;
use crate::{CallbackPayload, CallbackSkim, SkimError, Tolerant, unread};

/// A payload's text: the bytes as UTF-8, and the tolerated spellings that it needed (protocol section
/// 4). `Debug` prints only the length.
#[derive(Clone)]
pub struct PayloadText<'a> {
    text: Cow<'a, str>,
    readings: Readings,
}

impl<'a> PayloadText<'a> {
    /// Reads the bytes: drops a byte order mark, and replaces invalid UTF-8 by U+FFFD. Borrows if
    /// the bytes need no change.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let (bytes, mut readings) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, Readings::PLAIN.with(Reading::PayloadBom)),
            None => (bytes, Readings::PLAIN),
        };
        // The quick one tells whether, the slow one what to make of it.
        let text = match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                readings.insert(Reading::CutText);
                String::from_utf8_lossy(bytes)
            }
        };
        Self { text, readings }
    }

    /// The same payload as strict JSON, if it has a known broken form; `None` if it is strict
    /// already, or unreadable.
    #[must_use]
    pub fn repaired(&self) -> Option<PayloadText<'static>> {
        let (text, readings) = repaired(&self.text)?;
        Some(PayloadText { text: Cow::Owned(text), readings: self.readings.union(readings) })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tolerated spellings that the text needed.
    #[must_use]
    pub fn readings(&self) -> Readings {
        self.readings
    }

    /// Reads the payload by its type, in the tolerant order: unchanged, then repaired. An unreadable field
    /// costs only itself. `None` if the payload is not an object. The event type is not checked.
    #[must_use]
    pub fn read<T: CallbackPayload + Tolerant>(&self) -> Option<T> {
        unread::read::<T>(&self.text).map(|(event, fields, _)| event.with_unread(fields))
    }

    /// Skims the payload, in the tolerant order: unchanged, then repaired. Calls `work` with the
    /// skimmed text, the result, and every tolerated spelling.
    pub fn skim<R>(
        &self,
        work: impl FnOnce(&str, Result<CallbackSkim<'_>, SkimError>, Readings) -> R,
    ) -> R {
        let (first, noted) = noting(|| CallbackSkim::read(&self.text));
        if first.is_err()
            && let Some(repaired) = self.repaired()
        {
            let (second, noted) = noting(|| CallbackSkim::read(repaired.as_str()));
            return work(repaired.as_str(), second, repaired.readings.union(noted));
        }
        work(&self.text, first, self.readings.union(noted))
    }
}

impl core::fmt::Debug for PayloadText<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PayloadText")
            .field("bytes", &self.text.len())
            .field("readings", &self.readings)
            .finish()
    }
}
