//! When a pull ends, and how: the rules of evidence as sets and comparisons, without an engine.
//!
//! Times are milliseconds from the pull's start.

use std::collections::BTreeSet;

pub(crate) const SETTLE: u64 = 1_000;
pub(crate) const IDLE: u64 = 60_000;
pub(crate) const DEADLINE: u64 = 250_000;

/// The page that says that it is the last one, and the one that does not say whether more follow.
pub(crate) const LAST: usize = 0;
pub(crate) const UNSAID: usize = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete { quiet: u64, refusals: u64, interrupted: bool, implied: bool },
    CompleteBefore,
    Incomplete,
    NoCallback,
    Reported,
    Cancelled,
}

/// One pull: first what the journal keeps of it, then what the process that follows it knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub kept: BTreeSet<usize>,
    unreadable: BTreeSet<usize>,
    reports: BTreeSet<i64>,
    began: u64,
    /// The revision that counts as published, and the number of its pages.
    published: (u32, usize),

    pub folded: BTreeSet<usize>,
    owed: BTreeSet<usize>,
    settle: u64,
    /// How long the pull may take in this process, and until when.
    allowed: u64,
    deadline: u64,
    last_new: u64,
    last_copy: u64,
    refused: Option<u64>,
    refusals: u64,
    /// When what was turned away in an outage has had time to come again.
    recovered: u64,
    interrupted: bool,
    pub end: Option<End>,
    pub revision: u32,
    /// The first and the last late page that are in no revision yet.
    pub late: Option<(u64, u64)>,
}

impl Model {
    pub(crate) fn new(deadline: u64) -> Self {
        Self { settle: SETTLE, allowed: deadline, deadline, ..Self::default() }
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.end, Some(End::Complete { .. } | End::CompleteBefore))
    }

    /// E8: a copy prolongs a pull by one idle timeout at most.
    fn activity(&self) -> u64 {
        self.last_new.max(self.last_copy.min(self.last_new + IDLE))
    }

    /// E1, E2: whether only quiet is missing.
    fn has_all(&self) -> bool {
        let ends = self.folded.contains(&LAST) || self.folded.contains(&UNSAID);
        ends && self.owed.is_empty() && self.unreadable.is_empty()
    }

    /// When silence ends the open pull. E3: a refusal that is younger than the idle timeout makes it as
    /// patient as that; E6: so does an end that no page states.
    fn silenced(&self) -> u64 {
        let stated = self.folded.contains(&LAST);
        let patience = if self.has_all() && stated { self.settle } else { IDLE };
        let most = if self.has_all() { IDLE } else { 2 * IDLE };
        let after_refusal = self.refused.map_or(0, |at| at + IDLE);
        let due = after_refusal.clamp(self.activity() + patience, self.activity() + most);
        if self.has_all() { due.max(self.recovered) } else { due }
    }

    /// When something happens by itself.
    pub(crate) fn due(&self) -> Option<u64> {
        match (self.end, self.late) {
            (None, _) => Some(self.silenced().min(self.deadline)),
            // I6: late pages settle too.
            (_, Some((first, last))) => {
                Some((last + (2 * self.settle).max(IDLE / 6)).min(first + IDLE))
            }
            _ => None,
        }
    }

    pub(crate) fn pass(&mut self, now: u64) {
        while let Some(due) = self.due().filter(|due| *due <= now) {
            if self.end.is_some() {
                (self.revision, self.late) = (self.revision + 1, None);
                continue;
            }
            let nothing =
                [&self.folded, &self.owed, &self.unreadable].iter().all(|it| it.is_empty());
            self.end = Some(match self.has_all() && due == self.silenced() {
                true => {
                    (self.revision, self.published) = (1, (1, self.folded.len()));
                    End::Complete {
                        quiet: due - self.activity(),
                        refusals: self.refusals,
                        interrupted: self.interrupted,
                        implied: !self.folded.contains(&LAST),
                    }
                }
                false if nothing => End::NoCallback,
                false => End::Incomplete,
            });
        }
    }

    /// A page that the journal has kept at that time.
    pub(crate) fn page(&mut self, now: u64, page: usize) {
        self.kept.insert(page);
        match self.end {
            // The platform's word and the caller's end a pull for this process.
            Some(End::Reported | End::Cancelled) => return,
            None if self.folded.contains(&page) => self.last_copy = now,
            _ if !self.folded.insert(page) => {}
            // E9: complete stays complete, and what failed waits again.
            _ if self.is_complete() => {
                self.late = Some((self.late.map_or(now, |(first, _)| first), now));
            }
            Some(_) => {
                // E3: so does what was refused meanwhile.
                self.end = None;
                (self.began, self.deadline, self.last_new) = (now, now + self.allowed, now);
            }
            None => self.last_new = now,
        }
        self.owed.remove(&page);
    }

    /// E1, E2: something that cannot be read and names the pull, or names none.
    pub(crate) fn unreadable(&mut self, now: u64, item: usize, named: bool) {
        if (named || self.end.is_none()) && self.unreadable.insert(item) {
            self.owed.remove(&item);
            self.last_new = if self.end.is_none() { now } else { self.last_new };
        }
    }

    /// A payload that was seen and is not kept yet.
    pub(crate) fn owed(&mut self, now: u64, item: usize, named: bool) {
        let known = self.folded.contains(&item) || self.unreadable.contains(&item);
        if (named || self.end.is_none()) && !known && self.owed.insert(item) {
            self.last_new = if self.end.is_none() { now } else { self.last_new };
        }
    }

    pub(crate) fn refusal(&mut self, now: u64) {
        (self.refused, self.refusals) = (Some(now), self.refusals + 1);
    }

    /// E9: the journal did not answer between these times: that is no quiet, and a refusal.
    pub(crate) fn outage(&mut self, from: u64, to: u64) {
        for at in [&mut self.last_new, &mut self.last_copy] {
            *at += to - from.max(*at);
        }
        self.deadline += to - from;
        self.refused = Some(to);
        self.recovered = self.recovered.max(to + (to - from).min(IDLE));
    }

    /// E7: the same report counts once.
    pub(crate) fn report(&mut self, code: i64) {
        if self.reports.insert(code) && self.end.is_none() {
            self.end = Some(End::Reported);
        }
    }

    pub(crate) fn cancel(&mut self) {
        self.end = self.end.or(Some(End::Cancelled));
    }

    /// The settled list was published.
    pub(crate) fn publish(&mut self) {
        self.published = (self.revision, self.kept.len());
    }

    /// Another process resumes the pull from the journal.
    pub(crate) fn resume(&mut self, now: u64) {
        self.folded.clone_from(&self.kept);
        (self.refused, self.refusals, self.last_new, self.last_copy) = (None, 0, now, now);
        self.owed.clear();
        if self.is_complete() {
            let (revision, pages) = self.published;
            (self.end, self.revision, self.settle) = (Some(End::CompleteBefore), revision, SETTLE);
            self.late = (self.kept.len() > pages).then_some((now, now));
            return;
        }
        if self.end.take().is_some() {
            self.began = now;
        }
        (self.settle, self.interrupted) = (IDLE, true);
        self.deadline = (self.began + DEADLINE).max(now + 2 * IDLE);
        self.allowed = self.deadline - now;
    }
}
