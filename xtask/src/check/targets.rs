//! Crates that build for other targets than this machine's.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::cargo;

const WASM: &str = "wasm32-unknown-unknown";

/// It has no `std`.
const BARE: &str = "wasm32v1-none";

/// Crates that need `alloc` only, without their feature `std`.
const BARE_CRATES: [&str; 2] = ["qopen-types", "qopen-assembler"];

/// The core crates build for WebAssembly, and without `std`. Installs the targets' libraries, if
/// they are missing.
pub(crate) fn check(root: &Path) -> Result<()> {
    let add = ["target", "add", WASM, BARE];
    let added = Command::new("rustup").current_dir(root).args(add).status();
    if !added.map_err(|error| format!("rustup could not be started: {error}"))?.success() {
        return Err(format!("`rustup {}` failed", add.join(" ")).into());
    }
    let bare = ["--no-default-features", "--target", BARE, "--locked", "--", "-D", "warnings"];
    for name in BARE_CRATES {
        // One by one: together, one's features would be the other's.
        cargo(root, &[&["clippy", "-p", name], &bare[..]].concat())?;
        // The same results, but for readings that threads note at the same time.
        let tests = ["--no-default-features", "--lib", "--test", "it", "--locked"];
        cargo(root, &[&["test", "-p", name], &tests[..], &["--", "--test-threads=1"]].concat())?;
    }
    let features = "qopen-assembler/serde,qopen-assembler/types";
    let crates = ["-p", "qopen-types", "-p", "qopen-assembler", "-p", "qopen-callback"];
    let rest = ["--features", features, "--target", WASM, "--locked"];
    cargo(root, &[&["check"], &crates[..], &rest].concat())
}
