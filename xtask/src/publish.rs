//! A release to crates.io that releases nothing.

use std::path::Path;

use crate::Result;
use crate::cargo::for_published;
use crate::program::status;

/// Packages the published crates in the order of their dependencies, builds each from its package alone, and
/// asks crates.io whether it could be published. Needs the network, and a commit without changes beside it.
pub(crate) fn dry_run(root: &Path) -> Result<()> {
    status(&mut for_published(root, &["publish", "--dry-run", "--locked"])?)
}
