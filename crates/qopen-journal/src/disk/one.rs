//! Reads one record.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::at::{At, unavailable};
use super::frame::{Body, Header};
use super::segment::{self, Location};
use super::shared::Shared;
use crate::JournalError;

/// Reads and checks the record at that place, and unpacks its payload.
pub(super) fn record(
    shared: &Shared,
    open: &mut Option<(u32, File)>,
    at: Location,
) -> Result<Vec<u8>, JournalError> {
    let path = segment::path_of(&shared.folder, at.segment);
    let failed = |error: io::Error| unavailable(Arc::new(At::new(&path, error)));
    let file = match open {
        Some((segment, file)) if *segment == at.segment => file,
        _ => &mut open.insert((at.segment, File::open(&path).map_err(failed)?)).1,
    };
    let bytes = segment::read_record(file, at.offset, at.length).map_err(failed)?;
    let whole = || {
        let header = Header::read(&bytes, (at.segment, at.offset))?;
        Body::of(&header, header.body_in(&bytes)?)?.payload()
    };
    whole().ok_or_else(|| damaged(shared, at))
}

/// The error of a record that is not at that location.
pub(super) fn damaged(shared: &Shared, at: Location) -> JournalError {
    let path = segment::path_of(&shared.folder, at.segment);
    let what = format!("the record at byte {} is not what was written", at.offset);
    let error = io::Error::new(io::ErrorKind::InvalidData, what);
    JournalError::Damaged(Box::new(At::new(path, error)))
}
