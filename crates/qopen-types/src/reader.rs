//! Reads the common form of JSON strictly, in one pass over the bytes.
//!
//! Every method returns `None` for other input, such as broken JSON or escapes. The general reader
//! then reads it.

/// A place in a text.
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// Its offset.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text from a place before to here.
    pub(crate) fn since(&self, start: usize) -> Option<&'a str> {
        self.text.get(start..self.at)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    pub(crate) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// The members of an object whose names are all plain.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.members(|reader, name, plain| if plain { member(reader, name) } else { None })
    }

    /// The members of an object: the name as it is written, whether that is plain, and the reader at
    /// the value, which the caller moves past it.
    #[inline]
    pub(crate) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str, bool) -> Option<()>,
    ) -> Option<()> {
        self.pairs(Self::string, |reader, (name, plain)| member(reader, name, plain))
    }

    /// The pairs of an object: what `name` reads of each name, and the reader at the value, which the
    /// caller moves past it.
    #[inline]
    fn pairs<N>(
        &mut self,
        name: impl Fn(&mut Self) -> Option<N>,
        mut value: impl FnMut(&mut Self, N) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = name(self)?;
            self.space();
            self.take(b':')?;
            self.space();
            value(self, name)?;
            if !self.more(b'}')? {
                return Some(());
            }
        }
    }

    /// The elements of a list, with the reader at each, which the caller moves past it.
    #[inline]
    pub(crate) fn list(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            if !self.more(b']')? {
                return Some(());
            }
        }
    }

    /// Moves past the separator after a member or an element. Returns true for a comma, false for
    /// the end.
    #[inline]
    fn more(&mut self, end: u8) -> Option<bool> {
        self.space();
        let comma = self.take(b',').is_some();
        if comma {
            self.space();
        } else {
            self.take(end)?;
        }
        Some(comma)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.word(b"true").map(|()| true),
            b'f' => self.word(b"false").map(|()| false),
            _ => None,
        }
    }

    /// An integer of at most 18 digits, written without sign tricks, fraction or exponent.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let start = self.at;
        self.number()?;
        let text = self.text.get(start..self.at)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let usual = digits.len() <= 18 && digits.bytes().all(|it| it.is_ascii_digit());
        (usual && text != "-0").then(|| text.parse().ok()).flatten()
    }

    /// A string without escapes.
    pub(crate) fn plain_string(&mut self) -> Option<&'a str> {
        let (text, plain) = self.string()?;
        plain.then_some(text)
    }

    /// A string between its quotes, and whether it is free of escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<(&'a str, bool)> {
        let start = self.at + 1;
        let plain = self.skip_string()?;
        Some((self.text.get(start..self.at - 1)?, plain))
    }

    /// Moves past a string. Returns whether it is free of escapes.
    #[inline]
    fn skip_string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let mut plain = true;
        loop {
            self.at += ordinary(self.bytes.get(self.at..)?);
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    plain = false;
                    self.at += 1;
                    self.escape()?;
                }
                // A control character, which JSON does not allow there.
                _ => return None,
            }
        }
        self.at += 1;
        Some(plain)
    }

    fn escape(&mut self) -> Option<()> {
        let more = match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return None,
        };
        let digits = self.bytes.get(self.at + 1..self.at + 1 + more)?;
        digits.iter().all(u8::is_ascii_hexdigit).then(|| self.at += 1 + more)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|it| it.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Moves past any value, which must be JSON to its end.
    pub(crate) fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string().map(drop),
            b'{' if depth > 0 => self.pairs(Self::skip_string, |reader, _| reader.skip(depth - 1)),
            b'[' if depth > 0 => self.list(|reader| reader.skip(depth - 1)),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }
}

/// Counts the ordinary string characters at the beginning: neither quote nor backslash nor control
/// character.
#[inline]
fn ordinary(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks();
    for (n, chunk) in chunks.iter().enumerate() {
        if let Some(found) = first_other(chunk) {
            return n * CHUNK + found;
        }
    }
    let is_ordinary = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    let here = rest.iter().position(|byte| !is_ordinary(byte)).unwrap_or(rest.len());
    chunks.len() * CHUNK + here
}

/// Bytes that are looked at together.
const CHUNK: usize = 16;

/// The first byte that is not ordinary.
#[cfg(target_arch = "x86_64")]
#[inline]
fn first_other(chunk: &[u8; CHUNK]) -> Option<usize> {
    use safe_arch::{cmp_eq_mask_i8_m128i, m128i, max_u8_m128i, move_mask_i8_m128i};
    let bytes = m128i::from(*chunk);
    let is = |byte: u8| cmp_eq_mask_i8_m128i(bytes, m128i::from([byte; CHUNK]));
    let last = m128i::from([0x1f_u8; CHUNK]);
    let control = cmp_eq_mask_i8_m128i(max_u8_m128i(bytes, last), last);
    let others = move_mask_i8_m128i(is(b'"') | is(b'\\') | control);
    (others != 0).then(|| others.trailing_zeros() as usize)
}

/// The first byte that is not ordinary.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn first_other(chunk: &[u8; CHUNK]) -> Option<usize> {
    first_other_of_words(chunk)
}

/// As [`first_other`], on any processor. Of the bits that are set in a word, the lowest belongs to it.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn first_other_of_words(chunk: &[u8; CHUNK]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let (words, _) = chunk.as_chunks::<8>();
    words.iter().enumerate().find_map(|(n, word)| {
        let word = u64::from_le_bytes(*word);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let others = quote | backslash | control;
        (others != 0).then(|| n * 8 + (others.trailing_zeros() / 8) as usize)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn ordinary_bytes_end_at_the_first_other_one(
            bytes in prop::collection::vec(any::<u8>(), 0..70), usual in any::<bool>(),
        ) {
            let bytes: Vec<u8> = match usual {
                true => bytes.into_iter().map(|byte| byte | 0x80).collect(),
                false => bytes,
            };
            let other = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let expected = bytes.iter().position(other).unwrap_or(bytes.len());
            prop_assert_eq!(ordinary(&bytes), expected);
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..40 {
                let mut bytes = [b'a'; 40];
                bytes[place] = byte;
                let other = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(ordinary(&bytes), if other { place } else { 40 }, "{byte} at {place}");
                for chunk in bytes.as_chunks().0 {
                    assert_eq!(first_other_of_words(chunk), first_other(chunk), "{byte}");
                }
            }
        }
    }
}
