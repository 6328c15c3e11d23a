//! The work of `qopen pull`: requests lists, follows them and publishes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use qopen::journal::{PullId, PullState};
use qopen::types::RobotId;
use qopen::{Client, Progress, Pull, PullError, PullRequest};
use tokio::sync::watch;

use super::publish::{Pulled, publish};
use crate::args::PullArgs;
use crate::exit::{Exit, Failure};
use crate::lang::phrase;
use crate::output::Output;
use crate::report::{self, Came, Reporter, Summary, end_state};
use crate::robot_events::RobotEvents;
use crate::say::{self, one_line};
use crate::{robot_state, wiring};

/// Time limit for a publication in flight after a signal.
const LAST_LIST: Duration = Duration::from_secs(3);

/// A pull to start, or a resumed one.
pub(super) enum Begun {
    New(RobotId),
    Resumed {
        pull: Box<Pull>,
        /// Whether to request the list again unless this pull completes.
        then_new: bool,
    },
}

impl Begun {
    pub(super) async fn resume(
        client: &Client,
        state: &PullState,
        args: &PullArgs,
    ) -> Result<Self, Failure> {
        let pull = client.resume(&state.pull).await.map_err(|error| {
            let what = phrase!("{pull} cannot be resumed", "{pull} 无法继续", pull = state.pull);
            Failure::unexpected(what, &error)
        })?;
        Ok(Self::Resumed { pull: Box::new(pull), then_new: args.resume.is_empty() })
    }
}

/// How the pulling of a list ended.
pub(super) enum Ended {
    Outcome(Box<Pulled>),
    /// Interrupted by a signal. The pull stays open in the journal.
    Interrupted(PullId, Option<Progress>),
}

/// A list that was published, or written beside its place.
pub(super) struct Written {
    pulled: Pulled,
    revision: u32,
    /// Whether the list lacks pages.
    is_short: bool,
}

pub(super) struct Work {
    pub(super) client: Client,
    pub(super) events: Arc<RobotEvents>,
    pub(super) output: Output,
    pub(super) reporter: Arc<Reporter>,
    pub(super) interrupted: watch::Receiver<bool>,
    pub(super) label: String,
    pub(super) came: Box<dyn Fn() -> Came + Send + Sync>,
}

impl Work {
    pub(super) async fn run(&self, begun: Vec<Begun>, args: &PullArgs) -> Exit {
        // After an interruption no further request is sent.
        let begun = stream::iter(begun).take_while(|_| async { !*self.interrupted.borrow() });
        if !self.output.is_per_robot() {
            let ended = begun.map(|it| self.pull(it, args)).buffered(args.concurrency);
            return self.publish_whole(ended.collect().await, args).await.1;
        }
        let each = begun.map(|it| async {
            let ended = self.pull(it, args).await;
            self.publish_whole(vec![ended], args).await
        });
        let each: Vec<_> = each.buffered(args.concurrency).collect().await;
        let mut exits = Vec::new();
        // Pages may have come after a list was published, while others were still being pulled.
        for (written, mut exit) in each {
            for Written { pulled, revision, .. } in written {
                let settled = self.settle(pulled).await;
                let is_news = match &settled {
                    Ended::Outcome(it) => it.outcome.list.revision() > revision,
                    Ended::Interrupted(..) => true,
                };
                if is_news {
                    // A list that was held or incomplete may be published now.
                    exit = self.publish(vec![Ok(settled)], args).await.1;
                }
            }
            exits.push(exit);
        }
        Exit::worst(exits)
    }

    /// Pulls one robot's list, and confirms it if asked to.
    async fn pull(&self, begun: Begun, args: &PullArgs) -> Result<Ended, Failure> {
        match self.pull_once(begun, args).await? {
            Ended::Outcome(it) if args.receiving.confirm && it.outcome.status.is_complete() => {
                self.confirm(it.outcome, args).await
            }
            ended => Ok(ended),
        }
    }

