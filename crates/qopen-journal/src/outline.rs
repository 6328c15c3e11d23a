//! The state of a pull without its notes, for lists of very many pulls.

use std::time::SystemTime;

use qopen_types::ChangeCounts;

use crate::{EndState, Note, Noted, PullId, PullState};

/// What a list of pulls says of one pull. It is made without copying the notes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullOutline {
    /// The pull.
    pub pull: PullId,
    /// Its position in the journal's order of starts.
    pub order: u64,
    /// Different pages.
    pub pages: u64,
    /// Items in quarantine.
    pub quarantined: u64,
    /// When it was started, or first heard of.
    pub began: Option<SystemTime>,
    /// When its last record was kept.
    pub last_activity: Option<SystemTime>,
    /// The state in which it ended; `None` while it is open.
    pub end_state: Option<EndState>,
    /// The accounts of its last published list, else those at its end.
    pub accounts: Option<u64>,
    /// Its last published list.
    pub published: Option<PublishedOutline>,
    /// Whether a guard holds its list.
    pub held: bool,
    /// Whether its list was superseded by the list of a later pull.
    pub superseded: bool,
}

/// The last published list of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedOutline {
    /// When it was published.
    pub at: SystemTime,
    /// Its revision.
    pub revision: u32,
    /// How many accounts it has.
    pub accounts: u64,
    /// Its changes since the last list of its place. `None` for a first list, and if nothing was compared.
    pub changes: Option<ChangeCounts>,
}

impl PullOutline {
    /// The outline of a state.
    #[must_use]
    pub fn of(state: &PullState) -> Self {
        let mut outline = Self::folded(state.pull.clone(), state.pages, &state.notes);
        outline.order = state.order;
        outline.quarantined = state.quarantined;
        outline.saw_page(state.last_page);
        outline
    }

    /// Folds the notes of a pull, oldest first.
    pub(crate) fn folded<'a>(
        pull: PullId,
        pages: u64,
        notes: impl IntoIterator<Item = &'a Noted>,
    ) -> Self {
        let (mut started, mut held, mut ended) = (None, None, None);
        let mut outline = Self {
            pull,
            order: 0,
            pages,
            quarantined: 0,
            began: None,
            last_activity: None,
            end_state: None,
            accounts: None,
            published: None,
            held: false,
            superseded: false,
        };
        for Noted { at, note } in notes {
            outline.began = outline.began.or(Some(*at));
            outline.last_activity = outline.last_activity.max(Some(*at));
            match note {
                Note::Started(_) => started = started.or(Some(*at)),
                Note::Ended { status, accounts, .. } => ended = Some((status, *accounts)),
                Note::Resumed => (ended, held, outline.superseded) = (None, None, false),
                Note::Held { pages, .. } => held = Some(*pages),
                Note::HeldAccepted => held = None,
                Note::Superseded { .. } => (held, outline.superseded) = (None, true),
                Note::Published { revision, accounts, compared, .. } => {
                    let compared = compared.as_ref().filter(|it| !it.baseline);
                    let changes = compared.map(|it| it.counts);
                    let (at, revision, accounts) = (*at, *revision, *accounts);
                    outline.published = Some(PublishedOutline { at, revision, accounts, changes });
                    (held, outline.superseded) = (None, false);
                }
                _ => {}
            }
        }
        outline.began = started.or(outline.began);
        // Pages that came since then are not in the held list.
        outline.held = held.is_some_and(|of| of >= pages);
        outline.end_state = ended.map(|(status, _)| status.clone());
        let published = outline.published.map(|it| it.accounts);
        outline.accounts = published.or(ended.map(|(_, accounts)| accounts));
        outline
    }

    /// Notes when the last page came.
    pub(crate) fn saw_page(&mut self, at: Option<SystemTime>) {
        self.began = self.began.or(at);
        self.last_activity = self.last_activity.max(at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use qopen_types::Digest;

    use super::*;
    use crate::{Comparison, Started};

    fn note(kind: u8, number: u64) -> Note {
        let published = |compared| Note::Published {
            revision: 1 + number as u32,
            accounts: number,
            pages: number,
            location: "list".into(),
            set_aside: 0,
            changes: None,
            compared,
            evidence: None,
        };
        let mut counts = ChangeCounts::default();
        counts.added = number;
        let status = [EndState::Complete, EndState::Incomplete, EndState::Failed];
        match kind {
            0 => Note::Started(Started::new(Duration::ZERO, Duration::ZERO, Duration::ZERO)),
            1 => Note::Ended {
                status: status[number as usize % 3].clone(),
                why: String::new(),
                accounts: number,
                pages: number,
                evidence: None,
                reason: None,
            },
            2 => Note::Resumed,
            3 => Note::Held {
                revision: 1,
                pages: number,
                gone: 0,
                before: 0,
                present: 0,
                unconfirmed: false,
                left_out: Vec::new(),
                location: None,
            },
            4 => Note::HeldAccepted,
            5 => Note::Superseded { by: None, revision: 1 },
            6 => published(None),
            7 => published(Some(Comparison::baseline())),
            8 => published(Some(Comparison::new(None, counts))),
            _ => Note::Doubted { item: Digest::of(b"item"), lost: number % 2 == 1 },
        }
    }

    proptest! {
        #[test]
        fn an_outline_is_what_the_state_says(
            notes in prop::collection::vec((0..10u8, 0..4u64, 0..100u64), 0..12),
            pages in 0..4u64,
            last_page in prop::option::of(0..100u64),
        ) {
            let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let noted = |&(kind, number, seconds): &(u8, u64, u64)| {
                Noted { at: at(seconds), note: note(kind, number) }
            };
            let (robot_id, mark_id) = ("r".parse().unwrap(), "m".parse().unwrap());
            let pull = PullId { robot_id, mark_id };
            let mut state = PullState::new(pull);
            state.notes = notes.iter().map(noted).collect();
            (state.pages, state.order, state.quarantined) = (pages, 7, 3);
            state.last_page = last_page.map(at);
            let outline = PullOutline::of(&state);
            prop_assert_eq!(outline.began, state.began());
            prop_assert_eq!(outline.last_activity, state.last_activity());
            prop_assert_eq!(outline.end_state.as_ref(), state.end_state());
            prop_assert_eq!(outline.held, state.held().is_some());
            prop_assert_eq!(outline.superseded, state.is_superseded());
            prop_assert_eq!((outline.pages, outline.order, outline.quarantined), (pages, 7, 3));
            let list = state.published().map(|it| match &it.note {
                Note::Published { revision, accounts, compared, .. } => {
                    let compared = compared.as_ref().filter(|it| !it.baseline);
                    (it.at, *revision, *accounts, compared.map(|it| it.counts))
                }
                _ => unreachable!("it is a publication"),
            });
            let outlined = outline.published.map(|it| (it.at, it.revision, it.accounts, it.changes));
            prop_assert_eq!(outlined, list);
            let ended = state.ended().map(|it| match it.note {
                Note::Ended { accounts, .. } => accounts,
                _ => unreachable!("it is an end"),
            });
            prop_assert_eq!(outline.accounts, list.map(|it| it.2).or(ended));
        }
    }
}
