//! Runs the soak test of the command line.

use std::path::Path;

use crate::Result;
use crate::cargo::command;
use crate::program::status;

/// Runs pulls under every fault for this many seconds, with a release build of the binary.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<()> {
    let test = ["test", "--release", "--locked", "-p", "qopen-cli", "--test", "it"];
    let which = ["--", "--exact", "--nocapture", "soak::pulls_under_chaos_leave_nothing_behind"];
    let mut command = command(root, &[&test[..], &which].concat());
    status(command.env("QOPEN_SOAK_SECONDS", seconds.to_string()))
}
