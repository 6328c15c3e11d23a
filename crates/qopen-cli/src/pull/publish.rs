//! Publication of the lists of one place, and their summaries.

use qopen::engine::LeftOutRobot;
use qopen::journal::PullId;
use qopen::sink::{ListKind, SinkError};
use qopen::types::MarkId;
use qopen::{Outcome, PublishError, PublishOptions, Published};
use tracing::Level;

use crate::exit::{Exit, chained};
use crate::lang::{Phrase, phrase};
use crate::output::Output;
use crate::report::{CUSTOMERS_ARE, Came, Step, Summary};
use crate::say;
use crate::topics::{Topic, exits, lists};

/// Whether another pull brought the same customers.
#[derive(Clone, Debug)]
pub(crate) enum Confirmation {
    NotAsked,
    /// The earlier pull.
    By(MarkId),
    /// No two consecutive lists had the same customers, for this reason.
    Failed(Phrase),
}

impl Confirmation {
    /// The confirmation of a later revision: nothing confirms its new customers.
    pub(super) fn of_revision(self) -> Self {
        match self {
            Self::By(_) => Self::NotAsked,
            other => other,
        }
    }
}

/// A pull that ended, and whether another one confirmed it.
#[derive(Clone)]
pub(crate) struct Pulled {
    pub(crate) outcome: Outcome,
    pub(crate) confirmation: Confirmation,
}

impl From<Outcome> for Pulled {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, confirmation: Confirmation::NotAsked }
    }
}

impl Pulled {
    fn is_complete(&self) -> bool {
        self.outcome.status.is_complete() && !matches!(self.confirmation, Confirmation::Failed(_))
    }

    fn is_something(&self) -> bool {
        let figures = &self.outcome.progress.figures;
        figures.pages + figures.unreadable_pages > 0
    }

    /// Returns the summary of a list that is not written yet.
    pub(crate) fn summary(&self, came: &Came) -> Summary {
        let mut summary = Summary::of(&self.outcome, came);
        match &self.confirmation {
            Confirmation::By(mark) => summary.confirmed(mark),
            Confirmation::Failed(why) => {
                summary.keep_back_decided(&lists::NOT_CONFIRMED, why.clone());
            }
            Confirmation::NotAsked => {}
        }
        summary
    }
}

/// Publishes lists of one place if all are complete, else writes them beside it.
pub(crate) async fn publish(
    output: &Output,
    pulled: &[Pulled],
    whole: bool,
    came: &Came,
    options: &PublishOptions,
) -> Vec<Summary> {
    let kind = match whole && pulled.iter().all(Pulled::is_complete) {
        true => ListKind::Complete,
        false => ListKind::Partial,
    };
    let is_kept = |it: &&Pulled| kind == ListKind::Complete || it.is_something();
    let lists: Vec<_> = pulled.iter().filter(is_kept).map(|it| it.outcome.list.clone()).collect();
    // Two empty lists are evidence that nothing is there.
    let confirmed = pulled.iter().all(|it| matches!(it.confirmation, Confirmation::By(_)));
    let options = options.clone().allow_empty(options.allow_empty || confirmed);
    let written = match lists.is_empty() {
        true => None,
        false => Some(output.publish(lists, kind, options).await),
    };
    if let Some(Ok(published)) = &written {
        say_left_out(published);
    }
    let summarise = |it: &Pulled| {
        let mut summary = it.summary(came);
        if let Some(written) = &written {
            add_written(&mut summary, &it.outcome, kind, written.as_ref());
        }
        if summary.step == Some(Step::Quarantine) {
            let mark = |it: &Pulled| it.outcome.progress.pull.mark_id.clone();
            summary.marks = pulled.iter().map(mark).collect();
        }
        summary
    };
    pulled.iter().map(summarise).collect()
}

/// Prints the robots of the last list that a published one leaves out.
pub(crate) fn say_left_out(published: &Published) {
    for LeftOutRobot { robot_id, accounts, .. } in &published.left_out {
        let said = phrase!(
            "robot {robot} is left out: its {customers} gone from {location}",
            "不含机器人 {robot}：{location} 中不再有它的 {customers}",
            robot = robot_id,
            customers = CUSTOMERS_ARE.count(*accounts),
            location = published.location,
        );
        say::remark(Level::INFO, &lists::LEFT_OUT, &said);
    }
}

