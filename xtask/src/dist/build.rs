//! The static binary of a target.

use std::path::{Path, PathBuf};

use super::compiler::{DEBIAN_MUSL, Tools};
use super::traces::Traces;
use crate::Result;
use crate::cargo::command;
use crate::program::status;

/// A binary, and what made it.
pub(super) struct Built {
    pub(super) target: String,
    pub(super) binary: PathBuf,
    /// The C compiler. Absent for a binary that another build made.
    pub(super) c_compiler: Option<String>,
    /// The licence of musl.
    pub(super) musl: PathBuf,
}

impl Built {
    /// A binary that another build made.
    pub(super) fn given(target: &str, binary: &Path) -> Self {
        Self {
            target: target.to_owned(),
            binary: binary.to_owned(),
            c_compiler: None,
            musl: DEBIAN_MUSL.into(),
        }
    }
}

/// Builds the binary with the profile `dist`, so that it names no folder of this machine.
pub(super) fn build(root: &Path, folder: &Path, target: &str, tools: &Tools) -> Result<Built> {
    println!("building for {target} with {}: about 10 min of CPU", tools.version);
    let traces = Traces::of(root, folder)?;
    let build = ["build", "--locked", "--profile", "dist", "-p", "qopen-cli", "--bin", "qopen"];
    let mut command = command(root, &[&build[..], &["--target", target]].concat());
    let linker = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
    command
        .env("CARGO_TARGET_DIR", folder)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", traces.flags().join("\x1f"))
        // It comes with Rust, whereas the version of a system's linker is in the binary.
        .env(linker, "rust-lld");
    for (name, path) in &tools.variables {
        command.env(name, path);
    }
    status(&mut command)?;
    let binary = folder.join(target).join("dist/qopen");
    traces.refuse_in(&std::fs::read(&binary)?)?;
    let Tools { version, musl, .. } = tools;
    Ok(Built {
        target: target.to_owned(),
        binary,
        c_compiler: Some(version.clone()),
        musl: musl.clone(),
    })
}
