//! MD5 of several messages at once, one in each lane of a vector.
//!
//! MD5 is serial within a message, so a lone one uses a small part of a core. Sixteen messages of a
//! length take little more time than two alone.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u32x8, u32x16};

use crate::md5::{Message, digest};

/// Bytes that MD5 compresses at a time.
const BLOCK: usize = 64;

/// Messages that are worth hashing at once.
#[cfg_attr(not(feature = "receiver"), allow(dead_code, reason = "the receiver batches by it"))]
pub(crate) const MOST: usize = 16;

/// The state before the first block.
const BEGIN: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// A message is hashed alone if it is this many times as long as the next one: the other lanes
/// would be empty for most of it.
const OUTLIER: usize = 3;

/// The MD5 of each message, in their order.
pub(crate) fn digests(messages: &[Message<'_>]) -> Vec<[u8; 16]> {
    digests_at(Level::new(), messages)
}

fn digests_at(level: Level, messages: &[Message<'_>]) -> Vec<[u8; 16]> {
    let mut digests = vec![[0; 16]; messages.len()];
    let mut by_length: Vec<(usize, usize)> = messages.iter().map(length).zip(0..).collect();
    // The longest first: the others wait for it.
    by_length.sort_unstable_by(|one, other| other.cmp(one));
    let outliers = by_length.windows(2).take_while(|it| it[0].0 / OUTLIER > it[1].0).count();
    let (alone, together) = by_length.split_at(outliers);
    let (alone, together) =
        if together.len() < least(level) { (&by_length[..], &[][..]) } else { (alone, together) };
    for (_, at) in alone {
        digests[*at] = digest(&messages[*at]);
    }
    let order = || together.iter().map(|(_, at)| (*at, &messages[*at]));
    if together.len() > 8 {
        let rows = |states: &mut _, inputs: &Inputs<'_, 16>| {
            dispatch!(level, simd => rows::<_, u32x16<_>, 16>(simd, states, inputs));
        };
        run(order(), rows, &mut digests);
    } else if !together.is_empty() {
        let rows = |states: &mut _, inputs: &Inputs<'_, 8>| {
            dispatch!(level, simd => rows::<_, u32x8<_>, 8>(simd, states, inputs));
        };
        run(order(), rows, &mut digests);
    }
    digests
}

fn length(message: &Message<'_>) -> usize {
    message.iter().map(|piece| piece.len()).sum()
}

/// Messages from which on lanes are faster than one message after the other.
fn least(level: Level) -> usize {
    #[inline(always)]
    fn width<S: Simd>(_: S) -> usize {
        S::u32s::LEN
    }
    match dispatch!(level, simd => width(simd)) {
        _ if level.is_fallback() => usize::MAX,
        // Vectors of 128 bits: their instructions take longer than those of a lone message.
        ..=4 => 4,
        _ => 2,
    }
}

/// A message on its way through a lane.
struct Lane<'a> {
    /// What is left of the pieces.
    pieces: Message<'a>,
    /// The piece that is read.
    at: usize,
    bits: u64,
    /// A block that is not in one piece, or not in the message: the padding.
    edge: [u8; BLOCK],
    next: Next,
    /// Whether the padding has begun.
    padded: bool,
    /// Where the digest goes.
    place: usize,
}

/// The next blocks of a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The beginning of the piece that is read.
    Piece,
    /// The edge.
    Edge,
    /// The edge, and no more.
    Last,
}

impl<'a> Lane<'a> {
    fn new(place: usize, message: &Message<'a>) -> Self {
        let bits = (length(message) as u64).wrapping_mul(8);
        let edge = [0; BLOCK];
        let mut lane =
            Self { pieces: *message, at: 0, bits, edge, next: Next::Edge, padded: false, place };
        lane.prepare();
        lane
    }

    /// Blocks that are ready, at least one.
    fn blocks(&self) -> &[[u8; BLOCK]] {
        match self.next {
            Next::Piece => self.pieces[self.at].as_chunks().0,
            Next::Edge | Next::Last => std::slice::from_ref(&self.edge),
        }
    }

    /// Goes on by this many blocks of those that were ready. Returns false at the end.
    fn advance(&mut self, blocks: usize) -> bool {
        match self.next {
            Next::Last => return false,
            Next::Edge => {}
            Next::Piece => self.pieces[self.at] = &self.pieces[self.at][blocks * BLOCK..],
        }
        self.prepare();
        true
    }

    fn prepare(&mut self) {
        let mut filled = 0;
        while let Some(piece) = self.pieces.get_mut(self.at) {
            if filled == 0 && piece.len() >= BLOCK {
                self.next = Next::Piece;
                return;
            }
            let (taken, rest) = piece.split_at(piece.len().min(BLOCK - filled));
            self.edge[filled..][..taken.len()].copy_from_slice(taken);
            filled += taken.len();
            *piece = rest;
            if !rest.is_empty() {
                break;
            }
            self.at += 1;
        }
        self.next = Next::Edge;
        if filled == BLOCK {
            return;
        }
        let padding = &mut self.edge[filled..];
        padding.fill(0);
        if !self.padded {
            padding[0] = 0x80;
            self.padded = true;
            filled += 1;
        }
        if let Some(length) = self.edge[filled..].last_chunk_mut() {
            *length = self.bits.to_le_bytes();
            self.next = Next::Last;
        }
    }
}

/// States of the lanes: the four words, each of every lane.
type States<const N: usize> = [[u32; N]; 4];

/// As many blocks for each lane.
type Inputs<'a, const N: usize> = [&'a [[u8; BLOCK]]; N];

