//! A record of a sort as bytes, and the order of records.

/// The place of a record in memory.
pub(super) struct Place {
    /// The first bytes of its key after those that all keys have, once the records are sorted.
    pub(super) begin: u64,
    pub(super) at: usize,
}

/// The bytes of a key after the first `common` ones, as a number in the order of keys.
pub(super) fn begin(key: &[u8], common: usize) -> u64 {
    let rest = key.get(common..).unwrap_or_default();
    match rest.first_chunk() {
        Some(begin) => u64::from_be_bytes(*begin),
        None => {
            let mut begin = [0; 8];
            begin[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(begin)
        }
    }
}

/// The number of bytes with which both keys begin, at most `limit`.
pub(super) fn common(one: &[u8], other: &[u8], limit: usize) -> usize {
    if one.len() >= limit && other.len() >= limit && one[..limit] == other[..limit] {
        return limit;
    }
    one.iter().zip(other).take(limit).take_while(|(one, other)| one == other).count()
}

/// The lengths of key and text before them.
pub(super) const HEAD: usize = 8;

/// A record as bytes: the lengths of key and text as 32-bit numbers, little-endian, then both.
#[derive(Clone, Copy)]
pub(super) struct Record<'a>(pub(super) &'a [u8]);

impl<'a> Record<'a> {
    /// The record at that place of many.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        let bytes = &bytes[at..];
        let (key, text) = lengths(bytes);
        Self(&bytes[..HEAD + key + text])
    }

    pub(super) fn key(self) -> &'a [u8] {
        &self.0[HEAD..HEAD + lengths(self.0).0]
    }

    pub(super) fn text(self) -> &'a [u8] {
        &self.0[HEAD + lengths(self.0).0..]
    }

    fn parts(self) -> (&'a [u8], &'a [u8]) {
        self.0[HEAD..].split_at(lengths(self.0).0)
    }

    pub(super) fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialEq for Record<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// The lengths of key and text.
pub(super) fn lengths(head: &[u8]) -> (usize, usize) {
    let number = |at: usize| match head[at..].first_chunk() {
        Some(bytes) => u32::from_le_bytes(*bytes) as usize,
        None => 0,
    };
    (number(0), number(4))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{begin, common};

    proptest! {
        #[test]
        fn the_numbers_of_keys_have_their_order(
            before in "[ab\u{0}]{0,3}",
            one in "[ab\u{0}é]{0,10}",
            other in "[ab\u{0}é]{0,10}",
        ) {
            let (one, other) = (format!("{before}{one}"), format!("{before}{other}"));
            let (one, other) = (one.as_bytes(), other.as_bytes());
            let all = common(one, other, one.len());
            prop_assert!(all >= before.len() && one[..all] == other[..all]);
            prop_assert!(one.get(all) != other.get(all) || one == other);
            for common in [before.len(), all] {
                let numbers = begin(one, common).cmp(&begin(other, common));
                prop_assert!(numbers.is_eq() || numbers == one.cmp(other));
            }
        }
    }
}
