//! Publishes lists: reads their pages back from the journal, and writes the winners once, in order.

mod compare;
mod guard;
mod merge;
mod options;
mod published;
mod verify;

use std::sync::Arc;

use qopen_journal::{Fencing, Journal, JournalError, Note, PullId, PullState};
use qopen_sink::{Committed, ListInfo, ListKind, Moved, Quarantine, Sink, SinkError};
use qopen_types::Readings;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::held_claim;
use crate::outcome::{Outcome, PulledList};
use compare::compare;
pub use guard::{MaxGone, ParseMaxGoneError};
use merge::Publication;
pub use merge::quarantine_line;
pub use options::PublishOptions;
pub use published::{PublishError, Published, PublishedList};
use verify::Gone;
pub use verify::{AccountLookup, GoneCheck, LOOKUP_LIMIT, LookupError};

/// Publishes lists together, as one: each robot's customers in the order of their ids.
///
/// Memory does not grow with profiles: the winners are streamed from the journal through a bounded
/// sort. If the future is dropped, the work goes on in the background until it is done.
///
/// # Errors
/// [`PublishError`]; nothing was replaced then.
pub async fn publish(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
) -> Result<Published, PublishError> {
    publish_with(lists, sink, kind, PublishOptions::default()).await
}

impl Outcome {
    /// Publishes the list, as [`publish`] does: as a complete one if its status
    /// [is complete](crate::Status::is_complete), otherwise as a partial one.
    ///
    /// # Errors
    /// [`PublishError`]; nothing was replaced then.
    pub async fn publish(&self, sink: Arc<dyn Sink>) -> Result<Published, PublishError> {
        let kind = match self.status.is_complete() {
            true => ListKind::Complete,
            false => ListKind::Partial,
        };
        publish(vec![self.list.clone()], sink, kind).await
    }
}

/// As [`publish`], with options.
///
/// # Errors
/// [`PublishError`]; nothing was replaced then.
pub async fn publish_with(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
    options: PublishOptions,
) -> Result<Published, PublishError> {
    write(lists, sink, kind, Purpose::Publication(options)).await
}

/// Writes lists as [`publish`] does, for a single reader: the journal does not note a publication.
///
/// # Errors
/// [`PublishError`].
pub async fn export(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
) -> Result<Published, PublishError> {
    write(lists, sink, ListKind::Complete, Purpose::Reading).await
}

/// Why lists are written.
enum Purpose {
    /// To replace the list in the sink. The journal notes complete ones.
    Publication(PublishOptions),
    /// For a single reader.
    Reading,
}

async fn write(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
    purpose: Purpose,
) -> Result<Published, PublishError> {
    let runtime = Handle::current();
    let work = move || {
        // Its steps are timed by the runtime's clock.
        let _entered = runtime.enter();
        let work = Work { lists: &lists, sink: &*sink, runtime: &runtime };
        let done = work.run(kind, purpose);
        for held_claim in lists.iter().filter_map(|list| list.held_claim.as_ref()) {
            held_claim.publication_moved(None);
        }
        done
    };
    // A thread of its own: it waits for reads on the runtime's blocking threads, and for slow
    // readers, and must not occupy those threads itself.
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("qopen-publish".into());
    // The caller may have gone; the list is published all the same.
    let thread = thread.spawn(move || drop(done.send(work())));
    thread.map_err(|_| PublishError::Shutdown)?;
    result.await.map_err(|_| PublishError::Shutdown)?
}

/// Lists on their way into a sink. Runs on a thread that may block.
struct Work<'a> {
    lists: &'a [PulledList],
    sink: &'a dyn Sink,
    runtime: &'a Handle,
}

