//! The states and outlines of many pulls.

use std::collections::BTreeMap;
use std::time::SystemTime;

use qopen_types::RobotId;

use super::{Index, Pull};
use crate::{PullId, PullOutline, PullState};

impl Index {
    /// The states of all pulls, or of a robot's, in the order of pulls.
    pub(in crate::disk) fn states(&self, of: Option<&RobotId>) -> Vec<PullState> {
        let is_wanted = |it: &&PullId| of.is_none_or(|robot| it.robot_id == *robot);
        let items = self.quarantine.values().filter_map(|it| it.pull.as_ref());
        let mut names: Vec<&PullId> = self.pulls.keys().chain(items).filter(is_wanted).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|pull| self.state(pull)).collect()
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
