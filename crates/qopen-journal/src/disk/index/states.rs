//! The states and outlines of many pulls.

use std::collections::BTreeMap;
use std::ops::Bound;

use qopen_types::{Digest, MarkId, RobotId};

use super::items::Items;
use super::{Index, Pull};
use crate::{JournalSummary, PullId, PullOutline, PullState};

impl Index {
    /// The items of each wanted pull that has some.
    fn items(&self, is_wanted: impl Fn(&PullId) -> bool) -> BTreeMap<&PullId, Items> {
        let mut items: BTreeMap<&PullId, Items> = BTreeMap::new();
        for item in self.quarantine.values() {
            if let Some(pull) = item.pull.as_ref().filter(|id| is_wanted(id)) {
                items.entry(pull).or_default().add(item.noted);
            }
        }
        items
    }

    /// The states of the wanted pulls, in the order of pulls. Nothing is copied of others.
    pub(in crate::disk) fn states(&self, is_wanted: impl Fn(&PullId) -> bool) -> Vec<PullState> {
        self.states_among(self.pulls.keys(), is_wanted, usize::MAX)
    }

    /// The states of a robot's pulls, in the order of marks. No other pull is looked at.
    pub(in crate::disk) fn states_of(&self, robot: &RobotId) -> Vec<PullState> {
        // No identifier is less than a space: it has no control characters.
        let Ok(mark_id) = MarkId::new(" ") else { return Vec::new() };
        let first = PullId { robot_id: robot.clone(), mark_id };
        let of_robot = self.pulls.range(first..).map(|(id, _)| id);
        let of_robot = of_robot.take_while(|id| id.robot_id == *robot);
        self.states_among(of_robot, |id| id.robot_id == *robot, usize::MAX)
    }

    /// The states of the first pulls after that one, at most `most`.
    pub(in crate::disk) fn states_after(
        &self,
        after: Option<&PullId>,
        most: usize,
    ) -> Vec<PullState> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.pulls.range::<PullId, _>((from, Bound::Unbounded)).map(|(id, _)| id);
        self.states_among(later.take(most), |id| after.is_none_or(|after| id > after), most)
    }

    /// The states of the wanted pulls among these and those that only have items in quarantine: the first ones, at
    /// most `most`.
    fn states_among<'a>(
        &'a self,
        pulls: impl Iterator<Item = &'a PullId>,
        is_wanted: impl Fn(&PullId) -> bool,
        most: usize,
    ) -> Vec<PullState> {
        let items = self.items(&is_wanted);
        let mut wanted: Vec<&PullId> = pulls.filter(|id| is_wanted(id)).collect();
        let known = wanted.len();
        wanted.extend(items.keys().filter(|id| !self.pulls.contains_key(id)));
        if wanted.len() > known {
            wanted.sort_unstable();
        }
        let state = |id| self.state_with(id, items.get(id).copied().unwrap_or_default());
        wanted.into_iter().take(most).filter_map(state).collect()
    }

    /// How much the journal holds.
    pub(in crate::disk) fn summary(&self) -> JournalSummary {
        let items = self.items(|_| true);
        let unknown = items.keys().filter(|id| !self.pulls.contains_key(id)).count();
        let open = self.pulls.values().filter(|pull| pull.ended().is_none());
        JournalSummary {
            pulls: (self.pulls.len() + unknown) as u64,
            oldest_open: open.filter_map(Pull::started).map(|(_, noted)| noted.at).min(),
            quarantined: items.values().map(|it| it.count).sum(),
            lost: self.pulls.values().map(|pull| pull.lost.len() as u64).sum(),
        }
    }

    /// Pulls, nameless items and events of which every record has a smaller number.
    pub(in crate::disk) fn below(&self, number: u64) -> (Vec<PullId>, Vec<Digest>, Vec<Digest>) {
        let mut newest: BTreeMap<&PullId, u64> =
            self.pulls.iter().map(|(id, pull)| (id, pull.newest)).collect();
        let mut nameless = Vec::new();
        for (seq, item) in &self.quarantine {
            match &item.pull {
                Some(pull) => {
                    let newest = newest.entry(pull).or_default();
                    *newest = (*newest).max(*seq);
                }
                None if *seq < number => nameless.push(item.digest),
                None => {}
            }
        }
        let old = newest.into_iter().filter(|(_, newest)| *newest < number);
        let events = self.events.before(number);
        (old.map(|(id, _)| id.clone()).collect(), nameless, events.map(|it| it.digest).collect())
    }

    /// Whether a pull has not ended.
    pub(in crate::disk) fn is_open(&self, id: &PullId) -> bool {
        self.pulls.get(id).is_none_or(|pull| pull.ended().is_none())
    }

    /// The outline of every pull, in the order of pulls.
    pub(in crate::disk) fn outlines(&self) -> Vec<PullOutline> {
        let mut items = self.items(|_| true);
        let of_pull = |(id, pull): (&PullId, &Pull)| {
            let Items { count, last } = items.remove(id).unwrap_or_default();
            let notes = pull.notes.values().map(|(noted, _)| noted);
            let mut outline = PullOutline::folded(id.clone(), pull.pages.len() as u64, notes);
            outline.order = pull.order();
            outline.quarantined = count;
            outline.saw_page(pull.last_page.max(last));
            outline
        };
        let mut outlines: Vec<PullOutline> = self.pulls.iter().map(of_pull).collect();
        // The others have items in quarantine, and nothing else.
        let others = items.into_iter().map(|(id, Items { count, last })| {
            let mut outline = PullOutline::folded(id.clone(), 0, []);
            outline.quarantined = count;
            outline.saw_page(last);
            outline
        });
        let known = outlines.len();
        outlines.extend(others);
        if outlines.len() > known {
            outlines.sort_by(|a, b| a.pull.cmp(&b.pull));
        }
        outlines
    }
}
