//! Builds and runs the benches.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::{Metadata, cargo};
use crate::program::status;

/// Builds the binary and the benches, and runs those that are named, or all.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<()> {
    // By their binaries: with the dependencies' features of the whole workspace, as for the binary alone.
    let build = ["build", "--release", "--locked", "--bin", "qopen", "--bin", "qopen-bench"];
    cargo(root, &build)?;
    let program = Metadata::of(root)?.target()?.join("release/qopen-bench");
    status(Command::new(program).args(names).current_dir(root))
}
