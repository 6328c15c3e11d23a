//! Which backend a path or a URL names.

use std::sync::Arc;

use qopen_journal::{Backend, DiskBackend, JournalError, Opened};

/// Opens the journal that `place` names: a folder's path, or, with the feature `postgres`, a `postgres://`
/// URL.
///
/// A folder is created if it does not exist. The tables of a database must exist: [`backend`] gives what
/// creates them.
///
/// # Errors
/// As [`backend`] and [`Backend::open`].
pub async fn open(place: &str) -> Result<Opened, JournalError> {
    backend(place)?.open().await
}

/// The backend that `place` names: a folder's path, or, with the feature `postgres`, a `postgres://` URL.
/// Nothing is opened yet.
///
/// # Errors
/// [`JournalError::Fatal`], if it is a URL that cannot be used; the error never quotes it.
pub fn backend(place: &str) -> Result<Arc<dyn Backend>, JournalError> {
    if !place.contains("://") {
        return Ok(Arc::new(DiskBackend::new(place)));
    }
    #[cfg(feature = "postgres")]
    return Ok(Arc::new(qopen_postgres::PostgresBackend::new(place)?));
    #[cfg(not(feature = "postgres"))]
    Err(JournalError::Fatal("journals at a URL need the feature `postgres`".into()))
}
