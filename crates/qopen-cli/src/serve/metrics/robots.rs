//! The last complete list of each robot, and the open and held ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use qopen::journal::{EndState, PullOutline, Store};
use qopen::types::RobotId;
use tokio::sync::Mutex;

/// Robots with a series of their own. Robots of schedules come first, then those with the latest records.
pub(super) const MOST: usize = 1000;

/// Time between two looks into a journal that other processes share: a look reads every pull.
const LOOK: Duration = Duration::from_secs(30);

/// What the pulls of the journal are, together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Overview {
    /// The start of the pull of each robot's last complete list; `None` if none is known.
    pub(super) robots: BTreeMap<RobotId, Option<SystemTime>>,
    /// Robots beyond [`MOST`].
    pub(super) omitted: usize,
    /// Pulls that have not ended.
    pub(super) open: usize,
    /// Lists that a guard holds.
    pub(super) held: usize,
}

/// The last complete lists, with those of pulls that the journal has deleted since.
#[derive(Debug)]
pub(in crate::serve) struct LastLists {
    is_shared: bool,
    seen: Mutex<Option<(Instant, Overview)>>,
}

impl LastLists {
    pub(in crate::serve) fn new(is_shared: bool) -> Self {
        Self { is_shared, seen: Mutex::default() }
    }

    /// Looks into the journal. Returns the last look while the journal cannot be read.
    pub(super) async fn look(
        &self,
        journal: &dyn Store,
        named: &BTreeSet<RobotId>,
        wants_publication: bool,
    ) -> Option<Overview> {
        let mut seen = self.seen.lock().await;
        let is_fresh = |(at, _): &(Instant, Overview)| self.is_shared && at.elapsed() < LOOK;
        if !seen.as_ref().is_some_and(is_fresh)
            && let Ok(outlines) = journal.outlines().await
        {
            let pulls: Vec<_> =
                outlines.iter().map(|it| SeenPull::of(it, wants_publication)).collect();
            let before = seen.take().map(|(_, overview)| overview.robots).unwrap_or_default();
            *seen = Some((Instant::now(), overview(&pulls, named, &before)));
        }
        seen.as_ref().map(|(_, overview)| overview.clone())
    }
}

/// A pull of the journal.
struct SeenPull<'a> {
    robot: &'a RobotId,
    order: u64,
    began: Option<SystemTime>,
    last_activity: Option<SystemTime>,
    is_open: bool,
    is_held: bool,
    /// Whether readers have its list.
    is_complete: bool,
}

impl<'a> SeenPull<'a> {
    fn of(outline: &'a PullOutline, wants_publication: bool) -> Self {
        let ended_complete = matches!(outline.end_state, Some(EndState::Complete));
        let is_there = outline.published.is_some() || !wants_publication;
        Self {
            robot: &outline.pull.robot_id,
            order: outline.order,
            began: outline.began,
            last_activity: outline.last_activity,
            is_open: outline.end_state.is_none(),
            is_held: outline.held,
            is_complete: ended_complete && is_there && !outline.held,
        }
    }
}

fn overview(
    pulls: &[SeenPull<'_>],
    named: &BTreeSet<RobotId>,
    before: &BTreeMap<RobotId, Option<SystemTime>>,
) -> Overview {
    let mut robots: BTreeMap<&RobotId, (Option<SystemTime>, Option<(u64, SystemTime)>)> =
        named.iter().map(|robot| (robot, (None, None))).collect();
    for pull in pulls {
        let (activity, last) = robots.entry(pull.robot).or_default();
        *activity = (*activity).max(pull.last_activity);
        if let Some(began) = pull.began.filter(|_| pull.is_complete) {
            *last = (*last).max(Some((pull.order, began)));
        }
    }
    let mut ranked: Vec<_> = robots.into_iter().collect();
    // Stable: robots of the same rank keep the order of their ids.
    ranked.sort_by_key(|(robot, (activity, _))| {
        std::cmp::Reverse((named.contains(*robot), *activity))
    });
    let omitted = ranked.len().saturating_sub(MOST);
    ranked.truncate(MOST);
    let robots = ranked.into_iter().map(|(robot, (_, last))| {
        let last = last.map(|(_, at)| at);
        (robot.clone(), last.or_else(|| before.get(robot).copied().flatten()))
    });
    Overview {
        robots: robots.collect(),
        omitted,
        open: pulls.iter().filter(|it| it.is_open).count(),
        held: pulls.iter().filter(|it| it.is_held).count(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn robot(name: &str) -> RobotId {
        name.parse().unwrap()
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn pull(robot: &RobotId, order: u64, seconds: u64, is_complete: bool) -> SeenPull<'_> {
        let (is_open, is_held) = (false, false);
        let (began, last_activity) = (at(seconds), at(seconds + 5));
        SeenPull { robot, order, began, last_activity, is_open, is_held, is_complete }
    }

    #[test]
    fn the_last_complete_list_is_the_one_of_the_latest_pull_and_outlives_its_records() {
        let (one, two, planned) = (robot("one"), robot("two"), robot("planned"));
        let named = BTreeSet::from([planned.clone()]);
        // The clock went back between the two lists of the first robot.
        let pulls = [
            pull(&one, 1, 500, true),
            pull(&one, 2, 400, true),
            pull(&one, 3, 600, false),
            pull(&two, 4, 700, false),
        ];
        let first = overview(&pulls, &named, &BTreeMap::new());
        let expected =
            [(one.clone(), at(400)), (planned.clone(), None), (two.clone(), None)].into();
        assert_eq!((&first.robots, first.omitted), (&expected, 0));
        // Its complete pulls were deleted, and one that failed is left.
        let second = overview(&[pull(&one, 3, 600, false)], &named, &first.robots);
        assert_eq!(second.robots, [(one, at(400)), (planned.clone(), None)].into());
        // A robot of which nothing is left is gone, unless a schedule names it.
        assert_eq!(overview(&[], &named, &second.robots).robots, [(planned, None)].into());
    }

    #[test]
    fn i11_robots_beyond_the_limit_are_counted_and_those_of_schedules_are_kept() {
        let strangers: Vec<_> = (0..MOST + 50).map(|it| robot(&format!("r{it:04}"))).collect();
        let planned = robot("planned");
        let mut pulls = vec![pull(&planned, 0, 1, true)];
        let numbers = 1_u64..;
        pulls.extend(strangers.iter().zip(numbers).map(|(it, n)| pull(it, n, 1000 + n, true)));
        let all = overview(&pulls, &BTreeSet::from([planned.clone()]), &BTreeMap::new());
        assert_eq!((all.robots.len(), all.omitted), (MOST, 51));
        assert_eq!(all.robots[&planned], at(1));
        // The latest ones are shown.
        assert!(all.robots.contains_key(strangers.last().unwrap()));
        assert!(!all.robots.contains_key(&strangers[0]));
    }
}
