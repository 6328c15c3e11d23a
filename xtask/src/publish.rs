//! A release to crates.io that releases nothing.

use std::path::Path;

use crate::Result;
use crate::cargo::{Metadata, command, status};

/// Packages the published crates in the order of their dependencies, builds each from its package alone, and
/// asks crates.io whether it could be published. Needs the network, and a commit without changes beside it.
pub(crate) fn dry_run(root: &Path) -> Result<()> {
    let metadata = Metadata::of(root)?;
    let mut publish = command(root, &["publish", "--dry-run", "--workspace", "--locked"]);
    for it in metadata.packages().filter(|it| !it.is_published()) {
        publish.args(["--exclude", it.name()]);
    }
    status(&mut publish)
}
