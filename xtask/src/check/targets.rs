//! Crates that build for other targets than this machine's.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::cargo;

const WASM: &str = "wasm32-unknown-unknown";

/// It has no `std`.
const BARE: &str = "wasm32v1-none";

/// The core crates build for WebAssembly, and the assembler builds without `std`. Installs the targets' libraries, if
/// they are missing.
pub(crate) fn check(root: &Path) -> Result<()> {
    let add = ["target", "add", WASM, BARE];
    let added = Command::new("rustup").current_dir(root).args(add).status();
    if !added.map_err(|error| format!("rustup could not be started: {error}"))?.success() {
        return Err(format!("`rustup {}` failed", add.join(" ")).into());
    }
    let bare = ["clippy", "-p", "qopen-assembler", "--no-default-features", "--target", BARE];
    cargo(root, &[&bare[..], &["--locked", "--", "-D", "warnings"]].concat())?;
    let features = "qopen-assembler/serde,qopen-assembler/types";
    let crates = ["-p", "qopen-types", "-p", "qopen-assembler", "-p", "qopen-callback"];
    let rest = ["--features", features, "--target", WASM, "--locked"];
    cargo(root, &[&["check"], &crates[..], &rest].concat())
}
