//! Callbacks of the last day, by minute: accepted, and turned away by reason.
//!
//! The counts are of this process, and end with it. `/metrics` serves those who keep counts for longer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use qopen::callback::RejectReason;

use super::Arrivals;

/// The width of a bucket.
const BUCKET: Duration = Duration::from_secs(60);

/// The buckets that are kept: a day.
const KEPT: u64 = 24 * 60;

/// A kind of request at the callback listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) enum Kind {
    /// Answered `success`.
    Accepted,
    /// Rejected at the callback's path.
    Rejected(RejectReason),
    /// To another path.
    OtherPath,
    /// By another method than POST.
    OtherMethod,
    /// A connection that was closed at once, because its peer had too many.
    Connection,
}

const REASONS: usize = RejectReason::ALL.len();

/// The number of kinds.
const KINDS: usize = REASONS + 4;

impl Kind {
    /// Every kind, in the order of [`Counts`].
    pub(in crate::serve) const ALL: [Self; KINDS] = {
        let mut all = [Self::Accepted; KINDS];
        let mut at = 0;
        while at < REASONS {
            all[at + 1] = Self::Rejected(RejectReason::ALL[at]);
            at += 1;
        }
        [all[REASONS + 1], all[REASONS + 2], all[REASONS + 3]] =
            [Self::OtherPath, Self::OtherMethod, Self::Connection];
        all
    };
}

/// A count of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct Counts([u64; KINDS]);

impl Counts {
    /// The counts since the start of the process.
    fn since_start(arrivals: &Arrivals) -> Self {
        let (receiver, listener) = (arrivals.stats.receiver(), &arrivals.listener);
        Self(Kind::ALL.map(|kind| match kind {
            Kind::Accepted => receiver.accepted(),
            Kind::Rejected(reason) => receiver.rejected(reason),
            Kind::OtherPath => receiver.other_paths(),
            Kind::OtherMethod => receiver.other_methods(),
            Kind::Connection => listener.refused(),
        }))
    }

    /// Each kind with its count.
    pub(in crate::serve) fn each(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        Kind::ALL.into_iter().zip(self.0)
    }

    pub(in crate::serve) fn of(&self, kind: Kind) -> u64 {
        self.each().find(|(it, _)| *it == kind).map_or(0, |(_, count)| count)
    }

    pub(in crate::serve) fn accepted(&self) -> u64 {
        self.0[0]
    }

    /// The number of requests that were not accepted.
    pub(in crate::serve) fn turned_away(&self) -> u64 {
        self.0[1..].iter().sum()
    }

    fn is_nothing(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }
}

/// A stretch of time that a plot shows, and its bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Span {
    /// Minutes of a bar.
    pub(in crate::serve) minutes: u64,
    /// The number of bars.
    pub(in crate::serve) bars: u64,
}

impl Span {
    pub(in crate::serve) const HOUR: Self = Self { minutes: 1, bars: 60 };
    pub(in crate::serve) const SIX_HOURS: Self = Self { minutes: 5, bars: 72 };
    pub(in crate::serve) const DAY: Self = Self { minutes: 20, bars: 72 };
}

/// The counts of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Bar {
    /// Where it begins, by the clock of this machine, to the minute.
    pub(in crate::serve) at: SystemTime,
    pub(in crate::serve) counts: Counts,
}

/// The counts of the last day. Buckets are told apart by a clock that no person sets.
pub(in crate::serve) struct CallbackHistory {
    began: Instant,
    /// The time of day at the start. Bars begin at whole minutes, and longer ones at whole hours.
    offset: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The counts that the buckets have.
    known: Counts,
    /// Buckets with counts, and their numbers, oldest first.
    buckets: VecDeque<(u64, Counts)>,
}

impl CallbackHistory {
    pub(in crate::serve) fn new(now: Instant, clock: SystemTime) -> Self {
        let offset = clock.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let day = BUCKET.as_secs() * KEPT;
        let offset = Duration::new(offset.as_secs() % day, offset.subsec_nanos());
        Self { began: now, offset, kept: Mutex::default() }
    }

    /// Puts what arrived since the last call into the bucket of `now`.
    pub(in crate::serve) fn sample(&self, arrivals: &Arrivals, now: Instant) {
        self.count(|| Counts::since_start(arrivals), now);
    }

    fn count(&self, totals: impl FnOnce() -> Counts, now: Instant) {
        let number = self.number(now);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that no later reading is there already.
        let totals = totals();
        let mut news = totals;
        news.0.iter_mut().zip(kept.known.0).for_each(|(it, known)| *it = it.saturating_sub(known));
        kept.known = totals;
        if !news.is_nothing() {
            match kept.buckets.back_mut().filter(|(last, _)| *last >= number) {
                Some((_, counts)) => counts.add(&news),
                None => kept.buckets.push_back((number, news)),
            }
        }
        while kept.buckets.front().is_some_and(|(first, _)| first + KEPT <= number) {
            kept.buckets.pop_front();
        }
    }

