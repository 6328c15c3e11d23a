//! Tests of the queue, with tasks that are dropped at every point.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::super::memory::Memory;
use super::*;
use crate::CallbackKeys;

/// Longer than any computation of a test.
const LONG: Duration = Duration::from_secs(60);

struct Bench {
    ring: Arc<Keyring>,
    memory: Arc<Memory>,
}

impl Bench {
    fn new() -> Self {
        let keys = CallbackKeys::new("token", &"0123456789abcdef".into()).unwrap();
        let ring = Arc::new(Keyring::new("app", keys));
        Self { ring, memory: Arc::new(Memory::new(1 << 20, 1 << 20)) }
    }

    /// Values with a content of this many bytes.
    fn signed(&self, bytes: usize) -> Signed {
        let content = Bytes::from(vec![b'x'; bytes]);
        Signed {
            ring: Arc::clone(&self.ring),
            pair: 0,
            values: [Bytes::from("app"), Bytes::from("nonce"), Bytes::from("1"), content],
            _reading: Arc::new(self.memory.enter(None)),
        }
    }

    fn expected(&self, bytes: usize) -> [u8; 16] {
        crypto::sign(["token", "app", "nonce", "1", &"x".repeat(bytes)])
    }

    /// Whether no body has memory.
    fn is_empty(&self) -> bool {
        // The one that asks is alone.
        self.memory.enter(None).is_alone()
    }
}

fn waiting(batches: &Batches) -> usize {
    batches.state().waiting.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn all_that_are_not_cancelled_have_their_digests() {
    let bench = Bench::new();
    let batches = Arc::new(Batches::default());
    for round in 0..40 {
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (batches, signed) = (Arc::clone(&batches), bench.signed(n * 40));
                (n, tokio::spawn(async move { batches.digest(signed).await }))
            })
            .collect();
        for (n, task) in tasks {
            if (n + round) % 3 == 0 {
                task.abort();
                // It may have been done before.
                let _ = tokio::time::timeout(LONG, task).await.expect("it ends");
            } else {
                let digest = tokio::time::timeout(LONG, task).await.unwrap().unwrap();
                assert_eq!(digest, Some(bench.expected(n * 40)));
            }
        }
        assert_eq!(waiting(&batches), 0);
    }
    assert!(bench.is_empty());
}

#[tokio::test]
async fn one_that_is_dropped_leaves_the_queue_and_strands_none() {
    let bench = Bench::new();
    let batches = Batches::default();
    let mut context = Context::from_waker(Waker::noop());
    let mut second = pin!(batches.digest(bench.signed(200)));
    {
        let mut first = pin!(batches.digest(bench.signed(100)));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!(waiting(&batches), 2);
    }
    assert_eq!(waiting(&batches), 1);
    // It takes its own turn: nothing but its own wake-up is needed.
    assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Some(bench.expected(200))));
    assert!(bench.is_empty());
}

#[tokio::test]
async fn the_first_to_wake_computes_all() {
    let bench = Bench::new();
    let batches = Batches::default();
    let mut context = Context::from_waker(Waker::noop());
    let mut all: Vec<_> = (0..5).map(|n| Box::pin(batches.digest(bench.signed(n)))).collect();
    for one in &mut all {
        assert!(one.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(all[3].as_mut().poll(&mut context), Poll::Ready(Some(bench.expected(3))));
    assert_eq!(waiting(&batches), 0);
    // Their memory is theirs alone again.
    assert!(bench.is_empty());
    for (n, one) in all.iter_mut().enumerate().filter(|(n, _)| *n != 3) {
        assert_eq!(one.as_mut().poll(&mut context), Poll::Ready(Some(bench.expected(n))));
    }
}

#[tokio::test]
async fn a_lone_body_looks_for_others_now_and_then_and_after_a_batch_at_once() {
    let bench = Bench::new();
    let batches = Batches::default();
    // None is there.
    assert!(batches.may_share(true));
    assert_eq!(batches.digest(bench.signed(1)).await, Some(bench.expected(1)));
    let looks: Vec<bool> = (0..16).map(|_| batches.may_share(true)).collect();
    assert_eq!(looks.iter().filter(|it| **it).count(), 2);
    assert!(!looks[0], "the next one is verified at once");
    assert!(batches.may_share(false), "others are in memory");
    let two = (batches.digest(bench.signed(1)), batches.digest(bench.signed(2)));
    let digests = tokio::join!(two.0, two.1);
    assert_eq!(digests, (Some(bench.expected(1)), Some(bench.expected(2))));
    assert!((0..9).all(|_| batches.may_share(true)), "the last batch had two");
    assert_eq!(batches.digest(bench.signed(1)).await, Some(bench.expected(1)));
    assert!(!batches.may_share(true));
}

#[tokio::test]
async fn a_batch_that_is_lost_is_known_to_all_of_it() {
    let bench = Bench::new();
    let batches = Batches::default();
    let mut context = Context::from_waker(Waker::noop());
    let mut one = pin!(batches.digest(bench.signed(1)));
    assert!(one.as_mut().poll(&mut context).is_pending());
    // As if the computation had panicked.
    drop(batches.state().take_with(0));
    assert_eq!(one.as_mut().poll(&mut context), Poll::Ready(None));
}

/// Waits until as many threads wait.
fn until_waiting(batches: &Batches, count: usize) {
    let begun = std::time::Instant::now();
    while waiting(batches) < count {
        assert!(begun.elapsed() < LONG, "{} of {count} wait", waiting(batches));
        std::thread::yield_now();
    }
}

/// The slot of a queue that has one.
fn slot(batches: &Arc<Batches>, bench: &Bench) -> Slot {
    match batches.digest_blocking(bench.signed(0)) {
        Err(Some(slot)) => slot,
        _ => panic!("the slot is not free"),
    }
}

#[test]
fn a_lone_thread_waits_for_none_and_those_that_wait_share_batches() {
    let bench = Bench::new();
    let batches = Arc::new(Batches::with_slots(1));
    let held = slot(&batches, &bench);
    // Two lengths that are too different for a batch.
    let lengths: Vec<usize> = (0..40).map(|n| if n % 3 == 0 { 90_000 + n } else { n }).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = lengths
            .iter()
            .map(|bytes| {
                let (batches, signed) = (Arc::clone(&batches), bench.signed(*bytes));
                scope.spawn(move || batches.digest_blocking(signed).ok())
            })
            .collect();
        until_waiting(&batches, lengths.len());
        drop(held);
        for (bytes, thread) in lengths.iter().zip(threads) {
            assert_eq!(thread.join().unwrap(), Some(bench.expected(*bytes)));
        }
    });
    assert_eq!((waiting(&batches), batches.state().used), (0, 0));
    assert!(bench.is_empty());
    drop(slot(&batches, &bench));
    assert_eq!(batches.state().used, 0);
}

#[test]
fn the_slot_of_a_lost_leader_goes_to_the_next_one() {
    let bench = Bench::new();
    let batches = Arc::new(Batches::with_slots(1));
    let held = slot(&batches, &bench);
    // The first is gone before its turn. With it goes its batch, which knows.
    drop(batches.state().push(bench.signed(9)).1);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| batches.digest_blocking(bench.signed(9)).is_err());
        let next = scope.spawn(|| batches.digest_blocking(bench.signed(90_000)).ok());
        until_waiting(&batches, 3);
        drop(held);
        assert!(other.join().unwrap(), "it computes its digest alone");
        assert_eq!(next.join().unwrap(), Some(bench.expected(90_000)));
    });
    assert_eq!((waiting(&batches), batches.state().used), (0, 0));
    assert!(bench.is_empty());
}
