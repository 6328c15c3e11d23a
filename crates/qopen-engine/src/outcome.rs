//! The outcome of a pull, and its list.

use std::fmt;
use std::sync::Arc;

use qopen_assembler::{Fold, WaitingFor};
use qopen_journal::{Changes, Fencing, Journal, JournalError, Note, PullId};
use tokio::sync::watch;
use tracing::Span;

use crate::held_claim::{self, HeldClaim};
use crate::messages::{PagePin, PullView};
use crate::progress::Progress;
use crate::status::Status;

/// The outcome of a pull.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Its figures at the end.
    pub progress: Progress,
    /// The list, ready to be published: complete, or what has arrived.
    pub list: PulledList,
}

impl Outcome {
    /// The present outcome: pages that came since may have completed the pull.
    #[must_use]
    pub fn refreshed(&self) -> Self {
        self.list.outcome().unwrap_or_else(|| self.clone())
    }
}

/// A fold, and its changes since a published revision.
pub(crate) type Folded = (Arc<Fold>, Option<Changes>);

/// A pulled list, in the journal and ready to be published.
///
/// Holding it keeps its pages from being forgotten.
#[derive(Clone)]
pub struct PulledList {
    pub(crate) id: PullId,
    pub(crate) journal: Arc<dyn Journal>,
    /// The claim that it is published under, if any.
    pub(crate) held_claim: Option<Arc<HeldClaim>>,
    /// The span of its pull, if this process followed it.
    pub(crate) span: Span,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// A pull of an engine: it may yet be revised.
    Live { view: watch::Receiver<PullView>, _pin: Arc<PagePin> },
    /// A fold that is done, and its revision.
    Done(Arc<Fold>, u32),
}

impl PulledList {
    pub(crate) fn new(
        id: PullId,
        journal: Arc<dyn Journal>,
        held_claim: Option<Arc<HeldClaim>>,
        view: watch::Receiver<PullView>,
        pin: Arc<PagePin>,
        span: Span,
    ) -> Self {
        Self { id, journal, held_claim, span, source: Source::Live { view, _pin: pin } }
    }

    pub(crate) fn done(id: PullId, journal: Arc<dyn Journal>, fold: Fold, revision: u32) -> Self {
        let (held_claim, span) = (None, Span::none());
        Self { id, journal, held_claim, span, source: Source::Done(Arc::new(fold), revision) }
    }

    /// The robot and mark.
    #[must_use]
    pub fn id(&self) -> &PullId {
        &self.id
    }

    /// The revision that publishing it now would publish: 1 when complete, more after late pages,
    /// 0 when it never was complete.
    #[must_use]
    pub fn revision(&self) -> u32 {
        match &self.source {
            Source::Live { view, .. } => view.borrow().progress.figures.revision,
            Source::Done(_, revision) => *revision,
        }
    }

    /// Ready when the list has a newer revision than that; `None` when there will be none.
    pub async fn revised_after(&self, revision: u32) -> Option<u32> {
        let Source::Live { view, .. } = &self.source else {
            return None;
        };
        let mut view = view.clone();
        let newer = view.wait_for(|view| view.progress.figures.revision > revision).await.ok()?;
        Some(newer.progress.figures.revision)
    }

    /// Ready when every late page that has come is in a revision, and a pull that such a page has opened again
    /// has ended.
    pub async fn settled(&self) {
        if let Source::Live { view, .. } = &self.source {
            // Without a driver nothing more comes.
            let is_settled = |view: &PullView| {
                let Progress { figures, waiting_for, .. } = &view.progress;
                view.gone || !figures.revising && *waiting_for == WaitingFor::Nothing
            };
            let _ = view.clone().wait_for(is_settled).await;
        }
    }

    /// The present outcome of a live pull that has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let Source::Live { view, .. } = &self.source else { return None };
        let view = view.borrow();
        let (status, progress): (_, Progress) =
            (view.ended.as_ref()?.status.clone(), view.progress.clone());
        Some(Outcome { status, progress, list: self.clone() })
    }

    /// Notes something about the pull, under its claim if it has one.
    pub(crate) async fn note(&self, note: Note) -> Result<Fencing, JournalError> {
        held_claim::note(&*self.journal, self.held_claim.as_ref(), &self.id, note).await
    }

    /// How many accounts it had when the pull ended; a later revision has no fewer.
    pub(crate) fn accounts_at_the_end(&self) -> usize {
        match &self.source {
            Source::Done(fold, _) => fold.accounts(),
            Source::Live { view, .. } => {
                view.borrow().ended.as_ref().map_or(0, |it| it.fold.accounts())
            }
        }
    }

    /// The revision, the last fold, and its changes.
    pub(crate) fn fold(&self) -> (u32, Option<Folded>) {
        match &self.source {
            Source::Done(fold, revision) => (*revision, Some((Arc::clone(fold), None))),
            Source::Live { view, .. } => {
                let view = view.borrow();
                let ended = view.ended.as_ref();
                (view.progress.figures.revision, ended.map(|it| (Arc::clone(&it.fold), it.changes)))
            }
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.source, Source::Live { .. })
    }
}

impl fmt::Debug for PulledList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulledList")
            .field("id", &self.id)
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}
