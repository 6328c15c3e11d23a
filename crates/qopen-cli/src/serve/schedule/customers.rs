//! Pulls that new customers make due.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen::types::RobotId;

use super::job::Job;
use super::start::Start;

/// Robots with new customers, each with the time of its pull by the clock of the process.
#[derive(Default)]
pub(super) struct NewCustomers(Vec<Pending>);

struct Pending {
    robot: RobotId,
    job: Arc<Job>,
    due: Instant,
}

impl NewCustomers {
    /// Notes new customers of these robots. A further one does not move a pull that is pending.
    pub(super) fn note<'a>(
        &mut self,
        robots: &BTreeSet<RobotId>,
        jobs: impl Iterator<Item = &'a Arc<Job>>,
        now: Instant,
    ) {
        for job in jobs {
            let Some(delay) = job.new_customer else { continue };
            let of_job = self.0.iter().filter(|it| it.job.is_like(job));
            let pending: BTreeSet<RobotId> = of_job.map(|it| it.robot.clone()).collect();
            let is_new = |robot: &&RobotId| job.robots.has(robot) && !pending.contains(*robot);
            let new = robots.iter().filter(is_new);
            let new =
                new.map(|it| Pending { robot: it.clone(), job: Arc::clone(job), due: now + delay });
            self.0.extend(new);
        }
    }

    /// Returns the time until the next pull.
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        let next = self.0.iter().map(|it| it.due).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Takes the pulls that are due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Start> {
        let due = self.0.extract_if(.., |it| it.due <= now);
        due.filter_map(|it| Start::by_customer(&it.robot, &it.job)).collect()
    }

    /// Keeps the pulls of schedules that are in force.
    pub(super) fn keep<'a>(&mut self, jobs: impl Iterator<Item = &'a Arc<Job>> + Clone) {
        self.0.retain_mut(|it| {
            let is_in_force = |job: &&Arc<Job>| {
                job.is_like(&it.job) && job.new_customer.is_some() && job.robots.has(&it.robot)
            };
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
        let minutes = |n: u64| Duration::from_secs(60 * n);
        new.note(&robots(&["r1", "r2", "r3"]), jobs.iter(), now);
        // r1 of the first, r2 of both, r3 of the second.
        assert_eq!(new.0.len(), 4);
        new.note(&robots(&["r1"]), jobs.iter(), now + minutes(9));
        assert_eq!((new.0.len(), new.next(now + minutes(9))), (4, Some(minutes(1))));
        assert_eq!(new.due(now + minutes(9)).len(), 0);
        new.keep(jobs[..1].iter());
        assert_eq!(new.due(now + minutes(10)).len(), 2);
        // The next one counts anew.
        new.note(&robots(&["r1"]), jobs.iter(), now + minutes(11));
        assert_eq!(new.next(now + minutes(11)), Some(minutes(10)));
        new.keep(jobs[2..].iter());
        assert_eq!(new.next(now), None);
    }
}
