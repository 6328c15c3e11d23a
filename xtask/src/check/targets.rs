//! Crates that build for other targets than this machine's.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::cargo;
use crate::program::status;

const WASM: &str = "wasm32-unknown-unknown";

/// It has no `std`.
const BARE: &str = "wasm32v1-none";

/// Crates that need `alloc` only, without their feature `std`, and features that need no more.
const BARE_CRATES: [(&str, &str); 3] =
    [("qopen-types", ""), ("qopen-assembler", "types"), ("qopen-callback", "")];

/// Those whose tests do not need the feature.
const TESTED: [&str; 2] = ["qopen-types", "qopen-callback"];

/// The core crates build for WebAssembly, and without `std`. Installs the targets' libraries, if
/// they are missing.
pub(crate) fn check(root: &Path) -> Result<()> {
    status(Command::new("rustup").current_dir(root).args(["target", "add", WASM, BARE]))?;
    let bare = ["--no-default-features", "--target", BARE, "--locked", "--", "-D", "warnings"];
    // One by one: together, one's features would be the other's.
    for (name, features) in BARE_CRATES {
        cargo(root, &[&["clippy", "-p", name, "--features", features], &bare[..]].concat())?;
    }
    let tests = ["--no-default-features", "--lib", "--test", "it", "--locked", "--"];
    // Readings that threads note at the same time are told to any of them. Other languages read the same vectors.
    let alone = ["--test-threads=1", "--skip", "languages::"];
    for name in TESTED {
        cargo(root, &[&["test", "-p", name], &tests[..], &alone].concat())?;
    }
    let features = "qopen-assembler/serde,qopen-assembler/types";
    let crates = ["-p", "qopen-types", "-p", "qopen-assembler", "-p", "qopen-callback"];
    let rest = ["--features", features, "--target", WASM, "--locked"];
    cargo(root, &[&["check"], &crates[..], &rest].concat())
}
