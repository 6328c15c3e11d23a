//! Spans of pulls. Their names and fields are part of the interface; docs/OPERATIONS.md describes them.
//!
//! `pull` lasts from the request for a list until the engine and its callers have dropped the list. Its children
//! are `request`, `receive`, `settle` and `publish`. Their number does not grow with pages.

use qopen_assembler::WaitingFor;
use qopen_journal::PullId;
use qopen_sink::ListKind;
use tracing::Span;
use tracing::field::Empty;

use crate::outcome::PulledList;
use crate::progress::Progress;
use crate::publish::{PublishError, Published};
use crate::status_kind::StatusKind;

/// The target of every span, whichever module makes it.
const TARGET: &str = "qopen_engine";

/// How a pull came to this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    New,
    Resumed,
    External,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resumed => "resumed",
            Self::External => "external",
        }
    }
}

/// The span of a pull, below the caller's.
pub(crate) fn pull(id: &PullId, origin: Origin) -> Span {
    tracing::info_span!(
        target: TARGET,
        "pull",
        robot_id = %id.robot_id,
        mark_id = %id.mark_id,
        origin = origin.as_str(),
        outcome = Empty,
        pages = Empty,
        accounts = Empty,
    )
}

/// The span of a pull's request.
pub(crate) fn request(pull: &Span) -> Span {
    tracing::info_span!(target: TARGET, parent: pull, "request", outcome = Empty)
}

/// The span of a publication, below the span of its first list.
pub(crate) fn publish(lists: &[PulledList], kind: ListKind) -> Span {
    let parent = lists.first().map_or_else(Span::none, |list| list.span.clone());
    let span = tracing::info_span!(
        target: TARGET,
        parent: &parent,
        "publish",
        robot_id = Empty,
        mark_id = Empty,
        lists = lists.len(),
        kind = if kind == ListKind::Complete { "complete" } else { "partial" },
        outcome = Empty,
        pages = Empty,
        accounts = Empty,
    );
    if let [list] = lists {
        span.record("robot_id", tracing::field::display(&list.id().robot_id));
        span.record("mark_id", tracing::field::display(&list.id().mark_id));
    }
    span
}

/// Records the result of a publication.
pub(crate) fn published(span: &Span, done: &Result<Published, PublishError>) {
    let outcome = match done {
        Ok(published) => {
            span.record("pages", published.lists.iter().map(|it| it.pages).sum::<u64>());
            span.record("accounts", published.lists.iter().map(|it| it.accounts).sum::<u64>());
            "published"
        }
        Err(error) if error.is_held() => "held",
        Err(PublishError::Superseded { .. }) => "superseded",
        Err(_) => "failed",
    };
    span.record("outcome", outcome);
}

/// The spans of a pull while the driver follows it.
#[derive(Debug)]
pub(crate) struct PullSpans {
    pull: Span,
    receive: Span,
    settle: Span,
}

impl PullSpans {
    /// Begins to receive pages.
    pub(crate) fn begin(pull: Span) -> Self {
        let receive = tracing::info_span!(
            target: TARGET, parent: &pull, "receive", pages = Empty, accounts = Empty,
        );
        Self { pull, receive, settle: Span::none() }
    }

    pub(crate) fn pull(&self) -> &Span {
        &self.pull
    }

    /// The figures have changed. From the last missing page on, the pull settles.
    pub(crate) fn moved(&mut self, progress: &Progress) {
        if progress.waiting_for == WaitingFor::Quiet && !self.receive.is_none() {
            record(&self.receive, progress);
            self.receive = Span::none();
            self.settle = tracing::info_span!(
                target: TARGET, parent: &self.pull, "settle", pages = Empty, accounts = Empty,
            );
        }
    }

    /// Ends the driver's part of every span.
    pub(crate) fn end(&mut self, kind: StatusKind, progress: &Progress) {
        let Self { pull, receive, settle } = self;
        for span in [&*pull, receive, settle] {
            record(span, progress);
        }
        pull.record("outcome", kind.as_str());
        (*pull, *receive, *settle) = (Span::none(), Span::none(), Span::none());
    }
}

fn record(span: &Span, progress: &Progress) {
    span.record("pages", progress.figures.pages);
    span.record("accounts", progress.figures.accounts);
}
