//! The workspace builds with the oldest Rust that its manifest names.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::Metadata;
use crate::program::status;

/// Checks every crate and its tests with every feature. Installs that Rust, if it is missing.
pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = Metadata::of(root)?;
    let mut versions = metadata.packages().filter_map(|it| it.rust_version());
    let version = versions.next().ok_or("no crate has a rust-version")?;
    if let Some(other) = versions.find(|it| *it != version) {
        return Err(format!("crates have different rust-versions: {version} and {other}").into());
    }
    let rustup = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.current_dir(root).args(arguments);
        command
    };
    let install = ["toolchain", "install", version, "--profile", "minimal", "--no-self-update"];
    status(&mut rustup(&install))?;
    let cargo = ["run", version, "cargo", "check", "--workspace", "--all-targets"];
    let mut check = rustup(&[&cargo[..], &["--all-features", "--locked"]].concat());
    status(check.env("CARGO_TARGET_DIR", metadata.target()?.join("msrv")))
}
