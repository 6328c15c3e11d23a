//! Commands and facts sent to the driver, and the view it publishes.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Fold, PageDigest, PullOptions, StartError};
use qopen_journal::{Changes, Evidence, PullId};
use qopen_types::Digest;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::Span;

use crate::error::PullError;
use crate::held_claim::{Generation, HeldClaim};
use crate::progress::Progress;
use crate::requester::RequestError;
use crate::status::Status;

/// Something that this side wants or did. Few: bounded by the number of pulls.
pub(crate) enum Command {
    /// Holds the facts of this pull until it is started or released.
    Hold {
        pull: PullId,
        generation: Generation,
        reply: oneshot::Sender<Result<(), StartError>>,
    },
    /// It is started, or its start was given up.
    Release(PullId, Generation),
    Start {
        pull: PullId,
        generation: Generation,
        start: Box<Start>,
        reply: oneshot::Sender<Result<PullWatch, StartError>>,
    },
    Accepted(PullId, Generation),
    NotSent(PullId, Generation, RequestError),
    Cancel(PullId, Generation),
    /// This process no longer follows it.
    Drop(PullId, Generation),
    /// Other processes refused this number of callbacks that may have been pages.
    Refused(u64),
    /// The journal has not answered the worker since then. An answer to another question does not end the
    /// outage.
    OutageBegan(Instant),
    /// It answers the worker again.
    OutageEnded,
    /// The pages of these that the driver does not know; `None` if it does not follow the pull.
    Missing(PullId, Vec<Digest>, oneshot::Sender<Option<Vec<Digest>>>),
    /// Forgets an ended pull. Answered when the driver knows nothing of it.
    Forget(PullId, oneshot::Sender<Result<(), PullError>>),
}

/// How a pull starts, or goes on.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) options: PullOptions,
    /// The earlier fold.
    pub(crate) fold: Option<Fold>,
    /// Time for which earlier processes followed it.
    pub(crate) elapsed: Duration,
    /// The error that the platform had reported before.
    pub(crate) reported: Option<(i64, String)>,
    /// It was complete before: the revision that was published, and a page that is not in it.
    pub(crate) ended: Option<(u32, Option<PageDigest>)>,
    /// The evidence on which it was complete before.
    pub(crate) evidence: Option<Evidence>,
    /// Changes of the fold since it was published.
    pub(crate) changes: Option<Changes>,
    /// The claim that it is followed under, if any.
    pub(crate) held_claim: Option<Arc<HeldClaim>>,
    pub(crate) span: Span,
}

impl Start {
    /// From nothing.
    pub(crate) fn new(options: PullOptions) -> Self {
        let (fold, reported, ended, changes, held_claim) = (None, None, None, None, None);
        let (elapsed, evidence) = (Duration::ZERO, None);
        let span = Span::none();
        Self { options, fold, elapsed, reported, ended, evidence, changes, held_claim, span }
    }
}

/// The view that a pull's handle watches.
#[derive(Clone, Debug)]
pub(crate) struct PullView {
    pub(crate) progress: Progress,
    pub(crate) ended: Option<PullEnd>,
    /// The driver has dropped it.
    pub(crate) gone: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PullEnd {
    pub(crate) status: Status,
    /// The fold at the end. Publication uses it if it has every page.
    pub(crate) fold: Arc<Fold>,
    /// Changes since an earlier published revision.
    pub(crate) changes: Option<Changes>,
}

/// A pull's view, the pin that keeps its pages, and its span.
pub(crate) struct PullWatch {
    pub(crate) view: watch::Receiver<PullView>,
    pub(crate) pin: Arc<PagePin>,
    pub(crate) span: Span,
}

/// Keeps the pull's pages in the journal until the last clone is dropped.
#[derive(Debug)]
pub(crate) struct PagePin {
    pub(crate) pull: PullId,
    pub(crate) released: mpsc::UnboundedSender<PullId>,
}

impl Drop for PagePin {
    fn drop(&mut self) {
        // Without a driver the page has no reader left.
        let _ = self.released.send(self.pull.clone());
    }
}
