//! Publishes lists: reads their pages back from the journal, and writes the winners once, in order.

mod basis;
mod compare;
mod gather;
mod gone;
mod guard;
mod hold;
mod lookup;
mod merge;
mod options;
mod order;
mod published;
mod quarantine_line;
mod verify;
mod work;

use std::sync::Arc;

use qopen_sink::{ListKind, Sink};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Span;

use crate::outcome::{Outcome, PulledList};
use crate::spans;
pub use guard::{MaxGone, ParseMaxGoneError};
pub use lookup::{AccountLookup, GoneCheck, LOOKUP_LIMIT, LookupError};
pub use options::PublishOptions;
pub use order::supersede_earlier;
pub(crate) use order::{next_order, order_at};
pub use published::{LeftOutRobot, PublishError, Published, PublishedList};
pub use quarantine_line::quarantine_line;
use work::{Purpose, Work};

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

async fn write(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
    purpose: Purpose,
) -> Result<Published, PublishError> {
    let runtime = Handle::current();
    // The thread has no subscriber of its own.
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let work = move || {
        // Its steps are timed by the runtime's clock.
        let _entered = runtime.enter();
        let work = Work { lists: &lists, sink: &*sink, runtime: &runtime };
        let is_publication = matches!(purpose, Purpose::Publication(_));
        let span = match is_publication {
            true => spans::publish(&lists, kind),
            false => Span::none(),
        };
        let done = span.in_scope(|| work.run(kind, purpose));
        spans::published(&span, &done);
        if is_publication && done.as_ref().is_err_and(PublishError::is_loss) {
            work.reopen();
        }
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
    let work = move || tracing::dispatcher::with_default(&dispatch, work);
    let thread = thread.spawn(move || drop(done.send(work())));
    thread.map_err(|_| PublishError::Shutdown)?;
    result.await.map_err(|_| PublishError::Shutdown)?
}