impl Work<'_> {
    fn run(&self, kind: ListKind, purpose: Purpose) -> Result<Published, PublishError> {
        let Self { lists, sink, runtime } = *self;
        let is_complete = kind == ListKind::Complete;
        // Unreadable items replace the earlier ones. The journal notes the list.
        let (keep, note, options) = match purpose {
            Purpose::Publication(options) => (true, is_complete, options),
            Purpose::Reading => (false, false, PublishOptions::default()),
        };
        let claims: Vec<_> = lists.iter().filter_map(|list| list.held_claim.clone()).collect();
        let clock = runtime.clone();
        let moved = move || {
            // A thread that does not belong to the runtime has another clock than it while tokio's is
            // paused.
            let _entered = clock.enter();
            let now = Instant::now();
            claims.iter().for_each(|held_claim| held_claim.publication_moved(Some(now)));
        };
        moved();
        let mut orders = Vec::new();
        for list in lists {
            let order = self.order_of(list)?;
            if note {
                self.must_not_be_superseded(list, order)?;
            }
            orders.push(order);
        }
        let mut writer = sink.begin(kind).map_err(PublishError::Sink)?;
        moved();
        let moved: Moved = Arc::new(moved);
        writer.tell(Arc::clone(&moved));
        let mut quarantine = Quarantine::in_folder(sink.scratch());
        let mut done = Vec::new();
        for (list, order) in lists.iter().zip(&orders) {
            let one = Publication {
                list,
                order: *order,
                runtime,
                scratch: sink.scratch(),
                writer: &mut *writer,
                quarantine: &mut quarantine,
                moved: &moved,
                unread_fields: 0,
                readings: Readings::PLAIN,
            };
            let one = one.run()?;
            let robot = &one.id.robot_id;
            if note
                && !options.allow_empty
                && one.accounts == 0
                && sink.holds(robot).map_err(PublishError::Sink)?
            {
                return Err(PublishError::Empty { robot: robot.clone() });
            }
            done.push(one);
        }
        let quarantine = match keep {
            true => writer.set_aside(quarantine).map_err(PublishError::Sink)?.unwrap_or_default(),
            false => quarantine,
        };
        writer.settle().map_err(PublishError::Sink)?;
        moved();
        let mut hold = None;
        if note {
            let mut gone = match &options.verify_gone {
                Some(_) => Some(Gone::in_folder(sink.scratch()).map_err(PublishError::Sink)?),
                None => None,
            };
            compare(&mut *writer, options.compare, &mut gone, &mut done)?;
            moved();
            hold = self.check_gone(&options, gone, &mut done, &*moved)?;
        }
        // Check and commit are short, and exclude other processes.
        let _held = match note {
            true => sink.hold().map_err(PublishError::Sink)?,
            false => Box::new(()),
        };
        for (list, order) in lists.iter().zip(&orders).filter(|_| note) {
            self.must_not_be_superseded(list, *order)?;
        }
        for held_claim in lists.iter().filter_map(|list| list.held_claim.as_ref()).filter(|_| note)
        {
            match runtime.block_on(held_claim.check()).map_err(PublishError::Journal)? {
                Fencing::Held => {}
                _ => return Err(PublishError::Fenced),
            }
        }
        if let Some(hold) = hold {
            return Err(self.hold(writer, hold, &done));
        }
        let note_of = |it: &PublishedList, place: &str| {
            let PublishedList { revision, accounts, pages, quarantined, changes, .. } = *it;
            let (location, set_aside, compared) = (place.to_owned(), quarantined, it.comparison());
            Note::Published { revision, accounts, pages, location, set_aside, changes, compared }
        };
        // Where list and journal are in one storage, both change in one transaction or neither does.
        let mut noted = vec![!note; lists.len()];
        let place = sink.place();
        if let Some(place) = &place {
            for ((list, it), noted) in lists.iter().zip(&done).zip(&mut noted).filter(|_| note) {
                let claimed = list
                    .held_claim
                    .as_ref()
                    .and_then(|held| held.claimed_note(&note_of(it, place)));
                if let Some(claimed) = claimed {
                    *noted = writer.add_note(claimed).map_err(PublishError::Sink)?.is_none();
                }
            }
        }
        let Committed { location, set_aside, .. } = match writer.commit() {
            Ok(committed) => committed,
            Err(SinkError::Declined) => return Err(PublishError::Fenced),
            Err(SinkError::Superseded) => {
                // Asked about each list, the sink says which one is superseded.
                for (list, order) in lists.iter().zip(&orders) {
                    self.must_not_be_superseded(list, *order)?;
                }
                return Err(PublishError::Sink(SinkError::Superseded));
            }
            Err(error) => return Err(PublishError::Sink(error)),
        };
        let place = place.unwrap_or_else(|| location.clone());
        for ((list, it), _) in lists.iter().zip(&done).zip(noted).filter(|(_, noted)| !noted) {
            let (journal, held_claim) = (&*list.journal, list.held_claim.as_ref());
            let note = note_of(it, &place);
            match runtime.block_on(held_claim::note(journal, held_claim, &list.id, note)) {
                Ok(Fencing::Fenced) => return Err(PublishError::Fenced),
                Ok(_) => {}
                // The list is in its place: that this could not be noted does not undo it.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(pull = %list.id, error, "the publication was not journaled");
                }
            }
        }
        Ok(Published { location, lists: done, set_aside, quarantine })
    }

    /// The place that the pull has in the order of the sink's lists.
    fn order_of(&self, list: &PulledList) -> Result<Option<u64>, PublishError> {
        let state = self.runtime.block_on(list.journal.facts_of(&list.id));
        let state = state.map_err(PublishError::Journal)?;
        Ok(state.and_then(|state| order_at(&state, self.sink)))
    }

    /// Fails with `Superseded`, and notes it, if the place holds a later list.
    fn must_not_be_superseded(
        &self,
        list: &PulledList,
        order: Option<u64>,
    ) -> Result<(), PublishError> {
        let Self { sink, runtime, .. } = *self;
        let PulledList { id, journal, held_claim, .. } = list;
        let successor = runtime.block_on(successor(&**journal, id, sink));
        let by = successor.map_err(PublishError::Journal)?.map(|later| later.mark_id);
        let info = ListInfo::new(&id.robot_id, &id.mark_id, list.revision()).order(order);
        if by.is_none() && !sink.is_superseded(&info).map_err(PublishError::Sink)? {
            return Ok(());
        }
        let note = Note::Superseded { by: by.clone(), revision: list.revision() };
        let noted = runtime.block_on(held_claim::note(&**journal, held_claim.as_ref(), id, note));
        match noted.map_err(PublishError::Journal)? {
            Fencing::Held => Err(PublishError::Superseded { pull: id.clone(), by }),
            _ => Err(PublishError::Fenced),
        }
    }
}

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
async fn successor(
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
