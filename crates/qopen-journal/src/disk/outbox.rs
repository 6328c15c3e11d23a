//! The events that wait on the disk.

use std::sync::Arc;

use async_trait::async_trait;
use qopen_types::Digest;

use super::frame::Kind;
use super::{DiskJournal, read};
use crate::{Appended, Backlog, JournalError, Outbox, Payload, PendingEvent};

#[async_trait]
impl Outbox for DiskJournal {
    async fn put(&self, event: Payload) -> Result<Appended, JournalError> {
        let digest = Digest::of(event.as_bytes());
        if self.shared.index().events.has(digest) {
            return Ok(Appended::Duplicate);
        }
        self.write(Kind::Event, None, "", digest, Some(&event)).await
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<PendingEvent>, JournalError> {
        read::waiting(Arc::clone(&self.shared), after, most).await
    }

    async fn backlog(&self) -> Result<Backlog, JournalError> {
        Ok(self.shared.index().events.backlog())
    }

    async fn ack(&self, event: &PendingEvent) -> Result<(), JournalError> {
        let digest = Digest::of(event.event.as_bytes());
        if self.shared.index().events.has(digest) {
            self.write(Kind::Taken, None, "", digest, None).await?;
        }
        Ok(())
    }
}
