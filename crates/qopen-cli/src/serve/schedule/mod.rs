//! Scheduled pulls: `[[schedule]]` in the settings file.

mod counts;
mod customers;
mod defaults;
mod job;
mod listing;
mod open;
mod robots;
mod start;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use qopen::types::RobotId;
use tokio::sync::watch as channel;

use super::service::{Planned, Service};
use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::output::Output;
use crate::say::tell;
use crate::settings::Settings;
use crate::wiring;
pub(crate) use counts::Counts;
use customers::NewCustomers;
pub(super) use defaults::Defaults;
use job::Due;
pub(super) use job::Job;
use listing::Listing;
use start::{Start, Starter};
use watch::{Look, Watch};

/// The schedules in force. A reload replaces them.
pub(super) struct Schedules {
    jobs: channel::Sender<Arc<Vec<Job>>>,
    defaults: Defaults,
}

impl Planned for Schedules {
    fn next_of(&self, robot: &RobotId, now: Timestamp) -> Option<Timestamp> {
        let jobs = self.jobs.borrow();
        jobs.iter().filter(|it| it.robots.has(robot)).filter_map(|it| it.times.next(now)).min()
    }

    fn named(&self) -> BTreeSet<RobotId> {
        let jobs = self.jobs.borrow();
        jobs.iter().flat_map(|it| it.robots.listed()).cloned().collect()
    }
}

impl Schedules {
    pub(super) fn new(settings: &Settings, defaults: Defaults) -> Result<Self, Failure> {
        let jobs = Job::all(settings, &defaults, &[])?;
        let schedules = Self { jobs: channel::Sender::new(Arc::new(jobs)), defaults };
        schedules.say();
        Ok(schedules)
    }

    /// Reads the schedules of new settings without replacing those in force.
    pub(super) fn read(&self, settings: &Settings) -> Result<Vec<Job>, Failure> {
        let in_force = Arc::clone(&self.jobs.borrow());
        // A check of a place may take long.
        tokio::task::block_in_place(|| Job::all(settings, &self.defaults, &in_force))
    }

    /// Replaces the schedules.
    pub(super) fn replace(&self, jobs: Vec<Job>) {
        self.jobs.send_replace(Arc::new(jobs));
        self.say();
        if self.jobs.borrow().is_empty() {
            tell!("no schedule is in force", "没有生效的定时任务");
        }
    }

    /// Prints the next times of each schedule.
    fn say(&self) {
        let now = Timestamp::now();
        let default = self.defaults.output.as_ref().map(Output::place).unwrap_or_default().into();
        for job in &**self.jobs.borrow() {
            tell!(
                "schedule {number} {text}: {plan}",
                "定时任务 {number} {text}：{plan}",
                number = job.title.number,
                text = format!("{:?}", job.text),
                plan = job.describe(now, &default),
            );
        }
    }

    /// Starts pulls when they are due, until the process stops.
    pub(super) async fn run(&self, service: &Service) {
        let mut replaced = self.jobs.subscribe();
        let mut jobs = Watched::all(&replaced.borrow_and_update(), Timestamp::now());
        let (mut starter, mut listing) = (Starter::new(service), Listing::new(service));
        let mut customers = NewCustomers::default();
        loop {
            let (due, nap) = look(&mut jobs, Timestamp::now());
            if !due.is_empty() {
                listing.ask(&due);
                starter.start(Start::listed(&due)).await;
                continue;
            }
            tokio::select! {
                () = sleep(nap) => {}
                robots = service.events.new_customers() => {
                    let all = jobs.iter().map(|it| &it.job);
                    let left_out = customers.note(&robots, all, Instant::now());
                    service.schedules.unlisted.fetch_add(left_out, Ordering::Relaxed);
                }
                () = sleep(customers.next_question(Instant::now())) => {
                    customers.asked(Instant::now());
                    listing.ask_for_customers();
                }
                () = sleep(customers.next(Instant::now())) => {
                    starter.start(customers.due(Instant::now())).await;
                }
                () = sleep(starter.again()) => starter.start(Vec::new()).await,
                listed = listing.answer() => {
                    if let Ok(robots) = &listed.1 {
                        let all = jobs.iter().map(|it| &it.job);
                        let unlisted = customers.listed(robots, all, Instant::now());
                        listing.tell_unlisted(&unlisted);
                    }
                    starter.start(listing.starts(listed)).await;
                }
                Ok(()) = replaced.changed() => {
                    let new = Arc::clone(&replaced.borrow_and_update());
                    let due = exchange(&mut jobs, &new, Timestamp::now());
                    customers.keep(jobs.iter().map(|it| &it.job));
                    listing.ask(&due);
                    starter.start(Start::listed(&due)).await;
                }
                () = wiring::told(service.stopping.clone()) => return,
            }
        }
    }
}

/// Returns the due schedules, and the time until the next one. Their order is the order of the file, the same
/// in every process.
fn look(jobs: &mut [Watched], now: Timestamp) -> (Vec<Due>, Option<Duration>) {
    let (mut due, mut nap) = (Vec::new(), None::<Duration>);
    for Watched { job, watch } in jobs {
        match watch.look(&job.times, now) {
            Look::Due(at) => due.push((at, Arc::clone(job))),
            Look::Wait(wait) => nap = Some(nap.map_or(wait, |nap| nap.min(wait))),
            Look::Never => {}
        }
    }
    (due, nap)
}

/// Replaces schedules. The old ones are due up to `now`, the new ones after it.
fn exchange(jobs: &mut Vec<Watched>, new: &[Job], now: Timestamp) -> Vec<Due> {
    let (due, _) = look(jobs, now);
    *jobs = Watched::all(new, now);
    due
}

