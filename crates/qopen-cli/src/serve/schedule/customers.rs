//! Pulls that new customers make due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::types::RobotId;

use super::job::Job;
use super::robots::Robots;
use super::start::Start;
use crate::app_robots::AppRobots;

/// Time between two questions for the robots of the app, after an answer and after a failure.
const LIST_EVERY: Duration = Duration::from_secs(600);
const LIST_AGAIN: Duration = Duration::from_secs(60);

/// Maximum number of robots that wait for a list of the app's robots.
const WAITING: usize = 10_000;

/// Robots with new customers, each with the time of its pull by the clock of the process.
#[derive(Default)]
pub(super) struct NewCustomers {
    pending: Vec<Pending>,
    /// The robots of the app, as the platform listed them last. Schedules of all robots pull no other robot.
    known: Option<AppRobots>,
    /// Robots that this list does not have, each with the time of its first event. The next list decides.
    waiting: BTreeMap<RobotId, Instant>,
    /// The time of the next question. `None` before the first one.
    ask_at: Option<Instant>,
}

struct Pending {
    robot: RobotId,
    job: Arc<Job>,
    due: Instant,
}

impl NewCustomers {
    /// Notes new customers of these robots. A further one does not move a pull that is pending. Returns the
    /// number of robots for which nothing is noted, because too many wait for a list.
    pub(super) fn note<'a>(
        &mut self,
        robots: &BTreeSet<RobotId>,
        jobs: impl Iterator<Item = &'a Arc<Job>>,
        now: Instant,
    ) -> u64 {
        let mut left_out = BTreeSet::new();
        let robots: Vec<_> = robots.iter().map(|it| (it, now)).collect();
        for job in jobs.filter(|it| it.new_customer.is_some()) {
            self.add(job, &robots);
            if let Robots::Listed(_) = job.robots {
                continue;
            }
            let is_unknown = |it: &&RobotId| job.robots.has(it) && !self.is_usable(it);
            let unknown: Vec<_> = robots.iter().map(|it| it.0).filter(is_unknown).collect();
            for robot in unknown {
                if self.waiting.len() < WAITING || self.waiting.contains_key(robot) {
                    self.waiting.entry(robot.clone()).or_insert(now);
                } else {
                    left_out.insert(robot);
                }
            }
        }
        left_out.len() as u64
    }

    /// Makes pulls of a schedule due after the events of these robots. A schedule of all robots takes those that
    /// the last list has.
    fn add(&mut self, job: &Arc<Job>, robots: &[(&RobotId, Instant)]) {
        let Some(delay) = job.new_customer else { return };
        let of_job = self.pending.iter().filter(|it| it.job.is_like(job));
        let pending: BTreeSet<RobotId> = of_job.map(|it| it.robot.clone()).collect();
        let is_new = |robot: &RobotId| {
            job.robots.has(robot) && self.may_pull(job, robot) && !pending.contains(robot)
        };
        let new: Vec<Pending> = robots
            .iter()
            .filter(|(robot, _)| is_new(robot))
            .map(|&(robot, at)| Pending {
                robot: robot.clone(),
                job: Arc::clone(job),
                due: at + delay,
            })
            .collect();
        self.pending.extend(new);
    }

    fn is_usable(&self, robot: &RobotId) -> bool {
        self.known.as_ref().is_some_and(|it| it.is_usable(robot))
    }

    fn may_pull(&self, job: &Job, robot: &RobotId) -> bool {
        matches!(job.robots, Robots::Listed(_)) || self.is_usable(robot)
    }

    /// Returns the time until the robots of the app should be listed, if robots wait for a list.
    pub(super) fn next_question(&self, now: Instant) -> Option<Duration> {
        let is_wanted = !self.waiting.is_empty();
        let at = self.ask_at.unwrap_or(now);
        is_wanted.then(|| at.saturating_duration_since(now))
    }

    /// Notes that the robots of the app are asked for.
    pub(super) fn asked(&mut self, now: Instant) {
        self.ask_at = Some(now + LIST_AGAIN);
    }

    /// Notes a list of the app's robots. Returns the robots with new customers that it does not have, or that are
    /// recycled.
    pub(super) fn listed<'a>(
        &mut self,
        robots: &AppRobots,
        jobs: impl Iterator<Item = &'a Arc<Job>>,
        now: Instant,
    ) -> BTreeSet<RobotId> {
        self.known = Some(robots.clone());
        self.ask_at = Some(now + LIST_EVERY);
        let waiting = std::mem::take(&mut self.waiting);
        let robots: Vec<_> = waiting.iter().map(|(robot, at)| (robot, *at)).collect();
        let is_of_all = |it: &&Arc<Job>| matches!(it.robots, Robots::AllExcept(_));
        jobs.filter(is_of_all).for_each(|job| self.add(job, &robots));
        waiting.into_keys().filter(|it| !self.is_usable(it)).collect()
    }

    /// Returns the time until the next pull.
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        let next = self.pending.iter().map(|it| it.due).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Takes the pulls that are due. A robot that has left the list meanwhile has none.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Start> {
        let due: Vec<Pending> = self.pending.extract_if(.., |it| it.due <= now).collect();
        let due = due.iter().filter(|it| self.may_pull(&it.job, &it.robot));
        due.filter_map(|it| Start::by_customer(&it.robot, &it.job)).collect()
    }

    /// Keeps the pulls of schedules that are in force.
    pub(super) fn keep<'a>(&mut self, jobs: impl Iterator<Item = &'a Arc<Job>> + Clone) {
        let is_for =
            |job: &Job, robot: &RobotId| job.new_customer.is_some() && job.robots.has(robot);
        self.waiting.retain(|robot, _| {
            let of_all = |it: &&Arc<Job>| matches!(it.robots, Robots::AllExcept(_));
            jobs.clone().filter(of_all).any(|job| is_for(job, robot))
        });
        self.pending.retain_mut(|it| {
            let is_in_force = |job: &&Arc<Job>| job.is_like(&it.job) && is_for(job, &it.robot);
            let Some(job) = jobs.clone().find(is_in_force) else { return false };
            it.job = Arc::clone(job);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::job_of;
    use super::*;

    #[test]
    fn a_further_customer_moves_no_pull_and_a_reload_keeps_what_is_in_force() {
        let job = |keys: &str| Arc::new(job_of(&format!("cron = '@daily', {keys}")));
        let after = "pull_on_new_customer = '10m'";
        let jobs = [
            job(&format!("robots = ['r1', 'r2'], {after}")),
            job(&format!("robots = 'all', except = ['r1'], need_tags = true, {after}")),
            job("robots = ['r1']"),
        ];
        let robots = |names: &[&str]| names.iter().map(|it| it.parse().unwrap()).collect();
        let (mut new, now) = (NewCustomers::default(), Instant::now());
        new.listed(&AppRobots::usable(&["r1", "r2", "r3"]), jobs.iter(), now);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        new.note(&robots(&["r1", "r2", "r3"]), jobs.iter(), now);
        // r1 of the first, r2 of both, r3 of the second.
        assert_eq!(new.pending.len(), 4);
        new.note(&robots(&["r1"]), jobs.iter(), now + minutes(9));
        assert_eq!((new.pending.len(), new.next(now + minutes(9))), (4, Some(minutes(1))));
        assert_eq!(new.due(now + minutes(9)).len(), 0);
        new.keep(jobs[..1].iter());
        assert_eq!(new.due(now + minutes(10)).len(), 2);
        // The next one counts anew.
        new.note(&robots(&["r1"]), jobs.iter(), now + minutes(11));
        assert_eq!(new.next(now + minutes(11)), Some(minutes(10)));
        new.keep(jobs[2..].iter());
        assert_eq!(new.next(now), None);
    }

    #[test]
    fn a_schedule_of_all_robots_pulls_only_robots_of_the_last_list() {
        let after = "cron = '@daily', pull_on_new_customer = '10m'";
        let all = [Arc::new(job_of(&format!("robots = 'all', except = ['r9'], {after}")))];
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let (mut new, now) = (NewCustomers::default(), Instant::now());
        let robots = |names: &[&str]| -> BTreeSet<RobotId> {
            names.iter().map(|it| it.parse().unwrap()).collect()
        };
        assert_eq!(new.next_question(now), None);
        assert_eq!(new.note(&robots(&["r1", "gone", "r9"]), all.iter(), now), 0);
        // No robot is known yet: the list is asked for, once.
        assert_eq!((new.next(now), new.next_question(now)), (None, Some(Duration::ZERO)));
        new.asked(now);
        assert_eq!(new.next_question(now), Some(LIST_AGAIN));
        let later = now + minutes(1);
        let unlisted = new.listed(&AppRobots::usable(&["r1", "r2"]), all.iter(), later);
        assert_eq!(unlisted, robots(&["gone"]));
        assert_eq!(new.next(later), Some(minutes(9)), "by the time of the event");
        // Thousands of robots that the list does not have wait for one further question.
        let many: Vec<String> = (0..WAITING + 5).map(|n| format!("no{n}")).collect();
        let many = robots(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(new.note(&many, all.iter(), later), 5);
        assert_eq!(new.note(&many, all.iter(), later), 5);
        assert_eq!((new.waiting.len(), new.pending.len()), (WAITING, 1));
        assert_eq!(new.next_question(later), Some(LIST_EVERY));
        let unlisted = new.listed(&AppRobots::usable(&["r2"]), all.iter(), now + minutes(11));
        assert_eq!((unlisted.len(), new.next_question(now)), (WAITING, None));
        // r1 has left the app since its event.
        assert_eq!(new.due(now + minutes(11)).len(), 0);
        new.note(&robots(&["r1"]), all.iter(), now);
        new.keep([].iter());
        assert_eq!(new.next_question(now), None);
    }
}
