//! Log lines of a service about its pulls.

use std::collections::BTreeMap;
use std::sync::Arc;

use qopen::engine::{CustomerDifference, RepeatReason, ServiceEvent, ServiceObserver};
use qopen::journal::PullId;
use qopen::sink::ListKind;
use qopen::{Client, Outcome, PublishError, Published};
use tokio::sync::watch;

use super::arrivals::Arrivals;
use super::metrics::Publications;
use super::webhooks::Webhooks;
use crate::exit::chain;
use crate::pull::add_written;
use crate::report::{Summary, count};
use crate::robot_events::RobotEvents;
use crate::say::{one_line, say};
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
            say!("qopen: {}", summary.to_line());
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
            say!("qopen: {}", summary.to_line());
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
                say!("qopen: collecting {pull}, which another system requested");
            }
            ServiceEvent::Refused { pull, why } => {
                let mark = &pull.mark_id;
                say!(
                    "qopen: the list of mark {mark} will not be published: {why}; `qopen pulls export {mark} --out FILE` writes it"
                );
            }
            ServiceEvent::NotResumed { pull, error } => {
                let what = format!("{pull} cannot be resumed");
                say!("qopen: {}", chain(&what, error));
            }
            ServiceEvent::RequestedAnew { pull, status, mark } => {
                say!(
                    "qopen: {pull} was interrupted and is {}: {}; requesting the list anew, mark {mark}",
                    status.end_state(),
                    one_line(&status.to_string())
                );
            }
            ServiceEvent::NotRequestedAnew { pull, error } => {
                let what = format!("{pull}: its list cannot be requested anew");
                say!("qopen: {}", chain(&what, error));
            }
            ServiceEvent::Repeated { outcome, mark, reason } => {
                let pull = &outcome.progress.pull;
                say!("qopen: {pull}: {}, mark {mark}", repeated(reason));
            }
            ServiceEvent::NotConfirmed { outcome, difference } => {
                let PullId { robot_id, mark_id } = &outcome.progress.pull;
                let differing =
                    difference.map_or_else(String::new, |it| format!(": {}", differs(it)));
                say!(
                    "qopen: robot {robot_id}: no two consecutive lists have the same customers{differing}; `qopen pulls accept {mark_id}` publishes the last one"
                );
            }
            ServiceEvent::StillHeld { held, .. } => {
                let PullId { robot_id, mark_id } = &held.pull;
                say!(
                    "qopen: robot {robot_id}: no pull confirmed the list of {mark_id}; `qopen pulls accept {mark_id}` publishes it"
                );
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

/// Explains why a list is pulled again.
fn repeated(reason: RepeatReason) -> String {
    match reason {
        RepeatReason::ToConfirm(Some(difference)) => {
            format!("{}; pulling again to confirm its list", differs(difference))
        }
        RepeatReason::LacksPages => "the list lacks pages; requesting it anew".to_owned(),
        _ => "pulling again to confirm its list".to_owned(),
    }
}

/// Describes how the customers of two lists differ.
fn differs(difference: CustomerDifference) -> String {
    let CustomerDifference { only_first, only_second, .. } = difference;
    let customers = |number| count(number, "customer is", "customers are");
    format!(
        "{} only in the list before, {} only in this one",
        customers(only_first),
        customers(only_second)
    )
}
