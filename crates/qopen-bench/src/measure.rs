//! Measures several things in turns, so that a disturbance of the machine affects all of them.

use std::time::{Duration, Instant};

/// Time of one turn of one thing, about.
const TURN: Duration = Duration::from_millis(25);

/// Turns of each thing.
const ROUNDS: usize = 15;

/// The results of several turns, in nanoseconds a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut turns: Vec<f64>) -> Self {
        turns.sort_by(f64::total_cmp);
        let at = |n: usize| turns.get(n).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(turns.len() / 2), max: at(turns.len().saturating_sub(1)) }
    }

    /// Of each, if a call did this number of things.
    pub(crate) fn each(self, things: usize) -> Self {
        let of = |nanos: f64| nanos / things as f64;
        Self { min: of(self.min), median: of(self.median), max: of(self.max) }
    }
}

/// Something to measure.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'static str,
    work: Box<dyn FnMut() + 'a>,
}

impl<'a> Candidate<'a> {
    /// Passes the result through `black_box`, so that the compiler keeps the work.
    pub(crate) fn new<T>(name: &'static str, mut work: impl FnMut() -> T + 'a) -> Self {
        Self { name, work: Box::new(move || drop(std::hint::black_box(work()))) }
    }
}

/// Times of all candidates in nanoseconds a call, in the order given.
pub(crate) fn compare(candidates: &mut [Candidate<'_>]) -> Vec<Spread> {
    let mut calls = Vec::new();
    for candidate in &mut *candidates {
        let begun = Instant::now();
        let mut done = 0_u32;
        while begun.elapsed() < TURN {
            (candidate.work)();
            done += 1;
        }
        calls.push(done.max(1));
    }
    let mut turns = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for _ in 0..ROUNDS {
        for (n, candidate) in candidates.iter_mut().enumerate() {
            let begun = Instant::now();
            (0..calls[n]).for_each(|_| (candidate.work)());
            let nanos = begun.elapsed().as_secs_f64() * 1e9;
            turns[n].push(nanos / f64::from(calls[n]));
        }
    }
    turns.into_iter().map(Spread::of).collect()
}

/// The median, the 99th percentile and the maximum, in milliseconds.
pub(crate) fn millis(times: &mut [Duration]) -> [String; 3] {
    times.sort_unstable();
    let at = |n: usize| times.get(n).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3);
    let last = times.len().saturating_sub(1);
    [at(times.len() / 2), at(times.len() * 99 / 100), at(last)].map(|it| format!("{it:.1}"))
}