    /// Pulls one robot's list. A new pull follows a resumed one that does not complete, or whose pages the
    /// platform may have given up. The resumed pull's list counts if the new one does not complete.
    async fn pull_once(&self, begun: Begun, args: &PullArgs) -> Result<Ended, Failure> {
        let then_new = matches!(begun, Begun::Resumed { then_new: true, .. });
        let ended = self.follow(begun, args).await?;
        let Ended::Outcome(pulled) = &ended else { return Ok(ended) };
        let outcome = &pulled.outcome;
        let is_doubtful = outcome.status.may_lack_a_page();
        let is_wanted = then_new && (is_doubtful || outcome.status.is_worth_a_request());
        if !is_wanted || *self.interrupted.borrow() {
            return Ok(ended);
        }
        let PullId { robot_id, mark_id } = &outcome.progress.pull;
        self.reporter.forget(&outcome.progress.pull);
        self.reporter.note(&phrase!(
            "the resumed pull {mark} of robot {robot} is {state}: {why}; requesting the list anew",
            "机器人 {robot} 继续的拉取 {mark} {state}：{why}；正在重新请求列表",
            mark = mark_id,
            robot = robot_id,
            state = end_state(&outcome.status.end_state()),
            why = report::ended(&outcome.status).map(one_line),
        ));
        let anew = self.follow(Begun::New(robot_id.clone()), args).await;
        let why = match &anew {
            Ok(Ended::Outcome(it)) if !it.outcome.status.is_complete() => {
                report::ended(&it.outcome.status)
            }
            Err(failure) => failure.message().clone(),
            Ok(_) => return anew,
        };
        if !is_doubtful {
            return anew;
        }
        if let Ok(Ended::Outcome(it)) = &anew {
            self.reporter.forget(&it.outcome.progress.pull);
        }
        self.reporter.note(&phrase!(
            "the new request of robot {robot} brought no complete list: {why}; the list of {mark} counts",
            "机器人 {robot} 的新请求没有得到完整的列表：{why}；以 {mark} 的列表为准",
            robot = robot_id,
            why = why.map(one_line),
            mark = mark_id,
        ));
        Ok(ended)
    }

