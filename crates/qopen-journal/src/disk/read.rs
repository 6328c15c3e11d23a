//! Reads kept records.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::stream::{self, StreamExt as _};
use qopen_types::Digest;

use super::events::Event;
use super::index::{Index, Item};
use super::loss;
use super::one::{damaged, record};
use super::segment::Location;
use super::shared::Shared;
use crate::{JournalError, PageRecord, Payload, PendingEvent, PullId, Quarantined};

/// Bytes of payload that are read in one go, at most, unless a single page has more.
const CHUNK: usize = 1 << 20;

/// The pages that a pull has now, or some of them, read one by one.
pub(super) fn pages(
    shared: Arc<Shared>,
    pull: PullId,
    only: Option<&[Digest]>,
) -> BoxStream<'static, Result<PageRecord, JournalError>> {
    let mut left = shared.index().pages(&pull);
    if let Some(only) = only {
        let only: BTreeSet<&Digest> = only.iter().collect();
        left.retain(|(_, digest)| only.contains(digest));
    }
    left.reverse();
    let reader = Pages { shared, pull, left, open: None };
    let chunks = stream::unfold(reader, |mut reader| async move {
        if reader.left.is_empty() {
            return None;
        }
        blocking(move || (reader.chunk(), reader)).await
    });
    chunks.flat_map(stream::iter).boxed()
}

/// Runs outside the threads that serve others, if there is a runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match tokio::runtime::Handle::try_current() {
        // It ends early only with the runtime.
        Ok(runtime) => runtime.spawn_blocking(work).await.ok(),
        Err(_) => Some(work()),
    }
}

struct Pages {
    shared: Arc<Shared>,
    pull: PullId,
    /// The next one is the last.
    left: Vec<(Location, Digest)>,
    open: Option<(u32, File)>,
}

impl Pages {
    fn chunk(&mut self) -> Vec<Result<PageRecord, JournalError>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK
            && let Some((at, digest)) = self.left.pop()
        {
            let page = self.page(at, digest);
            bytes += page.as_ref().map_or(0, |page| page.payload.len());
            chunk.push(page);
        }
        chunk
    }

    fn page(&mut self, at: Location, digest: Digest) -> Result<PageRecord, JournalError> {
        let found = record(&self.shared, &mut self.open, at);
        let error = match found.and_then(|bytes| self.checked(bytes, at, digest)) {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let now = self.shared.index().page(&self.pull, digest);
        match now {
            // Compaction may have moved it since.
            Some(moved) if moved != at => {
                let found = record(&self.shared, &mut self.open, moved);
                let page = found.and_then(|bytes| self.checked(bytes, moved, digest));
                page.map_err(|error| lost(&self.shared, moved, error))
            }
            Some(_) => Err(lost(&self.shared, at, error)),
            None => Err(error),
        }
    }

    fn checked(
        &self,
        bytes: Vec<u8>,
        at: Location,
        digest: Digest,
    ) -> Result<PageRecord, JournalError> {
        let page = PageRecord::new(self.pull.clone(), Payload::new(bytes));
        match page.digest == digest {
            true => Ok(page),
            false => Err(damaged(&self.shared, at)),
        }
    }
}

/// The quarantined items of one pull or of all, oldest first.
pub(super) async fn quarantined(
    shared: Arc<Shared>,
    of: Option<PullId>,
) -> Result<Vec<Quarantined>, JournalError> {
    let read = move || {
        let wanted = |item: &Item| of.is_none() || item.pull == of;
        let items: Vec<(u64, Item)> = {
            let index = shared.index();
            let items = index.quarantine.iter().filter(|(_, item)| wanted(item));
            items.map(|(seq, item)| (*seq, item.clone())).collect()
        };
        let mut open = None;
        let mut read = |(seq, item): (u64, Item)| {
            let moved = |index: &Index| index.quarantine.get(&seq).map(|it| it.at);
            let found = wherever(&shared, &mut open, item.at, moved);
            let found = found.map_err(|(at, error)| lost(&shared, at, error)).transpose()?;
            let restored =
                |bytes| Quarantined::restored(item.pull, &item.reason, Payload::new(bytes));
            Some(found.map(restored))
        };
        items.into_iter().filter_map(&mut read).collect()
    };
    blocking(read).await.unwrap_or_else(|| Err(shut_down()))
}

/// The oldest events that wait with a greater number than that.
pub(super) async fn waiting(
    shared: Arc<Shared>,
    after: u64,
    most: usize,
) -> Result<Vec<PendingEvent>, JournalError> {
    let read = move || {
        let (mut out, mut bytes, mut open, mut last) = (Vec::new(), 0, None, after);
        while out.len() < most && bytes < CHUNK {
            let next = shared.index().events.after(last).next();
            let Some((number, Event { since, at, .. })) = next else { break };
            last = number;
            let moved = |index: &Index| index.events.get(number).map(|it| it.at);
            // A segment of events has no pages to examine.
            let found = wherever(&shared, &mut open, at, moved);
            match found.map_err(|(at, error)| damage_if_gone(&shared, at, error)) {
                Ok(Some(text)) => {
                    bytes += text.len();
                    out.push(PendingEvent::new(number, since, Payload::new(text)));
                }
                Ok(None) => {}
                Err(JournalError::Damaged(error)) => {
                    let error = &*error as &dyn std::error::Error;
                    tracing::error!(error, "an event that waits cannot be read any more");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(out)
    };
    blocking(read).await.unwrap_or_else(|| Err(shut_down()))
}

fn shut_down() -> JournalError {
    JournalError::Unavailable("the runtime has shut down".into())
}

/// The record that was at a location a moment ago. Compaction may have moved it since. `None` if it was
/// deleted. An error has the location at which the index has it.
fn wherever(
    shared: &Shared,
    open: &mut Option<(u32, File)>,
    at: Location,
    moved: impl Fn(&Index) -> Option<Location>,
) -> Result<Option<Vec<u8>>, (Location, JournalError)> {
    let found = record(shared, open, at);
    let Err(error) = found else { return Ok(found.ok()) };
    let now = moved(&shared.index());
    match now {
        Some(now) if now != at => record(shared, open, now).map(Some).map_err(|error| (now, error)),
        Some(_) => Err((at, error)),
        None => Ok(None),
    }
}

/// The error of a record that the index has at that location: damage, if its segment was deleted.
fn damage_if_gone(shared: &Shared, at: Location, error: JournalError) -> JournalError {
    match error {
        JournalError::Unavailable(_) if loss::is_gone(shared, at.segment) => damaged(shared, at),
        error => error,
    }
}

/// The error of a page or an item that the index has at that location. A damaged segment is examined, and so is
/// a deleted one.
fn lost(shared: &Shared, at: Location, error: JournalError) -> JournalError {
    let error = damage_if_gone(shared, at, error);
    if matches!(error, JournalError::Damaged(_)) {
        loss::examine(shared, at.segment);
    }
    error
}
