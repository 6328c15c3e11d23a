//! The events that wait on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use qopen_types::Digest;

use super::frame::Kind;
use super::index::Location;
use super::{DiskJournal, read};
use crate::{Appended, JournalError, Outbox, Payload, Waiting};

#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) digest: Digest,
    pub(super) since: SystemTime,
    pub(super) at: Location,
}

/// Which events wait, by number and by digest.
#[derive(Debug, Default)]
pub(super) struct Events {
    by_number: BTreeMap<u64, Event>,
    by_digest: BTreeMap<Digest, u64>,
}

impl Events {
    pub(super) fn insert(&mut self, number: u64, event: Event) {
        self.by_digest.insert(event.digest, number);
        self.by_number.insert(number, event);
    }

    /// Lets go of the event of that digest, if it was put before that number.
    pub(super) fn remove(&mut self, digest: Digest, before: u64) {
        if self.by_digest.get(&digest).is_some_and(|number| *number <= before)
            && let Some(number) = self.by_digest.remove(&digest)
        {
            self.by_number.remove(&number);
        }
    }

    pub(super) fn has(&self, digest: Digest) -> bool {
        self.by_digest.contains_key(&digest)
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Event> {
        self.by_number.get(&number)
    }

    /// Those with a greater number, oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = (u64, Event)> + '_ {
        let later = self.by_number.range(number.saturating_add(1)..);
        later.map(|(number, event)| (*number, *event))
    }
}

#[async_trait]
impl Outbox for DiskJournal {
    async fn put(&self, event: Payload) -> Result<Appended, JournalError> {
        let digest = Digest::of(event.as_str().as_bytes());
        if self.shared.index().events.has(digest) {
            return Ok(Appended::Duplicate);
        }
        self.write(Kind::Event, None, "", digest, Some(event.as_str())).await
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<Waiting>, JournalError> {
        read::waiting(Arc::clone(&self.shared), after, most).await
    }

    async fn count(&self) -> Result<u64, JournalError> {
        Ok(self.shared.index().events.len() as u64)
    }

    async fn taken(&self, event: &Waiting) -> Result<(), JournalError> {
        let digest = Digest::of(event.event.as_str().as_bytes());
        if self.shared.index().events.has(digest) {
            self.write(Kind::Taken, None, "", digest, None).await?;
        }
        Ok(())
    }
}