/// Sleeps; without a time, for ever.
async fn sleep(nap: Option<Duration>) {
    match nap {
        Some(nap) => tokio::time::sleep(nap).await,
        None => std::future::pending().await,
    }
}

/// A schedule and its next time.
struct Watched {
    job: Arc<Job>,
    watch: Watch,
}

impl Watched {
    /// The schedules, waiting for their first times after `now`.
    fn all(jobs: &[Job], now: Timestamp) -> Vec<Self> {
        let watched = |job: &Job| {
            let mut watch = Watch::default();
            watch.look(&job.times, now);
            Self { job: Arc::new(job.clone()), watch }
        };
        jobs.iter().map(watched).collect()
    }
}

/// Checks each schedule for `qopen doctor`.
pub(crate) fn examine(settings: &Settings) -> Vec<(String, Result<Phrase, Failure>)> {
    let now = Timestamp::now();
    let default = phrase!(
        "the folder or database of --out (needs `serve --out`)",
        "--out 的文件夹或数据库（需要 `serve --out`）",
    );
    let examined = settings.schedule.iter().map(|found| {
        let described = Job::new(found, settings).and_then(|job| {
            job.examine_place()?;
            Ok(job.describe(now, &default))
        });
        (found.title.to_string(), described.map_err(Failure::usage))
    });
    examined.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::schedule::Found;

    fn job(cron: &str) -> Job {
        job_of(&format!("cron = '{cron}', robots = ['r1']"))
    }

    /// The schedule of an entry with these keys.
    pub(super) fn job_of(keys: &str) -> Job {
        read(keys).unwrap()
    }

    fn read(keys: &str) -> Result<Job, Phrase> {
        let table = format!("schedule = [{{ {keys} }}]");
        let value = toml::from_str::<toml::Table>(&table).unwrap().remove("schedule").unwrap();
        Job::new(&Found::all(value).unwrap()[0], &settings())
    }

    #[test]
    fn schedules_and_mistakes_in_them_are_described_in_chinese_too() {
        let good = "cron = '@daily', robots = ['r1']";
        let more = "except = ['a', 'b', 'c', 'd'], pull_on_new_customer = '10m', max_gone = '5%'";
        for keys in [good, &format!("cron = '@daily', robots = 'all', {more}")] {
            let job = job_of(keys);
            job.describe(Timestamp::now(), &Phrase::same("-")).assert_chinese();
            job.check_place(None).unwrap_err().assert_chinese();
        }
        for wrong in [
            "cron = '@daily'",
            "robots = ['r1']",
            "cron = 5, robots = ['r1']",
            "cron = '@daily', robots = []",
            "cron = '@daily', robots = ['all']",
            "cron = '@daily', robots = ['a b']",
            "cron = '@daily', robots = ['a,b']",
            "cron = '@daily', robots = ['[a]']",
            "cron = '@daily', robots = ['a'], except = ['b']",
            &format!("{good}, robot = 'r2'"),
            &format!("{good}, labels = 'xx'"),
            &format!("{good}, format = 'odt'"),
            &format!("{good}, bom = true"),
            &format!("{good}, max_gone = '101%'"),
            &format!("{good}, max_gone = '5 %'"),
            &format!("{good}, pull_on_new_customer = '10'"),
            &format!("{good}, pull_on_new_customer = '8d'"),
            &format!("{good}, time_zone = 'Nowhere/At_All'"),
            &format!("{good}, time_zone = 'UTC+8'"),
            &format!("{good}, out = 'no/such/folder'"),
            &format!("{good}, out = 'postgres://u:p@h/d'"),
            "cron = '61 * * * *', robots = ['r1']",
        ] {
            read(wrong).unwrap_err().assert_chinese();
        }
    }

    fn settings() -> Settings {
        let flags = crate::args::Common::default();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("qopen.toml");
        std::fs::write(&config, "time_zone = 'UTC'").unwrap();
        Settings::load(&crate::args::Common { config: Some(config), ..flags }).unwrap()
    }

    #[test]
    fn an_exchange_at_the_time_that_is_due_neither_loses_nor_repeats_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let times = |due: Vec<Due>| due.iter().map(|it| it.0.to_string()).collect::<Vec<_>>();
        for now in ["2026-03-01T02:30:00Z", "2026-03-01T02:30:00.2Z", "2026-03-01T02:31:30Z"] {
            let mut jobs = Watched::all(&[job("30 2 * * *")], at("2026-03-01T02:29:59.9Z"));
            let due = exchange(&mut jobs, &[job("30 2 * * *"), job("30 2 * * Sun")], at(now));
            assert_eq!(times(due), ["2026-03-01T02:30:00Z"], "{now}");
            let (due, nap) = look(&mut jobs, at(now));
            assert!(due.is_empty() && nap.is_some(), "{now}");
            let (due, _) = look(&mut jobs, at("2026-03-02T02:30:00Z"));
            assert_eq!(times(due), ["2026-03-02T02:30:00Z"], "{now}");
        }
        // Before it, the new schedules' time is theirs.
        let mut jobs = Watched::all(&[job("30 2 * * *")], at("2026-03-01T02:00:00Z"));
        let due = exchange(&mut jobs, &[job("30 2,4 * * *")], at("2026-03-01T02:29:59Z"));
        assert!(due.is_empty());
        let (due, _) = look(&mut jobs, at("2026-03-01T02:30:00Z"));
        assert_eq!(times(due), ["2026-03-01T02:30:00Z"]);
    }
}
