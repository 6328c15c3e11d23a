//! Everything that goes wrong, again and again, for as long as is wanted.

use std::path::Path;

use crate::Result;
use crate::cargo::{command, status};

/// Runs the soak test of the command line, built as users get it, for so many seconds.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<()> {
    let test = ["test", "--release", "--locked", "-p", "qopen-cli", "--test", "it"];
    let which = ["--", "--exact", "--nocapture", "soak::pulls_under_chaos_leave_nothing_behind"];
    let mut command = command(root, &[&test[..], &which].concat());
    status(command.env("QOPEN_SOAK_SECONDS", seconds.to_string()))
}
