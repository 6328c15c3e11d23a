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
