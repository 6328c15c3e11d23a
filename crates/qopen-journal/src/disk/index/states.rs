//! The states and outlines of many pulls.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Index, Pull};
use crate::{PullId, PullOutline, PullState};

impl Index {
    /// The states of the wanted pulls, in the order of pulls. Nothing is copied of others.
    pub(in crate::disk) fn states(&self, is_wanted: impl Fn(&PullId) -> bool) -> Vec<PullState> {
        let items = self.quarantine.values().filter_map(|it| it.pull.as_ref());
        let names = self.pulls.keys().chain(items).filter(|it| is_wanted(it));
        let mut names: Vec<&PullId> = names.collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|pull| self.state(pull)).collect()
    }

    /// Whether a pull has not ended.
    pub(in crate::disk) fn is_open(&self, id: &PullId) -> bool {
        self.pulls.get(id).is_none_or(|pull| pull.ended().is_none())
    }

    /// The outline of every pull, in the order of pulls.
    pub(in crate::disk) fn outlines(&self) -> Vec<PullOutline> {
        let mut items: BTreeMap<&PullId, (u64, Option<SystemTime>)> = BTreeMap::new();
        for item in self.quarantine.values() {
            if let Some(pull) = &item.pull {
                let (count, last) = items.entry(pull).or_default();
                *count += 1;
                *last = (*last).max(Some(item.noted));
            }
        }
        let of_pull = |(id, pull): (&PullId, &Pull)| {
            let (count, last) = items.remove(id).unwrap_or_default();
            let notes = pull.notes.values().map(|(noted, _)| noted);
            let mut outline = PullOutline::folded(id.clone(), pull.pages.len() as u64, notes);
            outline.order = pull.order();
            outline.quarantined = count;
            outline.saw_page(pull.last_page.max(last));
            outline
        };
        let mut outlines: Vec<PullOutline> = self.pulls.iter().map(of_pull).collect();
        // The others have items in quarantine, and nothing else.
        let others = items.into_iter().map(|(id, (count, last))| {
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
