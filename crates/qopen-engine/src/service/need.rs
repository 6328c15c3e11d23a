//! The work that a pull still needs.

use qopen_journal::{Note, Noted, PullState};

/// The work that a pull still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// It is open.
    Following,
    /// It has ended, and the service publishes its list if it has a sink.
    Publishing,
}

pub(super) fn need(state: &PullState) -> Need {
    if state.ended().is_none() {
        return Need::Following;
    }
    let complete = state.is_complete() && !state.is_superseded() && state.held().is_none();
    let unpublished = complete && (state.published().is_none() || state.has_newer_pages());
    // A page or a release after the end may complete a pull that failed by silence.
    let from_outside = state.reported().is_some() || state.is_cancel_requested();
    let revived = !complete && !from_outside && state.is_changed_since_end();
    match unpublished || state.is_publication_requested() || revived {
        true => Need::Publishing,
        false => Need::Nothing,
    }
}

/// Whether the request of an open pull was sent in an earlier process, or under a claim that was lost.
pub(super) fn is_interrupted(state: &PullState) -> bool {
    let resumed = state.notes.iter().any(|noted| noted.note == Note::Resumed);
    state.started().is_some() && state.ended().is_none() && !state.is_unsent() && !resumed
}

/// How often a publication of a pull was requested.
pub(super) fn publication_requests(state: &PullState) -> usize {
    let requests = |it: &&Noted| matches!(it.note, Note::PublicationRequested | Note::HeldAccepted);
    state.notes.iter().filter(requests).count()
}
