//! The state of a pull in a journal.

use std::collections::BTreeSet;
use std::time::SystemTime;

use qopen_types::{Digest, PullId};

use crate::note::{EndState, Evidence, Note, Noted, Started};
use crate::reason::EndReason;

/// A pull in a journal, without its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullState {
    /// The pull.
    pub pull: PullId,
    /// The facts, oldest first.
    pub notes: Vec<Noted>,
    /// Different pages.
    pub pages: u64,
    /// Bytes of storage of its pages.
    pub bytes: u64,
    /// When the last page came.
    pub last_page: Option<SystemTime>,
    /// Items in quarantine.
    pub quarantined: u64,
    /// Its position in the journal's order of starts. Later pulls have greater numbers. A pull that was
    /// not started here has the position of its first record.
    pub order: u64,
    /// Pages that were kept, or partly kept, and cannot be read any more: the list lacks them. A
    /// page with one of these digests repairs the loss when it comes again.
    pub damaged: Vec<Digest>,
}

/// The note of the end of a pull; `None` while it is open. The notes are in their order.
pub(crate) fn end_of<'a>(notes: impl DoubleEndedIterator<Item = &'a Noted>) -> Option<&'a Noted> {
    let last = |it: &&Noted| matches!(it.note, Note::Ended { .. } | Note::Resumed);
    notes.rev().find(last).filter(|it| matches!(it.note, Note::Ended { .. }))
}

impl PullState {
    /// A pull of which nothing is known.
    #[must_use]
    pub fn new(pull: PullId) -> Self {
        let (notes, damaged) = (Vec::new(), Vec::new());
        Self { pull, notes, pages: 0, bytes: 0, last_page: None, quarantined: 0, order: 0, damaged }
    }

    /// How and when it was started; `None` for an external pull.
    #[must_use]
    pub fn started(&self) -> Option<(SystemTime, &Started)> {
        self.notes.iter().find_map(|noted| match &noted.note {
            Note::Started(started) => Some((noted.at, started)),
            _ => None,
        })
    }

    /// When it was started, or first heard of.
    #[must_use]
    pub fn began(&self) -> Option<SystemTime> {
        let started = self.started().map(|(at, _)| at);
        started.or_else(|| self.notes.first().map(|it| it.at)).or(self.last_page)
    }

    /// When it was last resumed after it had ended.
    #[must_use]
    pub fn begun_anew(&self) -> Option<SystemTime> {
        let anew = self.notes.iter().rposition(|it| it.note == Note::Resumed)?;
        let ended = self.notes[..anew].iter().any(|it| matches!(it.note, Note::Ended { .. }));
        ended.then(|| self.notes[anew].at)
    }

    /// How and when it ended, unless it is open or was resumed.
    #[must_use]
    pub fn ended(&self) -> Option<&Noted> {
        end_of(self.notes.iter())
    }

    /// The state in which it ended; `None` while it is open.
    #[must_use]
    pub fn end_state(&self) -> Option<&EndState> {
        match &self.ended()?.note {
            Note::Ended { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Why it ended without a complete list, as data. `None` if it is open or complete, or if an earlier version
    /// noted its end.
    #[must_use]
    pub fn end_reason(&self) -> Option<&EndReason> {
        match &self.ended()?.note {
            Note::Ended { reason, .. } => reason.as_ref(),
            _ => None,
        }
    }

    /// Whether it ended with a complete list.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.end_state() == Some(&EndState::Complete)
    }

    /// The evidence that its list is complete: the evidence noted at its end, and what was found since. `None`
    /// if the list is not complete, or an earlier version noted no evidence.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        let Note::Ended { status: EndState::Complete, evidence, .. } = &self.ended()?.note else {
            return None;
        };
        let mut evidence = evidence.clone()?;
        for noted in &self.notes {
            match &noted.note {
                Note::Confirmed { by } => evidence.confirmed_by = Some(by.clone()),
                Note::Published { revision, compared, evidence: noted, .. } => {
                    evidence.gone_verified = compared.as_ref().and_then(|it| it.gone_verified);
                    evidence.accepted = noted.as_ref().is_some_and(|it| it.accepted);
                    // Nothing confirms the pages of a later revision.
                    evidence.confirmed_by.take_if(|_| *revision > 1);
                }
                _ => {}
            }
        }
        Some(evidence)
    }

    /// The basis of its complete list in one sentence: the [evidence](Self::evidence) in words, or the reason of
    /// its end if an earlier version noted no evidence. `None` if the list is not complete.
    #[must_use]
    pub fn basis(&self) -> Option<String> {
        let Note::Ended { status: EndState::Complete, why, .. } = &self.ended()?.note else {
            return None;
        };
        let compared = self.published().and_then(|noted| match &noted.note {
            Note::Published { compared, .. } => compared.as_ref(),
            _ => None,
        });
        let gone = compared.map_or(0, |it| it.counts.gone);
        Some(self.evidence().map_or_else(|| why.clone(), |it| it.basis(gone)))
    }

    /// The platform's error report since the pull was last resumed, if there is one.
    #[must_use]
    pub fn reported(&self) -> Option<(i64, &str)> {
        let last = |it: &&Noted| matches!(it.note, Note::Reported { .. } | Note::Resumed);
        match &self.notes.iter().rev().find(last)?.note {
            Note::Reported { code, message, .. } => Some((*code, message)),
            _ => None,
        }
    }

