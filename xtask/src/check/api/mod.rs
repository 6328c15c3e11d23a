//! The public API of the libraries: whose types it shows, what it was, and what a release may change.

mod foreign;
mod json;
mod semver;
mod snapshot;

use std::path::Path;

use crate::Result;
use crate::cargo::Metadata;

pub(crate) use json::stand_in;

pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = Metadata::of(root)?;
    json::make(root, metadata.target()?)?;
    let folder = metadata.target()?.join("doc");
    let mut wrong = Vec::new();
    let results = [
        foreign::check(&metadata, &folder),
        snapshot::check(root, &metadata, &folder),
        semver::check(root, &metadata, &folder),
    ];
    for result in results {
        wrong.extend(result.err().map(|error| error.to_string()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
