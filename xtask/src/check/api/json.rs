//! Rustdoc's JSON: the compiler's own view of an API.
//!
//! Its layout is not stable yet, so that a toolchain of another layout than `public-api` reads is refused.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::cargo::command;
use crate::program;

/// Set for the process that replaces rustdoc.
const STAND_IN: &str = "QOPEN_XTASK_IS_RUSTDOC";

/// Makes the descriptions of all libraries of a workspace in `doc` of the target folder.
///
/// The switch that allows JSON must reach rustdoc and not the compiler, or cargo builds every dependency
/// anew. So this program runs between cargo and rustdoc.
pub(super) fn make(root: &Path, target: &Path) -> Result<()> {
    let doc = ["doc", "--workspace", "--no-deps", "--lib", "--all-features", "--locked"];
    let mut doc = command(root, &doc);
    doc.env("CARGO_TARGET_DIR", target)
        .env("RUSTDOC", std::env::current_exe()?)
        .env(STAND_IN, "1")
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    program::status(&mut doc)
}

/// Runs rustdoc and returns its exit code, in the process that replaces it.
pub(crate) fn stand_in() -> Option<std::process::ExitCode> {
    std::env::var_os(STAND_IN)?;
    let status = std::process::Command::new("rustdoc")
        .args(std::env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1")
        .status();
    let success = status.is_ok_and(|it| it.success());
    Some(if success { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE })
}

/// The description of a crate.
pub(super) fn of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}.json", name.replace('-', "_")))
}
