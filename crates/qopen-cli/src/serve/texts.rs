//! Log lines of a service about its pulls.

use std::collections::BTreeMap;
use std::sync::Arc;

use qopen::engine::{CustomerDifference, RepeatReason, ServiceEvent, ServiceObserver};
use qopen::journal::PullId;
use qopen::sink::ListKind;
use qopen::{Client, Outcome, PublishError, Published};
use tokio::sync::watch;
use tracing::Level;

use super::arrivals::Arrivals;
use super::metrics::Publications;
use super::webhooks::Webhooks;
use crate::exit::chained;
use crate::lang::{Phrase, phrase};
use crate::pull::add_written;
use crate::report::{CUSTOMERS_ARE, Summary, end_state, ended};
use crate::robot_events::RobotEvents;
use crate::say::{self, one_line, say, tell};
use crate::topics::lists;
use crate::{robot_state, wiring};

/// Prints the events of each pull, one line each.
pub(super) struct Texts {
    pub(super) arrivals: Arrivals,
    pub(super) publications: Arc<Publications>,
    pub(super) client: Client,
    pub(super) events: Arc<RobotEvents>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) webhooks: Option<Webhooks>,
}

impl Texts {
    /// Prints the end of a pull, with its written list.
    fn summary(&self, outcome: &Outcome, written: Option<Result<&Published, &PublishError>>) {
        let mut summary = Summary::of(outcome, &self.arrivals.came());
        if let Some(written) = written {
            let kind = match outcome.status.is_complete() {
                true => ListKind::Complete,
                false => ListKind::Partial,
            };
            add_written(&mut summary, outcome, kind, written);
        }
        let is_written = !matches!(written, Some(Err(_)));
        if !is_written || !robot_state::may_explain(outcome) {
            tell_end(&summary);
            return;
        }
        // An observer must not block.
        let (client, events) = (self.client.clone(), Arc::clone(&self.events));
        let (outcome, stopping) = (outcome.clone(), self.stopping.clone());
        tokio::spawn(async move {
            let explanations = tokio::select! {
                known = robot_state::explanations(&client, &events, std::iter::once(&outcome)) => known,
                () = wiring::told(stopping) => BTreeMap::new(),
            };
            explanations.values().for_each(|it| summary.explain(it));
            tell_end(&summary);
        });
    }
}

impl ServiceObserver for Texts {
    fn observe(&self, event: ServiceEvent<'_>) {
        self.publications.count(&event);
        if let Some(webhooks) = &self.webhooks {
            webhooks.of_list(&event, &self.arrivals);
        }
        match event {
            ServiceEvent::External { pull } => {
                tell!(
                    "collecting {pull}, which another system requested",
                    "正在收集由其他系统请求的 {pull}",
                    pull = Phrase::from(pull),
                );
            }
            ServiceEvent::Refused { pull, why } => {
                let mark = &pull.mark_id;
                tell!(
                    "the list of mark {mark} will not be published: {why}; `qopen pulls export {mark} --out FILE` writes it",
                    "不会发布标记 {mark} 的列表：{why}；`qopen pulls export {mark} --out FILE` 可写出它",
                    mark = mark,
                    why = why,
                );
            }
            ServiceEvent::NotResumed { pull, error } => {
                let what = phrase!("{pull} cannot be resumed", "{pull} 无法继续", pull = pull);
                say!("qopen: {}", chained(what, error).shown());
            }
            ServiceEvent::RequestedAnew { pull, status, mark } => {
                tell!(
                    "{pull} was interrupted and is {state}: {why}; requesting the list anew, mark {mark}",
                    "{pull} 曾中断且{state}：{why}；正在重新请求列表，标记 {mark}",
                    pull = Phrase::from(pull),
                    state = end_state(&status.end_state()),
                    why = ended(status).map(one_line),
                    mark = mark,
                );
            }
            ServiceEvent::NotRequestedAnew { pull, error } => {
                let what = phrase!(
                    "{pull}: its list cannot be requested anew",
                    "{pull}：无法重新请求其列表",
                    pull = Phrase::from(pull),
                );
                say!("qopen: {}", chained(what, error).shown());
            }
            ServiceEvent::Repeated { outcome, mark, reason } => {
                let pull = &outcome.progress.pull;
                tell!(
                    "{pull}: {why}, mark {mark}",
                    "{pull}：{why}，标记 {mark}",
                    pull = Phrase::from(pull),
                    why = repeated(reason),
                    mark = mark,
                );
            }
            ServiceEvent::NotConfirmed { outcome, difference } => {
                let PullId { robot_id, mark_id } = &outcome.progress.pull;
                let differing = difference.map(differs);
                let differing = differing.map(|it| phrase!(": {it}", "：{it}", it = it));
                let said = phrase!(
                    "robot {robot}: no two consecutive lists have the same customers{differing}; `qopen pulls accept {mark}` publishes the last one",
                    "机器人 {robot}：没有连续两份列表的客户相同{differing}；`qopen pulls accept {mark}` 可发布最后一份",
                    robot = robot_id,
                    differing = differing.unwrap_or_default(),
                    mark = mark_id,
                );
                say::remark(Level::INFO, &lists::NOT_CONFIRMED, &said);
            }
            ServiceEvent::StillHeld { held, .. } => {
                let PullId { robot_id, mark_id } = &held.pull;
                let said = phrase!(
                    "robot {robot}: no pull confirmed the list of {mark}; `qopen pulls accept {mark}` publishes it",
                    "机器人 {robot}：没有拉取确认 {mark} 的列表；`qopen pulls accept {mark}` 可发布它",
                    robot = robot_id,
                    mark = mark_id,
                );
                say::remark(Level::INFO, &lists::NOT_CONFIRMED, &said);
            }
            ServiceEvent::Ended { outcome } => self.summary(outcome, None),
            ServiceEvent::Published { outcome, published } => {
                self.summary(outcome, Some(Ok(published)));
            }
            ServiceEvent::NotPublished { outcome, error } => {
                self.summary(outcome, Some(Err(error)));
            }
            _ => {}
        }
    }
}

/// Prints the end of a pull on one line.
fn tell_end(summary: &Summary) {
    let line = summary.to_line();
    match summary.topic {
        Some(topic) => say::remark(Level::INFO, topic, &line),
        None => say!("qopen: {}", line.shown()),
    }
}

/// Explains why a list is pulled again.
fn repeated(reason: RepeatReason) -> Phrase {
    let to_confirm = || phrase!("pulling again to confirm its list", "再次拉取以确认其列表");
    match reason {
        RepeatReason::ToConfirm(Some(difference)) => phrase!(
            "{differs}; {again}",
            "{differs}；{again}",
            differs = differs(difference),
            again = to_confirm(),
        ),
        RepeatReason::LacksPages => {
            phrase!("the list lacks pages; requesting it anew", "列表缺少分页；正在重新请求")
        }
        _ => to_confirm(),
    }
}

/// Describes how the customers of two lists differ.
fn differs(difference: CustomerDifference) -> Phrase {
    let CustomerDifference { only_first, only_second, .. } = difference;
    phrase!(
        "{first} only in the list before, {second} only in this one",
        "{first}只在前一份列表中，{second}只在这一份中",
        first = CUSTOMERS_ARE.count(only_first),
        second = CUSTOMERS_ARE.count(only_second),
    )
}
