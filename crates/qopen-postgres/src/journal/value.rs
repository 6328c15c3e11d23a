//! Values of the tables, and the database's errors as the journal's.

use std::time::Duration;

use qopen_journal::storage;
use qopen_journal::{JournalError, Note, Payload, PullId};
use qopen_types::Digest;
use tokio_postgres::{Error, Row};

use crate::error::DatabaseError;

pub(crate) fn away(error: DatabaseError) -> JournalError {
    match error.is_retryable() {
        true => JournalError::Unavailable(Box::new(error)),
        false => JournalError::Fatal(Box::new(error)),
    }
}

/// How long a statement may take until the database counts as away.
const STATEMENT: Duration = Duration::from_secs(12);

/// Bounds the time of a statement: a frozen server neither answers nor closes the connection.
pub(super) async fn bounded<T>(
    work: impl Future<Output = Result<T, JournalError>>,
) -> Result<T, JournalError> {
    let done = tokio::time::timeout(STATEMENT, work).await;
    done.unwrap_or_else(|_| Err(away(DatabaseError::TimedOut)))
}

pub(super) fn failed(error: Error) -> JournalError {
    away(DatabaseError::of(error))
}

pub(super) fn damaged(what: &str) -> JournalError {
    JournalError::Damaged(what.to_owned().into())
}

/// Packs a payload. Returns its length if it is packed, and the bytes to store.
pub(super) async fn pack(payload: Payload) -> Result<(Option<i32>, Vec<u8>), JournalError> {
    if payload.len() < storage::LARGE {
        return Ok(pack_here(&payload));
    }
    let packed = tokio::task::spawn_blocking(move || pack_here(&payload)).await;
    packed.map_err(|error| JournalError::Fatal(Box::new(error)))
}

fn pack_here(payload: &Payload) -> (Option<i32>, Vec<u8>) {
    let bytes = payload.as_bytes();
    match storage::pack(bytes).zip(i32::try_from(bytes.len()).ok()) {
        Some((packed, unpacked)) => (Some(unpacked), packed),
        None => (None, bytes.to_vec()),
    }
}

/// Restores a payload from its two columns.
pub(super) fn unpack(unpacked: Option<i32>, stored: &[u8]) -> Result<Payload, JournalError> {
    let length = match unpacked {
        Some(length) => usize::try_from(length).map_err(|_| damaged("a length is negative"))?,
        None => stored.len(),
    };
    let bytes = storage::unpack(stored, unpacked.is_some(), length);
    bytes.map(Payload::new).ok_or_else(|| damaged("a payload is not what was stored"))
}

/// The names of a pull; none for an item of an unknown pull.
pub(super) fn names_of(pull: Option<&PullId>) -> (Option<&str>, Option<&str>) {
    pull.map(|it| (it.robot_id.as_str(), it.mark_id.as_str())).unzip()
}

pub(super) fn bytes_of(digest: Digest) -> Vec<u8> {
    digest.to_u128().to_be_bytes().to_vec()
}

pub(super) fn digest_of(bytes: &[u8]) -> Result<Digest, JournalError> {
    let bytes = bytes.try_into().map_err(|_| damaged("a digest has another length"))?;
    Ok(Digest::from_u128(u128::from_be_bytes(bytes)))
}

/// The pull that two columns of a row name.
pub(super) fn pull_of(row: &Row, robot: usize, mark: usize) -> Result<PullId, JournalError> {
    let name = |at| row.get::<_, &str>(at);
    let damaged = |_| damaged("a name is none");
    let robot_id = name(robot).parse().map_err(damaged)?;
    Ok(PullId { robot_id, mark_id: name(mark).parse().map_err(damaged)? })
}

pub(super) fn encode(note: &Note) -> Result<String, JournalError> {
    serde_json::to_string(note).map_err(|error| JournalError::Fatal(Box::new(error)))
}