/// Adds the written list to a pull's summary, or the reason why nothing was written.
pub(crate) fn add_written(
    summary: &mut Summary,
    outcome: &Outcome,
    kind: ListKind,
    written: Result<&Published, &PublishError>,
) {
    let id = &outcome.progress.pull;
    let published = match written {
        Ok(published) => published,
        Err(error) => return add_failure(summary, id, error),
    };
    if let Some(list) = published.lists.iter().find(|list| list.id == *id) {
        summary.accounts = list.accounts;
        summary.quarantined = list.quarantined;
        summary.unread_fields = list.unread_fields;
        list.readings.iter().for_each(|it| summary.count_reading(it));
        summary.revision = list.revision;
        summary.revised = list.changes;
        summary.changes = list.comparison();
        summary.based_on(list.evidence.as_ref(), list.basis.as_ref());
        summary.gone_unverified =
            list.gone_check.map(|it| it.unverified).filter(|unverified| *unverified > 0);
        summary.output = Some(published.location.clone());
        // A partial list has a file of its own, or tables of its own in the database.
        let is_database = !published.location.ends_with(".partial");
        summary.is_kept_apart = kind == ListKind::Partial && is_database;
        summary.quarantine_file.clone_from(&published.set_aside);
    }
}

fn add_failure(summary: &mut Summary, id: &PullId, error: &PublishError) {
    let (why, topic) = (chained("", error), topic_of(error));
    match error {
        PublishError::Superseded { pull, .. } if pull == id => return summary.superseded(why),
        // Complete by its own evidence, but kept back.
        PublishError::PagesLost { location, .. }
        | PublishError::Held { location, .. }
        | PublishError::RobotsLeftOut { location, .. } => {
            summary.output.clone_from(location);
            summary.is_kept_apart = location.is_some();
            return match error {
                // Another pull may bring the lost page.
                PublishError::PagesLost { .. } => summary.keep_back(topic, why),
                _ => summary.keep_back_decided(topic, why),
            };
        }
        PublishError::Empty { .. } | PublishError::Unverified { .. } => {
            summary.keep_back_decided(topic, why);
            summary.step = Some(Step::AllowEmpty);
            if let PublishError::Unverified { unverified, .. } = error {
                summary.gone_unverified = Some(*unverified);
                summary.step = Some(Step::Verify);
            }
            return;
        }
        // The journal says that the pull is open again.
        error if error.is_loss() => {
            let why = phrase!("{why}; pull again", "{why}；请重新拉取", why = why);
            return summary.keep_back(topic, why);
        }
        PublishError::Unfit { location, .. } => {
            summary.output = Some(location.clone());
            summary.is_kept_apart = true;
            summary.exit = Exit::Output;
        }
        // Superseded, too: both lists share one file.
        _ => summary.exit = Exit::Output,
    }
    summary.step = Some(match error {
        PublishError::Sink(SinkError::Previous { .. } | SinkError::PreviousRows { .. }) => {
            Step::NewBaseline
        }
        PublishError::Superseded { .. } => Step::Again,
        _ => Step::PublishAgain,
    });
    summary.topic = Some(topic);
    (summary.error, summary.why) = (Some(why.clone()), why);
}

/// What explains that a list was not published.
fn topic_of(error: &PublishError) -> &'static Topic {
    match error {
        PublishError::Superseded { .. } => &lists::SUPERSEDED,
        PublishError::PagesLost { .. } => &lists::PAGES_LOST,
        PublishError::Held { .. } => &lists::HELD,
        PublishError::RobotsLeftOut { .. } => &lists::ROBOTS_LEFT_OUT,
        PublishError::Empty { .. } => &lists::EMPTY_LIST,
        PublishError::Unverified { .. } => &lists::GONE_UNVERIFIED,
        PublishError::Sink(SinkError::Previous { .. } | SinkError::PreviousRows { .. }) => {
            &lists::NOT_COMPARABLE
        }
        error if error.is_loss() => &lists::JOURNAL_LOST,
        _ => &exits::OUTPUT,
    }
}
