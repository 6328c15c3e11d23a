//! The project's components, and their known vulnerabilities.

use std::path::Path;

use serde_json::Value;

use crate::Result;
use crate::cargo::{Metadata, Tool, cargo};
use crate::check::CARGO_DENY;

const CARGO_CYCLONEDX: Tool =
    Tool { subcommand: "cyclonedx", package: "cargo-cyclonedx", version: "0.5.9", minutes: 3 };

/// Looks for known vulnerabilities. The database of advisories comes from the network, so this is
/// not part of `check`: it fails on a machine without it.
pub(crate) fn audit(root: &Path) -> Result<()> {
    CARGO_DENY.installed(root)?;
    cargo(root, &["deny", "--all-features", "check", "advisories"]).map_err(|error| {
        format!("{error}; where the database could not be had, nothing was looked at").into()
    })
}

/// Writes what the binary is made of to `sbom/qopen.cdx.json` in cargo's target folder, in CycloneDX 1.5.
pub(crate) fn sbom(root: &Path) -> Result<()> {
    CARGO_CYCLONEDX.installed(root)?;
    let name = "qopen.cdx";
    let make = [
        "cyclonedx",
        "--manifest-path",
        "crates/qopen-cli/Cargo.toml",
        "--format",
        "json",
        "--spec-version",
        "1.5",
        "--no-build-deps",
        "--override-filename",
        name,
    ];
    cargo(root, &make)?;
    // cargo-cyclonedx leaves one beside every manifest; only the binary's is wanted.
    let file = format!("{name}.json");
    let made = std::fs::read_to_string(root.join("crates/qopen-cli").join(&file))?;
    let metadata = Metadata::of(root)?;
    for package in metadata.packages() {
        let beside = package.manifest().with_file_name(&file);
        if beside.exists() {
            std::fs::remove_file(beside)?;
        }
    }
    let sbom: Value = serde_json::from_str(&made)?;
    let components = sbom["components"].as_array().map_or(0, Vec::len);
    if components == 0 {
        return Err("the list of components is empty".into());
    }
    let folder = metadata.target()?.join("sbom");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(&file);
    std::fs::write(&path, made)?;
    println!("{components} components: {}", path.display());
    Ok(())
}
