//! The project's components, and their known vulnerabilities.

use std::path::Path;

use crate::Result;
use crate::cargo::{Metadata, cargo};
use crate::check::CARGO_DENY;
use crate::dist::licences;
use crate::program::rustc;

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
    let metadata = Metadata::of(root)?;
    let target = rustc(&["--print", "host-tuple"]).ok_or("rustc does not name its target")?;
    let components = licences::components(root, &target)?;
    let folder = metadata.target()?.join("sbom");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("qopen.cdx.json");
    std::fs::write(&path, licences::bill(metadata.version()?, &target, &components))?;
    println!("{} components: {}", components.len(), path.display());
    Ok(())
}