/// Hashes messages of any number in `N` lanes. A lane whose message ends takes the next one.
fn run<'a, const N: usize>(
    mut messages: impl Iterator<Item = (usize, &'a Message<'a>)>,
    rows: impl Fn(&mut States<N>, &Inputs<'_, N>),
    digests: &mut [[u8; 16]],
) {
    let mut states = [[0; N]; 4];
    let mut lanes: [Option<Lane<'_>>; N] = [const { None }; N];
    loop {
        for (n, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_none()) {
            let Some((place, message)) = messages.next() else { break };
            *lane = Some(Lane::new(place, message));
            for (words, begin) in states.iter_mut().zip(BEGIN) {
                words[n] = begin;
            }
        }
        let ready = lanes.iter().flatten().map(Lane::blocks);
        let Some(shortest) = ready.min_by_key(|blocks| blocks.len()) else { return };
        let count = shortest.len();
        // An empty lane hashes what another one does, for nothing.
        let inputs =
            lanes.each_ref().map(|lane| &lane.as_ref().map_or(shortest, Lane::blocks)[..count]);
        rows(&mut states, &inputs);
        for (n, lane) in lanes.iter_mut().enumerate() {
            if let Some(ended) = lane.take_if(|lane| !lane.advance(count)) {
                for (bytes, words) in digests[ended.place].chunks_exact_mut(4).zip(&states) {
                    bytes.copy_from_slice(&words[n].to_le_bytes());
                }
            }
        }
    }
}

/// Compresses as many blocks of every lane as the first one has. `V` has `N` lanes.
#[inline(always)]
fn rows<S: Simd, V: SimdInt<S, Element = u32>, const N: usize>(
    simd: S,
    states: &mut States<N>,
    inputs: &Inputs<'_, N>,
) {
    // Hidden, or the compiler adds the constants last, after what each step waits for.
    let added = std::hint::black_box(&ADDED);
    let mut state = states.map(|words| V::from_slice(simd, &words));
    for row in 0..inputs[0].len() {
        let blocks = inputs.map(|blocks| &blocks[row]);
        let after = compress::<S, V>(state, &words(simd, blocks), added);
        for (word, after) in state.iter_mut().zip(after) {
            *word += after;
        }
    }
    for (words, state) in states.iter_mut().zip(state) {
        state.store_slice(words);
    }
}

/// The sixteen words of the blocks, each of every lane.
#[inline(always)]
fn words<S: Simd, V: SimdInt<S, Element = u32>, const N: usize>(
    simd: S,
    blocks: [&[u8; BLOCK]; N],
) -> [V; 16] {
    let mut words = [V::splat(simd, 0); 16];
    for (part, words) in words.chunks_exact_mut(N).enumerate() {
        let bytes = 4 * N;
        let mut square = blocks.map(|block| {
            let bytes = &block[part * bytes..][..bytes];
            V::from_bytes(V::ByteVector::from_slice(simd, bytes))
        });
        // Each shuffle interleaves the halves of the square. As many as its side has bits
        // transpose it.
        for _ in 0..N.trailing_zeros() {
            let mut shuffled = square;
            for n in 0..N / 2 {
                let (low, high) = square[n].interleave(square[n + N / 2]);
                shuffled[2 * n] = low;
                shuffled[2 * n + 1] = high;
            }
            square = shuffled;
        }
        words.copy_from_slice(&square);
    }
    words
}

/// The constants of the steps: four rounds of sixteen.
const ADDED: [[[u32; 4]; 4]; 4] = [
    [
        [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee],
        [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501],
        [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be],
        [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821],
    ],
    [
        [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa],
        [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8],
        [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed],
        [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a],
    ],
    [
        [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c],
        [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70],
        [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05],
        [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665],
    ],
    [
        [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039],
        [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1],
        [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1],
        [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391],
    ],
];

/// The 64 steps. A round has sixteen, and reads the words in an order of its own.
#[inline(always)]
fn compress<S: Simd, V: SimdInt<S, Element = u32>>(
    state: [V; 4],
    words: &[V; 16],
    [one, two, three, four]: &[[[u32; 4]; 4]; 4],
) -> [V; 4] {
    let state =
        round::<S, V>(state, words, one, (1, 0), [7, 12, 17, 22], |b, c, d| d ^ (b & (c ^ d)));
    let state =
        round::<S, V>(state, words, two, (5, 1), [5, 9, 14, 20], |b, c, d| (b & d) | (c & !d));
    let state = round::<S, V>(state, words, three, (3, 5), [4, 11, 16, 23], |b, c, d| b ^ (c ^ d));
    round::<S, V>(state, words, four, (7, 0), [6, 10, 15, 21], |b, c, d| c ^ (b | !d))
}

#[inline(always)]
fn round<S: Simd, V: SimdInt<S, Element = u32>>(
    [mut a, mut b, mut c, mut d]: [V; 4],
    words: &[V; 16],
    added: &[[u32; 4]; 4],
    (stride, first): (usize, usize),
    turns: [u32; 4],
    mix: impl Fn(V, V, V) -> V,
) -> [V; 4] {
    for (row, added) in added.iter().enumerate() {
        let word = |n: usize| words[(first + stride * (4 * row + n)) % 16] + added[n];
        a = turned::<S, V>(a + word(0) + mix(b, c, d), turns[0]) + b;
        d = turned::<S, V>(d + word(1) + mix(a, b, c), turns[1]) + a;
        c = turned::<S, V>(c + word(2) + mix(d, a, b), turns[2]) + d;
        b = turned::<S, V>(b + word(3) + mix(c, d, a), turns[3]) + c;
    }
    [a, b, c, d]
}

#[inline(always)]
fn turned<S: Simd, V: SimdInt<S, Element = u32>>(value: V, by: u32) -> V {
    (value << by) | (value >> (32 - by))
}

#[cfg(test)]
mod tests;
