//! Publication of the lists of one place, and their summaries.

use std::path::Path;

use qopen::journal::PullId;
use qopen::sink::ListKind;
use qopen::{Outcome, PublishError, PublishOptions, Published, Status};

use crate::database;
use crate::exit::{Exit, chain};
use crate::output::Output;
use crate::report::{Came, Summary};

/// Publishes lists of one place if all are complete, else writes them beside it.
pub(crate) async fn publish(
    output: &Output,
    outcomes: &[Outcome],
    whole: bool,
    came: &Came,
    options: PublishOptions,
) -> Vec<Summary> {
    let complete = |it: &Outcome| matches!(it.status, Status::Complete(_));
    let kind = match whole && outcomes.iter().all(complete) {
        true => ListKind::Complete,
        false => ListKind::Partial,
    };
    let something =
        |it: &Outcome| it.progress.figures.pages + it.progress.figures.unreadable_pages > 0;
    let worth_keeping = |it: &&Outcome| kind == ListKind::Complete || something(it);
    let lists: Vec<_> = outcomes.iter().filter(worth_keeping).map(|it| it.list.clone()).collect();
    let written = match lists.is_empty() {
        true => None,
        false => Some(output.publish(lists, kind, options).await),
    };
    let summarise = |outcome: &Outcome| {
        let mut summary = Summary::of(outcome, came);
        if let Some(written) = &written {
            add_written(&mut summary, outcome, kind, written.as_ref());
        }
        summary
    };
    outcomes.iter().map(summarise).collect()
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
        summary.changes = list.changes;
        summary.output = Some(published.location.clone());
        let is_database = database::of(Path::new(&published.location)).is_some();
        summary.is_kept_apart = kind == ListKind::Partial && is_database;
        summary.quarantine_file.clone_from(&published.set_aside);
    }
}

fn add_failure(summary: &mut Summary, id: &PullId, error: &PublishError) {
    let why = chain("", error);
    match error {
        PublishError::Superseded { pull, .. } if pull == id => return summary.superseded(why),
        // Complete by its own evidence, but kept back.
        PublishError::Empty { .. } => return summary.keep_back(why),
        // Superseded, too: both lists share one file.
        _ => summary.exit = Exit::Output,
    }
    (summary.error, summary.why) = (Some(why.clone()), why);
}