    /// Returns the bars of a span that ends now, oldest first.
    pub(in crate::serve) fn bars(&self, span: Span, now: Instant, clock: SystemTime) -> Vec<Bar> {
        let number = self.number(now);
        let (last, minutes) = (number / span.minutes, span.minutes);
        let first = last.saturating_sub(span.bars - 1);
        let into = self.elapsed(now).saturating_sub(BUCKET * u32::try_from(number).unwrap_or(0));
        // Rounded, because the clock may have been set since the start.
        let this_minute = whole_minutes(clock - into + BUCKET / 2);
        let mut bars: Vec<Bar> = (first..=last)
            .map(|bar| {
                let ago = number.saturating_sub(bar * minutes);
                let at = this_minute - Duration::from_secs(BUCKET.as_secs() * ago);
                Bar { at, counts: Counts::default() }
            })
            .collect();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, counts) in &kept.buckets {
            let bar = (number / minutes).checked_sub(first).and_then(|it| usize::try_from(it).ok());
            if let Some(bar) = bar.and_then(|it| bars.get_mut(it)) {
                bar.counts.add(counts);
            }
        }
        bars
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began) + self.offset
    }

    /// Returns the number of the bucket at a time.
    fn number(&self, now: Instant) -> u64 {
        self.elapsed(now).as_secs() / BUCKET.as_secs()
    }
}

/// Sums of bars.
pub(in crate::serve) fn sum(bars: &[Bar]) -> Counts {
    let mut sum = Counts::default();
    bars.iter().for_each(|bar| sum.add(&bar.counts));
    sum
}

fn whole_minutes(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH
        + Duration::from_secs(since.as_secs() / BUCKET.as_secs() * BUCKET.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// 2026-11-26 23:59:30 UTC.
    const START: u64 = 1_795_737_570;

    fn history() -> (CallbackHistory, Instant, SystemTime) {
        let now = Instant::now();
        let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(START);
        (CallbackHistory::new(now, clock), now, clock)
    }

    /// Totals with these counts.
    fn totals(counts: &[(Kind, u64)]) -> Counts {
        let mut totals = Counts::default();
        for (kind, count) in counts {
            totals.0[Kind::ALL.iter().position(|it| it == kind).unwrap()] = *count;
        }
        totals
    }

    fn seconds(at: SystemTime) -> u64 {
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert!(Kind::ALL[at + 1..].iter().all(|it| it != kind), "{kind:?}");
        }
    }

    #[test]
    fn a_rejection_is_in_the_minute_in_which_it_was_seen() {
        let signature = Kind::Rejected(RejectReason::Signature);
        let (history, start, clock) = history();
        let after = |s| (start + Duration::from_secs(s), clock + Duration::from_secs(s));
        history.count(|| totals(&[(Kind::Accepted, 2), (signature, 1)]), after(29).0);
        history.count(|| totals(&[(Kind::Accepted, 2), (signature, 4)]), after(30).0);
        history.count(|| totals(&[(Kind::Accepted, 3), (signature, 4)]), after(89).0);
        let (now, clock) = after(95);
        let bars = history.bars(Span::HOUR, now, clock);
        assert_eq!(bars.len(), 60);
        assert_eq!(bars.iter().map(|it| seconds(it.at) % 60).max(), Some(0));
        let last = &bars[57..];
        assert_eq!(seconds(last[0].at), START - 30);
        assert_eq!(last[0].counts, totals(&[(Kind::Accepted, 2), (signature, 1)]));
        assert_eq!(last[1].counts, totals(&[(Kind::Accepted, 1), (signature, 3)]));
        assert_eq!((last[2].counts, seconds(last[2].at)), (Counts::default(), START + 90));
        // Longer bars begin at whole hours. This one began before midnight.
        let day = history.bars(Span::DAY, now, clock);
        let counted = day.iter().filter(|it| !it.counts.is_nothing());
        let counted: Vec<_> = counted.map(|it| (seconds(it.at), it.counts.turned_away())).collect();
        assert_eq!(counted, [(START + 30 - 1200, 1), (START + 30, 3)]);
        // A clock that was set moves the labels, and nothing between buckets.
        let set = history.bars(Span::HOUR, now, clock + Duration::from_secs(86_400));
        assert_eq!(seconds(set[57].at), START - 30 + 86_400);
        assert_eq!(set[57].counts, last[0].counts);
    }

    proptest! {
        /// A model: each count with its own time.
        #[test]
        fn buckets_are_bounded_and_lose_nothing_of_their_day(
            steps in prop::collection::vec((0..7_200_u64, 0..KINDS, 0..50_u64), 1..200)
        ) {
            let (history, start, clock) = history();
            let (mut at, mut total) = (0, Counts::default());
            let mut model: BTreeMap<u64, u64> = BTreeMap::new();
            for (pause, kind, more) in steps {
                at += pause;
                total.0[kind] += more;
                history.count(|| total, start + Duration::from_secs(at));
                *model.entry((START + at) / 60).or_default() += more;
                prop_assert!(history.kept.lock().unwrap().buckets.len() as u64 <= KEPT);
            }
            let (now, clock) = (start + Duration::from_secs(at), clock + Duration::from_secs(at));
            for span in [Span::HOUR, Span::SIX_HOURS, Span::DAY] {
                let bars = history.bars(span, now, clock);
                let first = seconds(bars[0].at) / 60;
                let expected: u64 = model.range(first..).map(|(_, count)| count).sum();
                let all = sum(&bars);
                prop_assert_eq!(all.accepted() + all.turned_away(), expected);
                for bar in &bars {
                    let from = seconds(bar.at) / 60;
                    let expected: u64 = model.range(from..from + span.minutes).map(|it| it.1).sum();
                    prop_assert_eq!(bar.counts.accepted() + bar.counts.turned_away(), expected);
                }
            }
        }
    }
}
