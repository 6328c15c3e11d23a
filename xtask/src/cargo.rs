//! Runs cargo's commands.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// Installs a missing subcommand of cargo.
pub(crate) fn installed(root: &Path, subcommand: &str, name: &str, version: &str) -> Result<()> {
    if command(root, &[subcommand, "--version"]).output()?.status.success() {
        return Ok(());
    }
    println!("{name} is missing; installing {version}, which takes some minutes");
    cargo(root, &["install", name, "--locked", "--version", version])
}

pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments);
    command
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    status(&mut command(root, arguments))
}

pub(crate) fn status(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("cargo ended with {status}").into()) }
}
