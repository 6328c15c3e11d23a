//! Facts for the driver, and how they are made from the journal's records.

use qopen_assembler::{ErrorReport, PageDigest, PullKey};
use qopen_journal::{Journal, JournalError, PageRecord, PullId, PullState};
use qopen_types::Digest;

use crate::classify::{Classified, ClassifiedPage, classify, key_of};

/// Something that happened in the world, with the time it did.
pub(crate) enum Fact {
    Page(PullId, PageDigest, ClassifiedPage),
    Unreadable(PullId, PageDigest),
    Owed(PullId, PageDigest),
    /// An unreadable page that no longer counts against the pull.
    Released(PullId, PageDigest),
    Error(ErrorReport),
}

impl Fact {
    /// Whether it belongs to this pull.
    pub(crate) fn is_of(&self, key: &PullKey) -> bool {
        match self {
            Self::Page(pull, ..)
            | Self::Unreadable(pull, _)
            | Self::Owed(pull, _)
            | Self::Released(pull, _) => key_of(pull) == *key,
            Self::Error(report) => {
                report.robot == key.robot()
                    && report.mark.as_ref().is_none_or(|mark| mark == key.mark())
            }
        }
    }
}

/// A pull's facts besides its pages: unreadable ones, released ones, and the platform's error.
pub(crate) async fn notes_of(
    journal: &(impl Journal + ?Sized),
    state: &PullState,
) -> Result<Vec<Fact>, JournalError> {
    let mut facts = standing(journal, state).await?;
    if let Some((code, message)) = state.reported() {
        let robot = state.pull.robot_id.to_string();
        let (mark, message) = (Some(state.pull.mark_id.to_string()), message.to_owned());
        facts.push(Fact::Error(ErrorReport { robot, mark, code, message, signed: None }));
    }
    Ok(facts)
}

/// The fact of a kept page.
pub(crate) fn fact_of(page: PageRecord) -> Fact {
    let digest = digest_of(page.digest);
    match classify(page.payload.as_bytes()) {
        Classified::Page(it) if it.pull == page.pull => Fact::Page(page.pull, digest, it),
        // Another process understood it as a page.
        _ => Fact::Unreadable(page.pull, digest),
    }
}

/// What counts, or no longer counts, against a pull besides its pages.
pub(crate) async fn standing(
    journal: &(impl Journal + ?Sized),
    state: &PullState,
) -> Result<Vec<Fact>, JournalError> {
    let (pull, mut facts) = (&state.pull, Vec::new());
    if state.quarantined > 0 {
        for item in journal.quarantined(Some(pull)).await? {
            facts.push(Fact::Unreadable(pull.clone(), digest_of(item.digest())));
        }
    }
    let doubts = state.doubts().into_iter();
    facts.extend(doubts.map(|item| Fact::Unreadable(pull.clone(), digest_of(item))));
    let released = state.released().into_iter();
    facts.extend(released.map(|item| Fact::Released(pull.clone(), digest_of(item))));
    Ok(facts)
}

/// A digest as the assembler has it.
pub(crate) fn digest_of(digest: Digest) -> PageDigest {
    PageDigest::from_u128(digest.to_u128())
}
