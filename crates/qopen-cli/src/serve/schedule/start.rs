//! Starting the pulls of schedules that are due.

use std::collections::BTreeMap;
use std::error::Error;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use qopen::journal::{JournalError, PullId};
use qopen::types::RobotId;
use qopen::{PullError, PullRequest};

use super::counts::Counts;
use super::job::{Due, Job};
use super::open::OpenPulls;
use crate::exit::chained;
use crate::lang::{Phrase, Text, phrase};
use crate::say::say;
use crate::serve::service::Service;

/// Time between two attempts to start a pull that the journal could not keep.
const AGAIN: Duration = Duration::from_secs(5);

const IS_OPEN: Text = Text::new("is open", "仍在进行");

/// A due pull of a robot.
pub(super) struct Start {
    at: Timestamp,
    job: Arc<Job>,
    pull: PullId,
    /// Whether a new customer made it due.
    by_customer: bool,
    /// Whether its failure was printed.
    told: bool,
}

impl Start {
    /// Returns the pulls of due schedules. The robots of the app are listed apart.
    pub(super) fn listed(due: &[Due]) -> Vec<Self> {
        due.iter().flat_map(|it| Self::all(it, it.1.robots.listed())).collect()
    }

    /// Returns the pulls of these robots.
    pub(super) fn all((at, job): &Due, robots: &[RobotId]) -> Vec<Self> {
        let starts = robots.iter().filter_map(|robot| {
            // Digits and letters are always a valid identifier.
            let mark_id = job.mark(robot, *at).ok()?;
            let pull = PullId { robot_id: robot.clone(), mark_id };
            let job = Arc::clone(job);
            Some(Self { at: *at, job, pull, by_customer: false, told: false })
        });
        starts.collect()
    }

    /// Returns the pull of a robot that has new customers.
    pub(super) fn by_customer(robot: &RobotId, job: &Arc<Job>) -> Option<Self> {
        // The time only names the pull.
        let due = (Timestamp::now(), Arc::clone(job));
        let start = Self::all(&due, std::slice::from_ref(robot)).pop()?;
        Some(Self { by_customer: true, ..start })
    }

    /// Whether another one is a later time of the same schedule and robot.
    fn is_superseded_by(&self, other: &Self) -> bool {
        self.pull.robot_id == other.pull.robot_id && self.job.is_like(&other.job)
    }

    /// Prints what became of it, behind why it is due.
    fn tell(&self, what: &Phrase) {
        let text = format!("{:?}", self.job.text);
        let cause = match self.by_customer {
            true => phrase!("new customer, schedule {text}", "有新客户，定时 {text}", text = text),
            false => phrase!("scheduled {text}", "定时 {text}", text = text),
        };
        say!("qopen: {}", Phrase::about(cause, what).shown());
    }
}

/// The result of a start.
enum Started {
    /// The journal has the pull.
    Begun,
    Skipped,
    /// The journal may have room, or answer, later.
    Failed,
    /// Trying again does not help.
    Refused,
}

/// Starts pulls one after another, and retries failed starts.
pub(super) struct Starter<'a> {
    service: &'a Service,
    open: OpenPulls,
    failed: Vec<Start>,
}

