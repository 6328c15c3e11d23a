//! Builds and runs the benches.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// Builds the binary and the benches in release mode, and runs the named ones, or all.
pub fn run(root: &Path, names: &[&str]) -> Result<()> {
    let build = ["build", "--release", "--locked", "-p", "qopen-cli", "-p", "qopen-bench"];
    let built = Command::new(env!("CARGO")).args(build).current_dir(root).status()?;
    if !built.success() {
        return Err("the benches do not build".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let program = root.join(target).join("release/qopen-bench");
    let done = Command::new(&program).args(names).current_dir(root).status();
    let done = done.map_err(|error| format!("{}: {error}", program.display()))?;
    if done.success() { Ok(()) } else { Err("a bench failed".into()) }
}
