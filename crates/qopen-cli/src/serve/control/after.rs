//! The part of a list after a customer.

use std::path::Path;

use qopen::sink::{
    Committed, ListInfo, ListKind, ListWriter, Moved, Quarantine, Record, Sink, SinkError,
};
use qopen::types::AccountId;

/// A sink that gets the customers whose ids come after `id`, or all of them.
pub(super) struct After<S> {
    pub(super) sink: S,
    pub(super) id: Option<AccountId>,
}

impl<S: Sink> Sink for After<S> {
    fn check(&self) -> Result<(), SinkError> {
        self.sink.check()
    }

    fn scratch(&self) -> Option<&Path> {
        self.sink.scratch()
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let writer = self.sink.begin(kind)?;
        match self.id.clone() {
            Some(id) => Ok(Box::new(Writer { writer, id })),
            None => Ok(writer),
        }
    }
}

/// Without an encoder: the id of every record must be read.
struct Writer {
    writer: Box<dyn ListWriter>,
    id: AccountId,
}

impl ListWriter for Writer {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        self.writer.begin_list(list)
    }

    fn tell(&mut self, moved: Moved) {
        self.writer.tell(moved);
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        // Lists are in the order of these bytes.
        match record.account().account_id > self.id {
            true => self.writer.write(record),
            false => Ok(()),
        }
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.writer.set_aside(quarantine)
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.writer.settle()
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        self.writer.commit()
    }
}
