//! Lists of the app's robots for schedules of all robots.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use qopen::Client;
use qopen::http::SendError;
use qopen::types::RobotId;
use tokio::task::JoinSet;

use super::job::Due;
use super::robots::Robots;
use super::start::Start;
use crate::app_robots::{AppRobots, SHOWN, names, not_listed};
use crate::lang::{Phrase, phrase};
use crate::report::ROBOTS;
use crate::say::{caution, tell};
use crate::serve::service::Service;
use crate::topics::warnings;

/// Maximum number of questions in flight.
const ASKING: usize = 4;

/// Due schedules, and the robots of the app at their time.
pub(super) type Listed = (Vec<Due>, Result<AppRobots, SendError>);

/// Asks for the robots of the app, while other schedules go on. An answer without due schedules is for robots
/// with new customers.
pub(super) struct Listing<'a> {
    service: &'a Service,
    asking: JoinSet<Listed>,
    /// Excepted robots that are unknown, each said once.
    told: BTreeSet<RobotId>,
    /// Whether the last question for robots with new customers failed.
    failed: bool,
}

impl<'a> Listing<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service, asking: JoinSet::new(), told: BTreeSet::new(), failed: false }
    }

    /// Asks once for all schedules among these that need the list.
    pub(super) fn ask(&mut self, due: &[Due]) {
        let needs_list = |it: &&Due| matches!(it.1.robots, Robots::AllExcept(_));
        let due: Vec<Due> = due.iter().filter(needs_list).cloned().collect();
        if due.is_empty() {
            return;
        }
        if self.asking.len() >= ASKING {
            for (_, job) in &due {
                let why = phrase!(
                    "the platform still lists the robots of an earlier time",
                    "平台仍在列出上一次的机器人",
                );
                self.fail(&job.text, &why);
            }
            return;
        }
        self.spawn(due);
    }

    /// Asks for robots with new customers.
    pub(super) fn ask_for_customers(&mut self) {
        if self.asking.len() < ASKING {
            self.spawn(Vec::new());
        }
    }

    fn spawn(&mut self, due: Vec<Due>) {
        let client: Client = self.service.client.clone();
        self.asking.spawn(async move { (due, AppRobots::of(&client).await) });
    }

    /// Counts and prints robots with new customers that are not robots of the app, or are recycled.
    pub(super) fn tell_unlisted(&self, robots: &BTreeSet<RobotId>) {
        if robots.is_empty() {
            return;
        }
        self.service.schedules.unlisted.fetch_add(robots.len() as u64, Ordering::Relaxed);
        caution!(
            warnings::ROBOTS_UNLISTED,
            "{robots} with new customers not pulled: the platform does not list them, or they are recycled: {names}",
            "有新客户的 {robots}未拉取，平台没有列出它们，或已将其回收：{names}",
            robots = ROBOTS.count(robots.len() as u64),
            names = names(robots.iter(), SHOWN),
        );
    }

    /// Returns the next answer. Waits for ever without a question.
    pub(super) async fn answer(&mut self) -> Listed {
        loop {
            match self.asking.join_next().await {
                Some(Ok(listed)) => return listed,
                // The runtime ends.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Returns the pulls of the schedules that an answer is for.
    pub(super) fn starts(&mut self, (due, found): Listed) -> Vec<Start> {
        let found = match found {
            Ok(found) => {
                self.failed = false;
                found
            }
            Err(error) => {
                if due.is_empty() && !std::mem::replace(&mut self.failed, true) {
                    let why = not_listed(&error);
                    tell!(
                        "robots with new customers wait: {why}; trying again every 60 s",
                        "有新客户的机器人需等待：{why}；每 60 秒重试",
                        why = why,
                    );
                }
                for (_, job) in &due {
                    let why = phrase!(
                        "{why}; the schedule tries again at its next time",
                        "{why}；定时任务会在下一个时间重试",
                        why = not_listed(&error),
                    );
                    self.fail(&job.text, &why);
                }
                return Vec::new();
            }
        };
        if let Some((_, job)) = due.first() {
            let text = format!("{:?}", job.text);
            for it in found.remarks() {
                tell!("scheduled {text}: {it}", "定时 {text}：{it}", text = text, it = it);
            }
        }
        let mut starts = Vec::new();
        for due in &due {
            let Robots::AllExcept(except) = &due.1.robots else { continue };
            let text = &due.1.text;
            let is_new = |it: &&RobotId| !found.has(it) && !self.told.contains(*it);
            let unknown: BTreeSet<RobotId> = except.iter().filter(is_new).cloned().collect();
            if !unknown.is_empty() {
                caution!(
                    warnings::EXCEPT_UNKNOWN,
                    "scheduled {text}: `except` names no robot of the app: {names}; are the ids right?",
                    "定时 {text}：`except` 中没有本应用的机器人：{names}；ID 是否正确？",
                    text = format!("{text:?}"),
                    names = names(unknown.iter(), SHOWN),
                );
                self.told.extend(unknown);
            }
            let is_wanted = |it: &&RobotId| !except.contains(*it);
            let robots: Vec<RobotId> = found.usable.iter().filter(is_wanted).cloned().collect();
            match (robots.is_empty(), found.usable.is_empty()) {
                (false, _) => starts.extend(Start::all(due, &robots)),
                (true, true) => self.fail(text, &found.why_none().into()),
                (true, false) => {
                    let every = phrase!(
                        "`except` names every robot of the app",
                        "`except` 排除了本应用的全部机器人"
                    );
                    self.fail(text, &every);
                }
            }
        }
        starts
    }

    /// Counts and prints a due time without a pull.
    fn fail(&self, text: &str, why: &Phrase) {
        self.service.schedules.failed.fetch_add(1, Ordering::Relaxed);
        tell!(
            "scheduled {text}: no pull started: {why}",
            "定时 {text}：没有开始拉取：{why}",
            text = format!("{text:?}"),
            why = why,
        );
    }
}
