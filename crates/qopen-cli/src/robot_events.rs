//! Events about robots that this process received.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use qopen::EventContent;
use qopen::types::{EventType, LogoutType, NewCustomerCallback, RobotId, RobotLoggedOutCallback};
use tokio::sync::Notify;

use crate::lang::{Phrase, phrase};

/// Maximum number of robots that are remembered.
const ROBOTS: usize = 10_000;

/// The same event within this time is a repetition by the platform.
const REPEATED: Duration = Duration::from_secs(60);

/// A logout of a robot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logout {
    /// The time of receipt, to show. No decision depends on it.
    pub(crate) at: SystemTime,
    /// The same by the clock of the process.
    pub(crate) received: Instant,
    pub(crate) kind: LogoutType,
}

impl Logout {
    /// The reason in words.
    pub(crate) fn reason(&self) -> Phrase {
        match self.kind {
            LogoutType::Unspecified => phrase!("no reason given", "未说明原因"),
            LogoutType::Unknown(code) => {
                phrase!("unknown reason {code}", "未知原因 {code}", code = code)
            }
            kind => Phrase::new(kind.label_en(), kind.label_zh()),
        }
    }
}

/// A logout that an event told.
#[derive(Clone, Debug)]
pub(crate) struct RobotLogout {
    /// The robot, if its id is readable.
    pub(crate) robot: Option<RobotId>,
    /// The reason in words.
    pub(crate) reason: Phrase,
}

impl RobotLogout {
    /// One sentence for the log.
    pub(crate) fn sentence(&self) -> Phrase {
        let Self { robot, reason } = self;
        match robot {
            Some(robot) => phrase!(
                "robot {robot} was logged out: {reason}",
                "机器人 {robot} 退出登录：{reason}",
                robot = robot,
                reason = reason,
            ),
            None => phrase!(
                "a robot without a readable id was logged out: {reason}",
                "一个没有可读 ID 的机器人退出登录：{reason}",
                reason = reason,
            ),
        }
    }
}

/// The last logout of each robot, and robots with new customers.
#[derive(Debug, Default)]
pub(crate) struct RobotEvents {
    logouts: Mutex<BTreeMap<RobotId, Logout>>,
    logged_out: AtomicU64,
    new_customers: Mutex<BTreeSet<RobotId>>,
    news: Notify,
}

impl RobotEvents {
    /// Takes an event. Returns the logout that it tells, unless it repeats one.
    pub(crate) fn take(&self, event: &EventContent) -> Option<RobotLogout> {
        match *event.event_type() {
            EventType::NEW_CUSTOMER => {
                let robot = event.read::<NewCustomerCallback>()?.robot_id?;
                let mut robots = lock(&self.new_customers);
                if robots.len() < ROBOTS && robots.insert(robot) {
                    self.news.notify_one();
                }
                None
            }
            EventType::ROBOT_LOGGED_OUT => {
                let out = event.read::<RobotLoggedOutCallback>()?;
                self.logged_out(out.robot_id, out.logout_type)
            }
            _ => None,
        }
    }

    fn logged_out(&self, robot: Option<RobotId>, kind: LogoutType) -> Option<RobotLogout> {
        let logout = Logout { at: SystemTime::now(), received: Instant::now(), kind };
        let reason = logout.reason();
        let Some(robot) = robot else {
            self.logged_out.fetch_add(1, Ordering::Relaxed);
            return Some(RobotLogout { robot: None, reason });
        };
        let mut logouts = lock(&self.logouts);
        let last = logouts.get(&robot);
        if last.is_some_and(|it| it.kind == kind && it.received.elapsed() < REPEATED) {
            return None;
        }
        self.logged_out.fetch_add(1, Ordering::Relaxed);
        if last.is_some() || logouts.len() < ROBOTS {
            logouts.insert(robot.clone(), logout);
        }
        Some(RobotLogout { robot: Some(robot), reason })
    }

    /// The robot's last logout in the time of this process.
    pub(crate) fn logout(&self, robot: &RobotId) -> Option<Logout> {
        lock(&self.logouts).get(robot).copied()
    }

    /// Number of logouts.
    pub(crate) fn logouts(&self) -> u64 {
        self.logged_out.load(Ordering::Relaxed)
    }

    /// Waits for new customers, and returns their robots.
    pub(crate) async fn new_customers(&self) -> BTreeSet<RobotId> {
        loop {
            let robots = std::mem::take(&mut *lock(&self.new_customers));
            if !robots.is_empty() {
                return robots;
            }
            self.news.notified().await;
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_logout_counts_once_and_another_reason_counts() {
        let events = RobotEvents::default();
        let robot: RobotId = "r1".parse().unwrap();
        let take = |kind| {
            let logout = events.logged_out(Some(robot.clone()), kind)?;
            Some(logout.sentence().english().to_owned())
        };
        let line = |text: &str| Some(format!("robot r1 was logged out: {text}"));
        assert_eq!(take(LogoutType::Lost), line("connection lost"));
        assert_eq!(take(LogoutType::Lost), None);
        assert_eq!(take(LogoutType::Requested), line("asked for"));
        assert_eq!(take(LogoutType::Unspecified), line("no reason given"));
        assert_eq!(take(LogoutType::Unknown(9)), line("unknown reason 9"));
        assert_eq!(events.logouts(), 4);
        let without_id = events.logged_out(None, LogoutType::Lost).unwrap().sentence();
        let without_id = without_id.english().to_owned();
        assert!(without_id.starts_with("a robot without a readable id"), "{without_id}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let events = RobotEvents::default();
        for n in 0..=ROBOTS {
            let robot = format!("r{n}").parse().unwrap();
            assert!(events.logged_out(Some(robot), LogoutType::Lost).is_some());
        }
        assert_eq!(lock(&events.logouts).len(), ROBOTS);
        assert_eq!(events.logouts(), ROBOTS as u64 + 1);
    }
}
