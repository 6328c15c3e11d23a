//! What a sink could not do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a list could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The folder that should hold the file is not there.
    #[error("the folder {} does not exist; create it or choose another output", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Something that is no regular file is in the file's place.
    #[error("{} is not a regular file and will not be replaced", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The file system did not do it.
    #[error("{action} {} failed", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The database did not do it.
    #[error("the database could not be written")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else is to publish the list, or a later one stands in its place.
    #[error("the list is not to be published from here any more, or a later one stands there")]
    Superseded,
    /// A record could not be written as JSON or CSV.
    #[error("a record could not be encoded")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SinkError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
