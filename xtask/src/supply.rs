//! The project's components, and their known vulnerabilities.

use std::path::Path;

use serde_json::Value;

use crate::Result;
use crate::cargo::{cargo, command, installed};
use crate::check::CARGO_DENY;

/// The version of cargo-cyclonedx that is installed where none is found.
const CARGO_CYCLONEDX: &str = "0.5.9";

/// Looks for known vulnerabilities. The database of advisories comes from the network, so this is
/// not part of `check`: it fails on a machine without it.
pub(crate) fn audit(root: &Path) -> Result<()> {
    installed(root, "deny", "cargo-deny", CARGO_DENY)?;
    cargo(root, &["deny", "--all-features", "check", "advisories"]).map_err(|error| {
        format!("{error}; where the database could not be had, nothing was looked at").into()
    })
}

/// Writes the binary's components to `target/sbom/qopen.cdx.json`, in CycloneDX 1.5.
pub(crate) fn sbom(root: &Path) -> Result<()> {
    installed(root, "cyclonedx", "cargo-cyclonedx", CARGO_CYCLONEDX)?;
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
    let metadata = command(root, &["metadata", "--format-version", "1", "--no-deps"]).output()?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let beside = manifest.with_file_name(&file);
        if beside.exists() {
            std::fs::remove_file(beside)?;
        }
    }
    let sbom: Value = serde_json::from_str(&made)?;
    let components = sbom["components"].as_array().map_or(0, Vec::len);
    if components == 0 {
        return Err("the list of components is empty".into());
    }
    let folder = root.join("target/sbom");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(&file), made)?;
    println!("{components} components: target/sbom/{file}");
    Ok(())
}