    /// Whether a caller has asked it to end, since it was last resumed.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        let last = |it: &&Noted| matches!(it.note, Note::CancelRequested | Note::Resumed);
        let last = self.notes.iter().rev().find(last);
        last.is_some_and(|it| it.note == Note::CancelRequested)
    }

    /// Whether no process has begun to send the request.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        let unsent = self.started().is_some_and(|(_, started)| started.unsent);
        let sent = |it: &Noted| matches!(it.note, Note::Requested | Note::Accepted { .. });
        unsent && !self.notes.iter().any(sent)
    }

    /// Whether it is an external pull that no process has adopted yet.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.started().is_none() && !self.notes.iter().any(|it| it.note == Note::Adopted)
    }

    /// Whether the platform accepted the request.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.notes.iter().any(|it| matches!(it.note, Note::Accepted { .. }))
    }

    /// Its last publication.
    #[must_use]
    pub fn published(&self) -> Option<&Noted> {
        self.notes.iter().rev().find(|it| matches!(it.note, Note::Published { .. }))
    }

    /// Whether a publication was requested and has not happened since.
    #[must_use]
    pub fn is_publication_requested(&self) -> bool {
        let requested = |note: &Note| match note {
            Note::PublicationRequested | Note::HeldAccepted => Some(true),
            Note::Superseded { .. } | Note::Held { .. } | Note::Published { .. } => Some(false),
            _ => None,
        };
        self.notes.iter().rev().find_map(|it| requested(&it.note)).unwrap_or(false)
    }

    /// The guard's refusal of its list, unless the list was accepted, published or superseded since, or has new
    /// pages.
    #[must_use]
    pub fn held(&self) -> Option<&Noted> {
        let last = |it: &&Noted| {
            matches!(
                it.note,
                Note::Held { .. }
                    | Note::HeldAccepted
                    | Note::Superseded { .. }
                    | Note::Published { .. }
                    | Note::Resumed
            )
        };
        let last = self.notes.iter().rev().find(last)?;
        matches!(last.note, Note::Held { pages, .. } if pages >= self.pages).then_some(last)
    }

    /// Whether a person wants its list published even if the guard of the publication would hold it. Later
    /// revisions only have more customers, so that it counts for them, too.
    #[must_use]
    pub fn is_held_list_accepted(&self) -> bool {
        self.notes.iter().any(|it| it.note == Note::HeldAccepted)
    }

    /// Whether its list was superseded by the list of a later pull.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        let last = |it: &&Noted| {
            matches!(it.note, Note::Superseded { .. } | Note::Published { .. } | Note::Resumed)
        };
        let last = self.notes.iter().rev().find(last);
        last.is_some_and(|it| matches!(it.note, Note::Superseded { .. }))
    }

    /// Whether it has pages that are not in the list that was published last.
    #[must_use]
    pub fn has_newer_pages(&self) -> bool {
        match self.published().map(|noted| &noted.note) {
            Some(Note::Published { pages, .. }) => self.pages > *pages,
            _ => false,
        }
    }

    /// Quarantined items of unknown pulls that may be pages of it, and were not released.
    #[must_use]
    pub fn doubts(&self) -> BTreeSet<Digest> {
        self.standing_doubts(|_| true)
    }

    /// The [doubts](Self::doubts) that stand for pages that the journal has lost.
    #[must_use]
    pub fn losses(&self) -> BTreeSet<Digest> {
        self.standing_doubts(|is_lost| is_lost)
    }

    fn standing_doubts(&self, counts: impl Fn(bool) -> bool) -> BTreeSet<Digest> {
        let mut doubts = BTreeSet::new();
        for noted in &self.notes {
            match &noted.note {
                Note::Doubted { item, lost } if counts(*lost) => drop(doubts.insert(*item)),
                Note::Released { item, .. } => drop(doubts.remove(item)),
                _ => {}
            }
        }
        doubts
    }

    /// Items that were released: waived, or read after all.
    #[must_use]
    pub fn released(&self) -> BTreeSet<Digest> {
        let released = self.notes.iter().filter_map(|noted| match &noted.note {
            Note::Released { item, .. } => Some(*item),
            _ => None,
        });
        released.collect()
    }

    /// Whether a report was noted already: the same bytes, signed at the same time.
    #[must_use]
    pub fn has_report(&self, report: Digest, signed: Option<u64>) -> bool {
        self.notes.iter().any(|noted| match &noted.note {
            Note::Reported { digest, signed_at, .. } => {
                *digest == Some(report) && *signed_at == signed
            }
            _ => false,
        })
    }

    /// Whether something came since it ended that may complete it: pages, or a release.
    #[must_use]
    pub fn is_changed_since_end(&self) -> bool {
        let of_end = |it: &Noted| match it.note {
            Note::Ended { pages, .. } => Some(pages),
            _ => None,
        };
        let Some(at) = self.notes.iter().rposition(|it| of_end(it).is_some()) else { return false };
        let pages = of_end(&self.notes[at]).unwrap_or(0);
        let released = |it: &Noted| matches!(it.note, Note::Released { .. });
        self.pages > pages || self.notes[at..].iter().any(released)
    }

    /// When its last record was kept.
    #[must_use]
    pub fn last_activity(&self) -> Option<SystemTime> {
        self.notes.iter().map(|it| it.at).chain(self.last_page).max()
    }
}
