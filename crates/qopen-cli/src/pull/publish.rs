//! Publication of the lists of one place, and their summaries.

use qopen::journal::EndState;
use qopen::sink::ListKind;
use qopen::{Outcome, PublishOptions, Status};

use crate::exit::Exit;
use crate::output::{Output, Unpublished};
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
        let id = &outcome.progress.pull;
        let mut summary = Summary::of(outcome, came);
        match &written {
            Some(Ok(written)) => {
                if let Some(list) = written.lists.iter().find(|list| list.id == *id) {
                    summary.accounts = list.accounts;
                    summary.quarantined = list.quarantined;
                    summary.unread_fields = list.unread_fields;
                    list.readings.iter().for_each(|it| summary.count_reading(it));
                    summary.revision = list.revision;
                    summary.changes = list.changes;
                    summary.output = Some(written.location.clone());
                    summary.is_kept_apart =
                        kind == ListKind::Partial && matches!(output, Output::Database(_));
                    summary.quarantine_file.clone_from(&written.quarantine);
                }
            }
            Some(Err(Unpublished::Superseded(pull, why))) if pull == id => {
                summary.superseded(why.clone());
            }
            // Both lists share one file.
            Some(Err(Unpublished::Superseded(_, why))) => {
                summary.exit = Exit::Output;
                (summary.error, summary.why) = (Some(why.clone()), why.clone());
            }
            Some(Err(Unpublished::Failed(failure))) => {
                if failure.exit == Exit::Incomplete {
                    // Complete by its own evidence, but kept back.
                    (summary.status, summary.basis) = (EndState::Incomplete, None);
                }
                summary.exit = failure.exit;
                summary.error = Some(failure.to_string());
                summary.why = failure.to_string();
            }
            None => {}
        }
        summary
    };
    outcomes.iter().map(summarise).collect()
}
