//! Which journal a path or a URL names.

use std::error::Error as _;

use qopen::journal::JournalError;

#[tokio::test]
async fn a_path_names_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let path = path.to_str().unwrap();
    let backend = qopen::backend(path).unwrap();
    assert_eq!((backend.to_string().as_str(), backend.is_shared()), (path, false));
    assert!(!backend.exists().await.unwrap());
    let opened = qopen::open(path).await.unwrap();
    assert!(opened.report.damage.is_empty() && opened.journal.stats().healthy);
    assert!(backend.exists().await.unwrap());
    let error = backend.open().await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
}

#[test]
fn a_url_that_cannot_be_used_is_not_quoted() {
    for url in ["mysql://me:secret@host/x", "postgres://me:secret@host:port/x"] {
        let error = qopen::backend(url).unwrap_err();
        assert!(matches!(error, JournalError::Fatal(_)) && error.source().is_some());
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_url_of_postgresql_names_a_database() {
    let backend = qopen::backend("postgres://me:secret@host/x").unwrap();
    assert_eq!(backend.to_string(), "postgres://host:5432/x");
    assert!(backend.is_shared() && backend.as_folder().is_none());
    assert!(!format!("{backend:?}").contains("secret"));
}
