//! Tolerated spellings, which readers count by name.

use core::fmt;

macro_rules! readings {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A tolerated spelling (protocol sections 3 and 4).
        ///
        /// Numbers where the tables have strings, and strings where they have numbers, are not
        /// among them: the vendor's own page has both.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reading {
            $($(#[$doc])* $name,)*
        }

        impl Reading {
            /// Every reading.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// A short name, fit for a metric's label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

readings! {
    /// A byte order mark before the envelope.
    EnvelopeBom = "envelope_bom",
    /// A signature in upper case.
    SignatureCase = "signature_case",
    /// A timestamp in milliseconds.
    Milliseconds = "milliseconds",
    /// White space in the base64 text.
    Base64Space = "base64_space",
    /// The URL-safe alphabet of base64.
    Base64Url = "base64_url",
    /// Base64 without its padding, or with too much of it.
    Base64Padding = "base64_padding",
    /// Plaintext padded to 32 bytes, as WeCom pads.
    WecomPadding = "wecom_padding",
    /// Plaintext that is not padded.
    Unpadded = "unpadded",
    /// A byte order mark before the payload.
    PayloadBom = "payload_bom",
    /// Bytes that are not UTF-8, read as U+FFFD.
    CutText = "cut_text",
    /// A payload, or a part of it, that is a JSON text inside JSON.
    JsonInText = "json_in_text",
    /// Unescaped control characters in a string.
    ControlCharacter = "control_character",
    /// `NaN` or an infinity, read as null.
    NotANumber = "not_a_number",
    /// Half of a surrogate pair, read as U+FFFD.
    LoneSurrogate = "lone_surrogate",
    /// A page without an event type, known by its mark.
    NoEventType = "no_event_type",
    /// A page that does not say whether more follow.
    ImpliedEnd = "implied_end",
    /// A list as an object with numeric keys.
    ListAsObject = "list_as_object",
    /// An empty list as an empty object or an empty string.
    EmptyListForm = "empty_list_form",
    /// An empty object as an empty list or an empty string.
    EmptyObjectForm = "empty_object_form",
    /// A flag as a number, or as a text.
    FlagForm = "flag_form",
    /// An integer with a fraction of zero.
    IntegerForm = "integer_form",
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of readings.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Readings(u32);

impl Readings {
    /// The empty set: everything was in its plain form.
    pub const PLAIN: Self = Self(0);

    /// Adds a reading.
    pub const fn insert(&mut self, reading: Reading) {
        self.0 |= 1 << reading as u32;
    }

    /// The set with a reading.
    #[must_use]
    pub const fn with(mut self, reading: Reading) -> Self {
        self.insert(reading);
        self
    }

    /// The readings of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a reading is among them.
    #[must_use]
    pub const fn contains(self, reading: Reading) -> bool {
        self.0 & (1 << reading as u32) != 0
    }

    /// Whether everything was plain.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// The readings, in the order of [`Reading::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Reading> {
        Reading::ALL.iter().copied().filter(move |it| self.contains(*it))
    }
}

impl FromIterator<Reading> for Readings {
    fn from_iter<I: IntoIterator<Item = Reading>>(readings: I) -> Self {
        readings.into_iter().fold(Self::PLAIN, Self::with)
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Notes a reading, from within a deserializer: serde has no other way out of them.
pub(crate) fn note(reading: Reading) {
    noted::replace(noted::replace(Readings::PLAIN).with(reading));
}

/// Runs `work`, and returns the readings that it noted.
pub(crate) fn noting<T>(work: impl FnOnce() -> T) -> (T, Readings) {
    let before = noted::replace(Readings::PLAIN);
    let done = work();
    let readings = noted::replace(before);
    (done, readings)
}

/// What the deserializers of this thread have noted.
#[cfg(feature = "std")]
mod noted {
    use std::cell::Cell;

    use super::Readings;

    std::thread_local! {
        static NOTED: Cell<Readings> = const { Cell::new(Readings::PLAIN) };
    }

    pub(super) fn replace(with: Readings) -> Readings {
        NOTED.replace(with)
    }
}

/// What all deserializers have noted. Threads that read at the same time may be told each other's readings.
#[cfg(not(feature = "std"))]
mod noted {
    use core::sync::atomic::{AtomicU32, Ordering};

    use super::Readings;

    static NOTED: AtomicU32 = AtomicU32::new(Readings::PLAIN.0);

    pub(super) fn replace(with: Readings) -> Readings {
        Readings(NOTED.swap(with.0, Ordering::Relaxed))
    }
}
