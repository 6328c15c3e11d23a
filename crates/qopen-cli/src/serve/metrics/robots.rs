//! The last complete list of each robot, and the open and held ones.

use std::cmp::Reverse;
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
            let pulls: Vec<_> = outlines.iter().map(SeenPull::of).collect();
            let before = seen.take().map(|(_, overview)| overview.robots).unwrap_or_default();
            *seen = Some((Instant::now(), overview(&pulls, named, wants_publication, &before)));
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
    /// Whether it ended with a complete list that no guard holds.
    is_complete: bool,
    is_published: bool,
}

impl<'a> SeenPull<'a> {
    fn of(outline: &'a PullOutline) -> Self {
        let ended_complete = matches!(outline.end_state, Some(EndState::Complete));
        Self {
            robot: &outline.pull.robot_id,
            order: outline.order,
            began: outline.began,
            last_activity: outline.last_activity,
            is_open: outline.end_state.is_none(),
            is_held: outline.held,
            is_complete: ended_complete && !outline.held,
            is_published: outline.published.is_some(),
        }
    }
}

/// The pulls of a robot.
#[derive(Default)]
struct SeenRobot {
    last_activity: Option<SystemTime>,
    /// The order and the start of the last complete pull, and of the last published one.
    complete: Option<(u64, SystemTime)>,
    published: Option<(u64, SystemTime)>,
}

fn overview(
    pulls: &[SeenPull<'_>],
    named: &BTreeSet<RobotId>,
    wants_publication: bool,
    before: &BTreeMap<RobotId, Option<SystemTime>>,
) -> Overview {
    let mut robots: BTreeMap<&RobotId, SeenRobot> =
        named.iter().map(|robot| (robot, SeenRobot::default())).collect();
    for pull in pulls {
        let robot = robots.entry(pull.robot).or_default();
        robot.last_activity = robot.last_activity.max(pull.last_activity);
        if let Some(began) = pull.began.filter(|_| pull.is_complete) {
            let complete = Some((pull.order, began));
            robot.complete = robot.complete.max(complete);
            robot.published = robot.published.max(complete.filter(|_| pull.is_published));
        }
    }
    let mut ranked: Vec<_> = robots.into_iter().collect();
    // Stable: robots of the same rank keep the order of their ids.
    ranked.sort_by_key(|(robot, seen)| Reverse((named.contains(*robot), seen.last_activity)));
    let omitted = ranked.len().saturating_sub(MOST);
    ranked.truncate(MOST);
    let robots = ranked.into_iter().map(|(robot, seen)| {
        // A process without a place, such as a receiver, cannot tell why a list was not published.
        let last = match wants_publication || seen.published.is_some() {
            true => seen.published,
            false => seen.complete,
        };
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
        let (is_open, is_held, is_published) = (false, false, false);
        let (began, last_activity) = (at(seconds), at(seconds + 5));
        SeenPull { robot, order, began, last_activity, is_open, is_held, is_complete, is_published }
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
        let first = overview(&pulls, &named, false, &BTreeMap::new());
        let expected =
            [(one.clone(), at(400)), (planned.clone(), None), (two.clone(), None)].into();
        assert_eq!((&first.robots, first.omitted), (&expected, 0));
        // Its complete pulls were deleted, and one that failed is left.
        let second = overview(&[pull(&one, 3, 600, false)], &named, false, &first.robots);
        assert_eq!(second.robots, [(one, at(400)), (planned.clone(), None)].into());
        // A robot of which nothing is left is gone, unless a schedule names it.
        assert_eq!(overview(&[], &named, false, &second.robots).robots, [(planned, None)].into());
    }

    #[test]
    fn a_list_that_could_not_be_published_does_not_count_where_lists_are_published() {
        let robot = robot("r");
        let last = |pulls: &[SeenPull<'_>], wants_publication| {
            let nothing = (BTreeSet::new(), BTreeMap::new());
            overview(pulls, &nothing.0, wants_publication, &nothing.1).robots[&robot]
        };
        let unpublished = pull(&robot, 2, 200, true);
        assert_eq!(last(&[unpublished], true), None);
        let pulls = [pull(&robot, 2, 200, true)];
        assert_eq!(last(&pulls, false), at(200));
        let published = SeenPull { is_published: true, ..pull(&robot, 1, 100, true) };
        assert_eq!(last(&[published, pull(&robot, 2, 200, true)], false), at(100));
    }

    #[test]
    fn i11_robots_beyond_the_limit_are_counted_and_those_of_schedules_are_kept() {
        let strangers: Vec<_> = (0..MOST + 50).map(|it| robot(&format!("r{it:04}"))).collect();
        let planned = robot("planned");
        let mut pulls = vec![pull(&planned, 0, 1, true)];
        let numbers = 1_u64..;
        pulls.extend(strangers.iter().zip(numbers).map(|(it, n)| pull(it, n, 1000 + n, true)));
        let all = overview(&pulls, &BTreeSet::from([planned.clone()]), false, &BTreeMap::new());
        assert_eq!((all.robots.len(), all.omitted), (MOST, 51));
        assert_eq!(all.robots[&planned], at(1));
        // The latest ones are shown.
        assert!(all.robots.contains_key(strangers.last().unwrap()));
        assert!(!all.robots.contains_key(&strangers[0]));
    }
}
