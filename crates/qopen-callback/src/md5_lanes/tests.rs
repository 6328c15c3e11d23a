//! Digests in lanes against the md-5 crate's, on every level of this machine.

use md5::{Digest as _, Md5};
use proptest::prelude::*;

use super::*;

/// Every level of this machine.
fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let lower = [
        best.as_avx2().map(Simd::level),
        best.as_sse4_2().map(Simd::level),
        best.as_sse2().map(Simd::level),
    ];
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let lower: [Option<Level>; 0] = [];
    [best].into_iter().chain(lower.into_iter().flatten()).collect()
}

/// Bytes that differ by place and by message.
fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + (at >> 8) * 7 + seed * 101) as u8).collect()
}

/// A message of the bytes, cut at these places.
fn cut(bytes: &[u8], mut at: [usize; 4]) -> Message<'_> {
    at = at.map(|at| at % (bytes.len() + 1));
    at.sort_unstable();
    let [a, b, c, d] = at;
    [&bytes[..a], &bytes[a..b], &bytes[b..c], &bytes[c..d], &bytes[d..]]
}

/// Compares with the md-5 crate on every level.
fn check(messages: &[Message<'_>]) {
    let expected: Vec<[u8; 16]> =
        messages.iter().map(|message| Md5::digest(message.concat()).into()).collect();
    for message in messages.iter().zip(&expected) {
        assert_eq!(digest(message.0), *message.1);
    }
    for level in levels() {
        assert_eq!(digests_at(level, messages), expected, "{level:?}");
    }
}

#[test]
fn every_length_around_the_blocks() {
    let texts: Vec<_> = (0..=300).map(|length| bytes(length, length)).collect();
    let whole: Vec<_> = texts.iter().map(|text| cut(text, [usize::MAX; 4])).collect();
    // In 16 lanes, each of which takes many messages, and in 8.
    check(&whole);
    whole.chunks(7).for_each(check);
    for first in [1, 61, 63, 64, 65] {
        let cut = |text| cut(text, [first, first + 1, first + 66, first + 66]);
        check(&texts.iter().map(|text| cut(text)).collect::<Vec<_>>());
    }
}

#[test]
fn any_number_of_messages_in_their_order() {
    let texts: Vec<_> = (0..40).map(|n| bytes(n * 37 % 500, n)).collect();
    let messages: Vec<_> = texts.iter().map(|text| cut(text, [3, 70, 71, 200])).collect();
    for count in 0..=messages.len() {
        check(&messages[..count]);
    }
}

#[test]
fn long_messages_beside_short_ones() {
    for lengths in [
        &[100_000, 99_999, 3, 0, 64][..],
        &[200_000, 50_000, 10_000, 9_000],
        &[1_000; 17],
        &[70_000, 65_536, 65_535, 65_537, 1, 1, 1, 1, 1],
    ] {
        let texts: Vec<_> = lengths.iter().zip(0..).map(|(it, n)| bytes(*it, n)).collect();
        check(&texts.iter().map(|text| cut(text, [17, 40, 50, 60])).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_messages_have_their_digests(
        all in prop::collection::vec(
            (prop_oneof![4 => 0..300_usize, 1 => 0..9000_usize], any::<[usize; 4]>()),
            0..40,
        ),
    ) {
        let texts: Vec<_> = all.iter().zip(0..).map(|((it, _), n)| bytes(*it, n)).collect();
        let messages: Vec<_> =
            texts.iter().zip(&all).map(|(text, (_, at))| cut(text, *at)).collect();
        check(&messages);
    }
}
