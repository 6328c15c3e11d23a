//! The order of a sink's lists.

use std::sync::Arc;

use qopen_journal::{Journal, JournalError, Note, Noted, PullId, PullState};
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
    let PullId { robot_id, mark_id } = &replaced_by.pull;
    for earlier in journal.pulls_of(robot_id).await? {
        let is_replaced = earlier.order < replaced_by.order && !earlier.is_superseded();
        let Some((location, revision)) = published(&earlier).filter(|_| is_replaced) else {
            continue;
        };
        if location == place {
            let by = Some(mark_id.clone());
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
    let all = journal.pulls_of(&id.robot_id).await?;
    let Some(own) = all.iter().find(|it| it.pull == *id).map(|it| it.order) else {
        return Ok(None);
    };
    let stands_there = |state: &PullState| match state.published().map(|noted| &noted.note) {
        Some(Note::Published { location, .. }) => sink.is_at(location),
        _ => false,
    };
    let mut later: Vec<_> =
        all.into_iter().filter(|it| it.order > own && stands_there(it)).collect();
    later.sort_by_key(|it| it.order);
    Ok(later.pop().map(|it| it.pull))
}

/// The earlier pulls of the same robot whose lists are held for the place.
pub(super) async fn held_before(
    journal: &dyn Journal,
    id: &PullId,
    sink: &dyn Sink,
) -> Result<Vec<PullState>, JournalError> {
    let mut all = journal.pulls_of(&id.robot_id).await?;
    let Some(own) = all.iter().position(|it| it.pull == *id) else { return Ok(Vec::new()) };
    let own = all.swap_remove(own);
    all.retain(|it| {
        it.order < own.order && it.held().is_some_and(|held| is_for(held, it, &own, sink))
    });
    Ok(all)
}

/// Whether a held list is for the sink, in which `own` is published. A sink without room beside its list gives
/// the held one no location.
fn is_for(held: &Noted, state: &PullState, own: &PullState, sink: &dyn Sink) -> bool {
    let label = |state: &PullState| state.started().map(|(_, started)| started.label.clone());
    match &held.note {
        Note::Held { location: Some(location), .. } => sink.is_held_at(location),
        _ => order_at(state, sink).is_some() || label(state) == label(own),
    }
}
