//! The order of a sink's lists.

use std::sync::Arc;

use qopen_journal::{Journal, JournalError, Note, PullId, PullState};
use qopen_sink::{Sink, SinkError};

/// The place that a pull has in the order of a sink's lists.
pub(crate) fn order_at(state: &PullState, sink: &dyn Sink) -> Option<u64> {
    state.notes.iter().rev().find_map(|noted| match &noted.note {
        Note::Ordered { location, order } if sink.is_at(location) => Some(*order),
        _ => None,
    })
}

/// A sink's next place in the order of lists, to note with a pull; `None` if it keeps no order.
pub(crate) async fn next_order(sink: Arc<dyn Sink>) -> Result<Option<Note>, SinkError> {
    let asked = tokio::task::spawn_blocking(move || {
        let order = sink.next_order()?;
        Ok(order.zip(sink.place()).map(|(order, location)| Note::Ordered { location, order }))
    });
    // It ends early only with the runtime.
    asked.await.unwrap_or(Ok(None))
}

/// Notes that the list of a pull, which is about to be deleted, replaced the robot's earlier ones in its place:
/// the place does not hold them any more.
///
/// # Errors
/// [`JournalError`], if the journal cannot be used.
pub async fn supersede_earlier(
    journal: &dyn Journal,
    replaced_by: &PullState,
) -> Result<(), JournalError> {
    let published = |state: &PullState| match state.published().map(|noted| &noted.note) {
        Some(Note::Published { location, revision, .. }) => Some((location.clone(), *revision)),
        _ => None,
    };
    let Some((place, _)) = published(replaced_by) else { return Ok(()) };
    let all = journal.pulls_of(&replaced_by.pull.robot_id).await?;
    let replaced = |earlier: &PullState| {
        let (location, revision) = published(earlier).filter(|_| !earlier.is_superseded())?;
        (location == place).then_some(revision)
    };
    supersede(journal, &all, replaced_by, replaced).await
}

/// Notes that the list of a pull, which was published, supersedes the robot's earlier ones that are held for its
/// place.
pub(super) async fn supersede_held(
    journal: &dyn Journal,
    id: &PullId,
    sink: &dyn Sink,
) -> Result<(), JournalError> {
    let with_held = journal.pulls_with_held_lists(&id.robot_id).await?;
    if with_held.is_empty() {
        return Ok(());
    }
    let Some(own) = &journal.pull(id).await? else { return Ok(()) };
    let held = |earlier: &PullState| match &earlier.held()?.note {
        Note::Held { revision, location, .. } => {
            is_for(location.as_deref(), earlier, own, sink).then_some(*revision)
        }
        _ => None,
    };
    supersede(journal, &with_held, own, held).await
}

/// Notes that a pull supersedes the earlier ones of these for which `revision` gives the revision of a list.
async fn supersede(
    journal: &dyn Journal,
    all: &[PullState],
    by: &PullState,
    revision: impl Fn(&PullState) -> Option<u32>,
) -> Result<(), JournalError> {
    for earlier in all.iter().filter(|it| it.order < by.order) {
        if let Some(revision) = revision(earlier) {
            let by = Some(by.pull.mark_id.clone());
            journal.note(&earlier.pull, Note::Superseded { by, revision }).await?;
        }
    }
    Ok(())
}

/// The later pull of the same robot, by the journal's order of starts, whose list the place holds.
pub(super) async fn successor(
    journal: &dyn Journal,
    id: &PullId,
    sink: &dyn Sink,
) -> Result<Option<PullId>, JournalError> {
    let stands_there = |state: &PullState| match state.published().map(|noted| &noted.note) {
        Some(Note::Published { location, .. }) => sink.is_at(location),
        _ => false,
    };
    let later = journal.later_pulls(id).await?.into_iter().filter(stands_there);
    Ok(later.max_by_key(|it| it.order).map(|it| it.pull))
}

/// Whether a list that is held at that location is for the sink, in which `own` is published. A sink without room
/// beside its list gives the held one no location.
fn is_for(location: Option<&str>, held: &PullState, own: &PullState, sink: &dyn Sink) -> bool {
    let label = |state: &PullState| state.started().map(|(_, started)| started.label.clone());
    match location {
        Some(location) => sink.is_held_at(location),
        None => order_at(held, sink).is_some() || label(held) == label(own),
    }
}
