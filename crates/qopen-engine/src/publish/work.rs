//! The steps of a publication.

use std::sync::Arc;

use qopen_journal::{Fencing, Note, PullState};
use qopen_sink::{Committed, ListInfo, ListKind, Moved, Quarantine, Sink, SinkError};
use qopen_types::Readings;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::merge::Publication;
use super::options::PublishOptions;
use super::order::{order_at, successor, supersede_held};
use super::published::{LeftOutRobot, PublishError, Published, PublishedList};
use crate::outcome::PulledList;

/// Customers of a list that a verification may ask about.
const CONTROLS: usize = 3;

/// Why lists are written.
pub(super) enum Purpose {
    /// To replace the list in the sink. The journal notes complete ones.
    Publication(PublishOptions),
    /// To keep a list beside its place, which cannot hold it.
    Overflow,
    /// For a single reader.
    Reading,
}

/// Lists on their way into a sink. Runs on a thread that may block.
pub(super) struct Work<'a> {
    pub(super) lists: &'a [PulledList],
    pub(super) sink: &'a dyn Sink,
    pub(super) runtime: &'a Handle,
}

impl Work<'_> {
    /// Writes the lists. Those that do not fit into the sink are kept beside it, if it has a place for them.
    pub(super) fn run(&self, kind: ListKind, purpose: Purpose) -> Result<Published, PublishError> {
        let is_publication = matches!(purpose, Purpose::Publication(_));
        match self.write(kind, purpose) {
            Err(PublishError::Sink(source @ SinkError::Unfit(_))) if is_publication => {
                let Some(sink) = self.sink.overflow() else {
                    return Err(PublishError::Sink(source));
                };
                let kept = Work { sink: &*sink, ..*self }.write(kind, Purpose::Overflow)?;
                Err(PublishError::Unfit { location: kept.location, source })
            }
            done => done,
        }
    }

    fn write(&self, kind: ListKind, purpose: Purpose) -> Result<Published, PublishError> {
        let Self { lists, sink, runtime } = *self;
        let began = std::time::Instant::now();
        let is_complete = kind == ListKind::Complete;
        // Unreadable items replace the earlier ones. The journal notes the list.
        let (keep, note, options) = match purpose {
            Purpose::Publication(options) => (true, is_complete, options),
            Purpose::Overflow => (true, false, PublishOptions::default()),
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
        let (mut states, mut orders) = (Vec::new(), Vec::new());
        for list in lists {
            let state = self.facts(list)?;
            // The place that the pull has in the order of the sink's lists.
            let order = state.as_ref().and_then(|state| order_at(state, sink));
            if note {
                self.must_not_be_superseded(list, order)?;
            }
            states.push(state);
            orders.push(order);
        }
        let mut writer = sink.begin(kind).map_err(PublishError::Sink)?;
        moved();
        let moved: Moved = Arc::new(moved);
        writer.tell(Arc::clone(&moved));
        let mut quarantine = Quarantine::in_folder(sink.scratch());
        let mut done = Vec::new();
        for ((list, order), state) in lists.iter().zip(&orders).zip(&states) {
            let one = Publication {
                list,
                order: *order,
                state: state.as_ref(),
                runtime,
                scratch: sink.scratch(),
                writer: &mut *writer,
                quarantine: &mut quarantine,
                moved: &moved,
                unread_fields: 0,
                readings: Readings::PLAIN,
                controls_wanted: options.verify_gone.as_ref().map_or(0, |_| CONTROLS),
                controls: Vec::new(),
            };
            let one = one.run()?;
            let robot = &one.id.robot_id;
            if note
                && !options.allow_empty
                && one.accounts == 0
                && sink.holds(robot).map_err(PublishError::Sink)?
                && !self.is_accepted(list)?
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
        let (mut hold, mut left_out) = (None, Vec::new());
        if note {
            (hold, left_out) =
                self.compare_and_check(&mut *writer, &options, &mut done, &*moved)?;
        }
        // Check and commit are short, and exclude other processes.
        let _guard = match note {
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
            return Err(self.hold(writer, hold, &done)?);
        }
        if note {
            self.set_basis(&mut *writer, &mut done)?;
        }
        let note_of = |it: &PublishedList, place: &str| {
            let PublishedList { revision, accounts, pages, quarantined, changes, .. } = *it;
            Note::Published {
                revision,
                accounts,
                pages,
                location: place.to_owned(),
                set_aside: quarantined,
                changes,
                compared: it.comparison(),
                evidence: it.evidence.clone(),
            }
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
        let Committed { location, set_aside, order: common, .. } = match writer.commit() {
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
        for list in lists.iter().filter(|_| note) {
            self.supersede_held(list);
        }
        let place = place.unwrap_or_else(|| location.clone());
        for (((list, it), order), _) in
            lists.iter().zip(&done).zip(&orders).zip(noted).filter(|(_, noted)| !noted)
        {
            if let Some(order) = common.filter(|common| *order != Some(*common)) {
                self.note_done(list, Note::Ordered { location: place.clone(), order })?;
            }
            self.note_done(list, note_of(it, &place))?;
        }
        let left_out = left_out.iter().map(LeftOutRobot::of).collect();
        let elapsed = began.elapsed();
        Ok(Published { location, lists: done, left_out, set_aside, quarantine, elapsed })
    }

    /// Notes that complete pulls are open again whose pages the journal has lost: their lists are not complete.
    pub(super) fn reopen(&self) {
        for list in self.lists {
            let state = self.runtime.block_on(list.journal.pull(&list.id));
            let is_short = |state: &PullState| match state.ended().map(|it| &it.note) {
                Some(Note::Ended { pages, .. }) => state.is_complete() && state.pages < *pages,
                _ => false,
            };
            let is_lost = |state: &PullState| !state.damaged.is_empty() && is_short(state);
            if !matches!(state, Ok(Some(state)) if is_lost(&state)) {
                continue;
            }
            tracing::error!(pull = %list.id, "the journal has lost pages; the pull is open again");
            if let Err(error) = self.note(list, Note::Resumed) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(pull = %list.id, error, "that the pull is open was not journaled");
            }
        }
    }

    /// Whether a person accepted the list, which a guard held.
    fn is_accepted(&self, list: &PulledList) -> Result<bool, PublishError> {
        Ok(self.facts(list)?.is_some_and(|state| state.is_held_list_accepted()))
    }

    /// Fails with `Superseded`, and notes it, if the place holds a later list.
    fn must_not_be_superseded(
        &self,
        list: &PulledList,
        order: Option<u64>,
    ) -> Result<(), PublishError> {
        let Self { sink, runtime, .. } = *self;
        let PulledList { id, journal, .. } = list;
        let successor = runtime.block_on(successor(&**journal, id, sink));
        let by = successor.map_err(PublishError::Journal)?.map(|later| later.mark_id);
        let info = ListInfo::new(&id.robot_id, &id.mark_id, list.revision()).order(order);
        if by.is_none() && !sink.is_superseded(&info).map_err(PublishError::Sink)? {
            return Ok(());
        }
        let note = Note::Superseded { by: by.clone(), revision: list.revision() };
        self.note(list, note)?;
        Err(PublishError::Superseded { pull: id.clone(), by })
    }

    /// Notes of the earlier held lists of the place that the published list supersedes them. If that fails, the
    /// publication of such a list notes it.
    fn supersede_held(&self, list: &PulledList) {
        let PulledList { id, journal, .. } = list;
        let superseded = self.runtime.block_on(supersede_held(&**journal, id, self.sink));
        if let Err(error) = superseded {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(pull = %id, error, "earlier held lists are still noted as held");
        }
    }

    /// Notes something about a list that is in its place. That the journal does not keep it does not undo it.
    fn note_done(&self, list: &PulledList, note: Note) -> Result<(), PublishError> {
        match self.runtime.block_on(list.note(note)) {
            Ok(Fencing::Fenced) => Err(PublishError::Fenced),
            Ok(_) => Ok(()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(pull = %list.id, error, "the publication was not journaled");
                Ok(())
            }
        }
    }

    /// The notes of a list's pull.
    pub(super) fn facts(&self, list: &PulledList) -> Result<Option<PullState>, PublishError> {
        let facts = self.runtime.block_on(list.journal.facts_of(&list.id));
        facts.map_err(PublishError::Journal)
    }

    /// Notes something about a list's pull. Fails if the claim of the list no longer counts.
    pub(super) fn note(&self, list: &PulledList, note: Note) -> Result<(), PublishError> {
        match self.runtime.block_on(list.note(note)).map_err(PublishError::Journal)? {
            Fencing::Held => Ok(()),
            _ => Err(PublishError::Fenced),
        }
    }
}