impl<'a> Starter<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service, open: OpenPulls::default(), failed: Vec::new() }
    }

    /// Returns the time until the next retry.
    pub(super) fn again(&self) -> Option<Duration> {
        (!self.failed.is_empty()).then_some(AGAIN)
    }

    /// Starts due pulls and retries failed ones. If several pulls of a robot are due together, the first one
    /// starts.
    pub(super) async fn start(&mut self, new: Vec<Start>) {
        self.open.refresh();
        let is_current = |old: &Start| !new.iter().any(|new| old.is_superseded_by(new));
        let failed = take(&mut self.failed).into_iter().filter(is_current).collect::<Vec<_>>();
        let mut begun: BTreeMap<RobotId, Start> = BTreeMap::new();
        for mut start in failed.into_iter().chain(new) {
            if self.service.is_stopping() {
                return;
            }
            if let Some(first) = begun.get(&start.pull.robot_id) {
                // The same schedule may be in the file twice.
                if first.pull != start.pull || first.job.guards != start.job.guards {
                    let why = match (first.pull == start.pull, first.at == start.at) {
                        (true, _) => Text::new(
                            "is due at the same time with other guards",
                            "同时到期，而其保护规则不同",
                        ),
                        (_, true) => Text::new("is due at the same time", "同时到期"),
                        _ => IS_OPEN,
                    };
                    self.skip(&start, &first.pull, why);
                }
                continue;
            }
            match self.try_to(&mut start).await {
                Started::Begun => {
                    begun.insert(start.pull.robot_id.clone(), start);
                }
                Started::Failed => self.failed.push(start),
                Started::Skipped | Started::Refused => {}
            }
        }
    }

    async fn try_to(&mut self, start: &mut Start) -> Started {
        let (service, pull, job) = (self.service, start.pull.clone(), Arc::clone(&start.job));
        // Another process that has the same schedule was faster, or a clock that went back has shown this
        // time before.
        match service.journal.knows(&pull).await {
            Ok(false) => {}
            Ok(true) => return Started::Begun,
            Err(error) => return self.fail(start, &error, Some(&error)),
        }
        match self.open.of(service, &pull.robot_id).await {
            Ok(None) => {}
            Ok(Some(open)) => return self.skip(start, &open, IS_OPEN),
            Err(error) => return self.fail(start, &error, Some(&error)),
        }
        match service.too_long(&pull.robot_id, job.place.as_ref()).await {
            Ok(None) => {}
            Ok(Some(why)) => {
                start.tell(&phrase!(
                    "{pull} is not requested: {why}",
                    "未请求 {pull}：{why}",
                    pull = Phrase::from(&pull),
                    why = why,
                ));
                return Started::Refused;
            }
            Err(error) => return self.fail(start, &error, Some(&error)),
        }
        let request = PullRequest::new(pull.robot_id.clone()).need_tag_info(job.need_tags);
        let request = request.mark_id(pull.mark_id);
        match service.start(request, job.place.as_ref(), &job.guards).await {
            Err(PullError::InJournal) => Started::Begun,
            Ok(id) => {
                service.schedules.started.fetch_add(1, Ordering::Relaxed);
                start.tell(&phrase!("{id} started", "已开始 {id}", id = Phrase::from(&id)));
                Started::Begun
            }
            Err(PullError::Journal(error)) => self.fail(start, &error, Some(&error)),
            Err(error) => self.fail(start, &error, None),
        }
    }

    fn skip(&self, start: &Start, other: &PullId, why: Text) -> Started {
        self.service.schedules.skipped.fetch_add(1, Ordering::Relaxed);
        start.tell(&phrase!(
            "{pull} skipped: mark {mark} {why}",
            "跳过 {pull}：标记 {mark} {why}",
            pull = Phrase::from(&start.pull),
            mark = other.mark_id,
            why = why,
        ));
        Started::Skipped
    }

    fn fail(
        &self,
        start: &mut Start,
        error: &(dyn Error + 'static),
        of_journal: Option<&JournalError>,
    ) -> Started {
        let is_retryable = of_journal.is_some_and(JournalError::is_retryable);
        if !start.told {
            let Counts { failed, .. } = &self.service.schedules;
            failed.fetch_add(1, Ordering::Relaxed);
            let what =
                phrase!("{pull} not started", "未开始 {pull}", pull = Phrase::from(&start.pull));
            let mut what = chained(what, error);
            if is_retryable {
                what.push(&phrase!(
                    "; trying again every {s} s",
                    "；每 {s} 秒重试",
                    s = AGAIN.as_secs(),
                ));
            }
            start.tell(&what);
            start.told = true;
        }
        if is_retryable { Started::Failed } else { Started::Refused }
    }
}