    /// Follows one pull to its end.
    pub(super) async fn follow(&self, begun: Begun, args: &PullArgs) -> Result<Ended, Failure> {
        let fails = |error: &(dyn std::error::Error + 'static)| Failure::unexpected("", error);
        let mut pull = match begun {
            Begun::Resumed { pull, .. } => *pull,
            Begun::New(robot) => {
                // The order of the robot's lists is fixed before the request is sent.
                let sink = self.output.sink(robot.as_str());
                let request = PullRequest::new(robot).need_tag_info(args.need_tags);
                let mut request = request.label(&self.label);
                request.expect_accounts = args.expect_accounts;
                request.allow_unidentified = args.receiving.allow_unidentified;
                let pulled = self.client.pull_in_order(request, sink).await;
                pulled.map_err(|error| match &error {
                    PullError::Place(_) => Failure::output("", &error),
                    error => fails(error),
                })?
            }
        };
        let mut interrupted = self.interrupted.clone();
        let mut last = None;
        loop {
            tokio::select! {
                progress = pull.progress() => match progress {
                    Some(progress) => {
                        last = Some(progress.clone());
                        self.reporter.progress(progress);
                    }
                    None => break,
                },
                Ok(_) = interrupted.wait_for(|it| *it) => {
                    // The same command resumes it.
                    let id = pull.id().clone();
                    pull.leave();
                    return Ok(Ended::Interrupted(id, last));
                }
            }
        }
        let outcome = pull.outcome().await.map_err(|error| fails(&error))?;
        Ok(self.settle(outcome.into()).await)
    }

    /// Waits until every late page is in a revision: published before, the list would have another content
    /// under the same revision.
    async fn settle(&self, pulled: Pulled) -> Ended {
        let Pulled { outcome, confirmation } = pulled;
        let before = outcome.progress.figures.revision;
        tokio::select! {
            biased;
            () = outcome.list.settled() => {}
            () = wiring::told(self.interrupted.clone()) => {
                let progress = outcome.progress;
                return Ended::Interrupted(progress.pull.clone(), Some(progress));
            }
        }
        let confirmation = match outcome.list.revision() > before {
            true => confirmation.of_revision(),
            false => confirmation,
        };
        Ended::Outcome(Box::new(Pulled { outcome: outcome.refreshed(), confirmation }))
    }

    /// Publishes lists of one place. Pulls those again that lack pages, up to `--retry` times.
    async fn publish_whole(
        &self,
        mut ended: Vec<Result<Ended, Failure>>,
        args: &PullArgs,
    ) -> (Vec<Written>, Exit) {
        let mut retries = args.receiving.retry;
        loop {
            // Pages of a list may have come while the others of its file were pulled.
            for it in &mut ended {
                if let Ok(Ended::Outcome(pulled)) = it {
                    *it = Ok(self.settle(Pulled::clone(pulled)).await);
                }
            }
            let (written, exit) = self.publish(ended, args).await;
            let is_short = exit == Exit::Incomplete && written.iter().any(|it| it.is_short);
            if retries == 0 || !is_short || *self.interrupted.borrow() {
                return (written, exit);
            }
            retries -= 1;
            let again = written.into_iter().map(async |Written { pulled, is_short, .. }| {
                if !is_short {
                    return Ok(Ended::Outcome(Box::new(pulled)));
                }
                let PullId { robot_id, mark_id } = &pulled.outcome.progress.pull;
                self.reporter.note(&phrase!(
                    "robot {robot}: the list of {mark} lacks pages; requesting it anew",
                    "机器人 {robot}：{mark} 的列表缺少分页；正在重新请求",
                    robot = robot_id,
                    mark = mark_id,
                ));
                self.pull(Begun::New(robot_id.clone()), args).await
            });
            ended = stream::iter(again).buffered(args.concurrency).collect().await;
        }
    }

    /// Publishes lists of one place, prints their summaries, and returns the exit code. The outcomes come back
    /// with the published revision.
    async fn publish(
        &self,
        ended: Vec<Result<Ended, Failure>>,
        args: &PullArgs,
    ) -> (Vec<Written>, Exit) {
        let came = (self.came)();
        let mut exits = Vec::new();
        let mut outcomes = Vec::new();
        let interrupted = ended.iter().any(|it| matches!(it, Ok(Ended::Interrupted(..))));
        for ended in ended {
            match ended {
                Ok(Ended::Outcome(pulled)) => outcomes.push(*pulled),
                Ok(Ended::Interrupted(pull, progress)) => {
                    self.reporter.interrupted(&pull, progress.as_ref(), &came);
                    exits.push(Exit::Interrupted);
                }
                Err(failure) => {
                    say::failure(&failure);
                    exits.push(failure.exit);
                }
            }
        }
        let options = args.receiving.publishing(&self.client);
        let summaries = match interrupted {
            // Lists of one file are published together, once the others are resumed.
            true => outcomes.iter().map(|it| it.summary(&came)).collect(),
            false => {
                let told = async {
                    wiring::told(self.interrupted.clone()).await;
                    tokio::time::sleep(LAST_LIST).await;
                };
                let done = tokio::select! {
                    done = publish(&self.output, &outcomes, exits.is_empty(), &came, &options) => Some(done),
                    () = told => None,
                };
                // A signal ends the verification of customers, too.
                let is_unverified = |it: &Summary| {
                    it.exit != Exit::Complete
                        && it.gone_unverified.is_some()
                        && *self.interrupted.borrow()
                };
                match done.filter(|done| !done.iter().any(is_unverified)) {
                    Some(done) => done,
                    None => {
                        for Pulled { outcome, .. } in &outcomes {
                            let progress = &outcome.progress;
                            self.reporter.interrupted(&progress.pull, Some(progress), &came);
                        }
                        return (Vec::new(), Exit::Interrupted);
                    }
                }
            }
        };
        let explanations = tokio::select! {
            explanations = robot_state::explanations(
                &self.client,
                &self.events,
                outcomes.iter().map(|it| &it.outcome),
            ) => explanations,
            () = wiring::told(self.interrupted.clone()) => BTreeMap::new(),
        };
        let mut published = Vec::new();
        for (mut summary, pulled) in summaries.into_iter().zip(outcomes) {
            if let Some(state) = explanations.get(&pulled.outcome.progress.pull.robot_id) {
                summary.explain(state);
            }
            exits.push(summary.exit);
            let (revision, is_short) = (summary.revision, summary.is_short());
            self.reporter.summary(summary, &pulled.outcome.progress.pull);
            published.push(Written { pulled, revision, is_short });
        }
        (published, Exit::worst(exits))
    }
}
