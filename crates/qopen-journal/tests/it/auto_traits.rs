//! Public types can be moved to another thread and shared with it.

use qopen_journal::{
    Changes, Claim, Cursor, DiskJournal, DiskOptions, EndState, JournalError, MemoryJournal, Note,
    PageRecord, Payload, PullState, Quarantined, Started,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Changes>();
    is::<Claim>();
    is::<Cursor>();
    is::<DiskJournal>();
    is::<DiskOptions>();
    is::<EndState>();
    is::<JournalError>();
    is::<MemoryJournal>();
    is::<Note>();
    is::<PageRecord>();
    is::<Payload>();
    is::<PullState>();
    is::<Quarantined>();
    is::<Started>();
};
