//! Facts for the driver, and how they are made from the journal's records.

use std::vec::IntoIter;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use qopen_assembler::{ErrorReport, PageDigest, PullOptions};
use qopen_journal::{Journal, JournalError, PageRecord, PullId, PullState};
use qopen_types::Digest;
use tokio::sync::oneshot;

use crate::classify::{Classified, ClassifiedPage, classify};

/// Something that happened to a pull.
pub(crate) enum Fact {
    Page(PullId, PageDigest, ClassifiedPage),
    Unreadable(PullId, PageDigest),
    Owed(PullId, PageDigest),
    /// An unreadable page that no longer counts against the pull.
    Released(PullId, PageDigest),
    Error {
        pull: PullId,
        code: i64,
        message: String,
    },
    /// A pull that another system requested, and what the journal has of it. The answer is whether the driver follows
    /// the pull.
    Adopted {
        pull: PullId,
        options: PullOptions,
        facts: Vec<Fact>,
        reply: oneshot::Sender<bool>,
    },
}

impl Fact {
    /// The pull that it is about.
    pub(crate) fn pull(&self) -> &PullId {
        match self {
            Self::Page(pull, ..)
            | Self::Unreadable(pull, _)
            | Self::Owed(pull, _)
            | Self::Released(pull, _)
            | Self::Error { pull, .. }
            | Self::Adopted { pull, .. } => pull,
        }
    }
}

/// An error report about a pull, as the assembler is told of it.
pub(crate) fn report_of(pull: &PullId, code: i64, message: String) -> ErrorReport {
    let (robot, mark) = (pull.robot_id.to_string(), Some(pull.mark_id.to_string()));
    ErrorReport { robot, mark, code, message, signed: None }
}

/// What the journal has of a pull and the driver has not: pages first, then everything else.
pub(crate) struct Unseen<'a> {
    journal: &'a dyn Journal,
    pull: &'a PullId,
    pages: BoxStream<'static, Result<PageRecord, JournalError>>,
    state: Option<PullState>,
    rest: Option<IntoIter<Fact>>,
}

impl<'a> Unseen<'a> {
    /// `missing` are the digests of the pages that the driver was not told of.
    pub(crate) async fn of(
        journal: &'a dyn Journal,
        pull: &'a PullId,
        missing: &[Digest],
    ) -> Result<Self, JournalError> {
        let pages = match missing {
            [] => stream::empty().boxed(),
            missing => journal.pages_of(pull, missing).await?.fuse().boxed(),
        };
        Ok(Self { journal, pull, pages, state: None, rest: None })
    }

    /// Everything that the journal has of a pull.
    pub(crate) async fn all(
        journal: &'a dyn Journal,
        pull: &'a PullId,
    ) -> Result<Vec<Fact>, JournalError> {
        let mut all = Self::of(journal, pull, &journal.digests(pull).await?).await?;
        let mut facts = Vec::new();
        while let Some(fact) = all.next().await? {
            facts.push(fact);
        }
        Ok(facts)
    }

    /// The next fact; `None` after the last. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Fact>, JournalError> {
        if let Some(page) = self.pages.next().await {
            return page.map(fact_of).map(Some);
        }
        let rest = match &mut self.rest {
            Some(rest) => rest,
            None => {
                self.state = self.journal.facts_of(self.pull).await?;
                let facts = match &self.state {
                    Some(state) => notes_of(self.journal, state).await?,
                    None => Vec::new(),
                };
                self.rest.insert(facts.into_iter())
            }
        };
        Ok(rest.next())
    }

    /// Whether a caller asked the pull to end. Known after the last fact.
    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.state.as_ref().is_some_and(PullState::is_cancel_requested)
    }
}

/// What the driver is told of a pull besides its pages: what could not be read, what was released, and
/// the platform's error.
async fn notes_of(journal: &dyn Journal, state: &PullState) -> Result<Vec<Fact>, JournalError> {
    let mut facts = standing(journal, state).await?;
    if let Some((code, message)) = state.reported() {
        let (pull, message) = (state.pull.clone(), message.to_owned());
        facts.push(Fact::Error { pull, code, message });
    }
    Ok(facts)
}

/// A kept page, as the driver is told of it.
fn fact_of(page: PageRecord) -> Fact {
    let digest = PageDigest::from(page.digest);
    match classify(page.payload.as_bytes()) {
        Classified::Page(it) if it.pull == page.pull => Fact::Page(page.pull, digest, it),
        // Another process classified it as a page.
        _ => Fact::Unreadable(page.pull, digest),
    }
}

/// What counts, or no longer counts, against a pull besides its pages.
pub(crate) async fn standing(
    journal: &dyn Journal,
    state: &PullState,
) -> Result<Vec<Fact>, JournalError> {
    let (pull, mut facts) = (&state.pull, Vec::new());
    if state.quarantined > 0 {
        for item in journal.quarantined(Some(pull)).await? {
            facts.push(Fact::Unreadable(pull.clone(), PageDigest::from(item.digest())));
        }
    }
    let losses = state.losses();
    facts.extend(state.doubts().into_iter().map(|item| {
        let fact = if losses.contains(&item) { Fact::Owed } else { Fact::Unreadable };
        fact(pull.clone(), PageDigest::from(item))
    }));
    let released = state.released().into_iter();
    facts.extend(released.map(|item| Fact::Released(pull.clone(), PageDigest::from(item))));
    Ok(facts)
}
