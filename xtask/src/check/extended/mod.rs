//! A field that is added to the specification is in every output, without another edit.
//!
//! Builds a copy of the crates with a few fields more in `openapi.yaml`, and tests them there.

use std::fs;
use std::path::Path;

use crate::cargo::{Metadata, command};
use crate::program::status;
use crate::{Result, codegen};

/// What is added to the specification: a text and an enumeration of the account, and an integer of its
/// profile. Each is put before a line that is there once.
const FIELDS: [(&str, &str); 3] = [
    (
        "        tag_info_list:\n",
        "        nickname: {type: string, x-personal: true, description: Nickname.}
        level: {$ref: '#/components/schemas/Level', description: Level.}\n",
    ),
    (
        "        desc:\n",
        "        seen_at: {type: integer, format: int64, description: When it was last seen.}\n",
    ),
    (
        "    Gender:\n",
        "    Level:
      type: integer
      description: A level.
      oneOf:
        - {const: 0, title: Unspecified, description: none, x-label-zh: 无}
        - {const: 3, title: Gold, description: gold, x-label-zh: 金}\n",
    ),
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = Metadata::of(root)?;
    let copy = metadata.target()?.join("extended");
    let crates = copy.join("crates");
    if crates.exists() {
        fs::remove_dir_all(&crates)?;
    }
    copy_sources(&root.join("crates"), &crates)?;
    fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock"))?;
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    // Without the crates that this check is part of.
    let members = ("\"xtask\"]", "]\nexclude = [\"crates/qopen-fuzz\"]");
    fs::write(copy.join("Cargo.toml"), manifest.replacen(members.0, members.1, 1))?;
    let types = crates.join("qopen-types");
    let spec = types.join("openapi.yaml");
    fs::write(&spec, extended(&fs::read_to_string(&spec)?)?)?;
    codegen::write(&spec, &types.join("src/generated"))?;
    let test = crates.join("qopen-sink/tests/fields.rs");
    fs::write(test, include_str!("fields.rs"))?;
    // A target folder of its own: to cargo, a crate of the copy is the same as the one that it is a copy of.
    let test = ["test", "--offline", "-p", "qopen-types", "-p", "qopen-sink"];
    let mut test = command(&copy, &test);
    test.args(["--lib", "--test", "fields"]).env("CARGO_TARGET_DIR", copy.join("target"));
    status(&mut test)
}

/// The specification with the fields.
pub(crate) fn extended(spec: &str) -> Result<String> {
    let mut spec = spec.to_owned();
    for (before, new) in FIELDS {
        if spec.matches(before).count() != 1 {
            return Err(format!("the specification must have {before:?} exactly once").into());
        }
        spec = spec.replace(before, &format!("{new}{before}"));
    }
    Ok(spec)
}

/// Copies a folder, without what builds have left in it.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if !entry.file_type()?.is_dir() {
            fs::copy(&source, &target)?;
        } else if !["target", "corpus", "artifacts"].iter().any(|it| entry.file_name() == *it) {
            copy_sources(&source, &target)?;
        }
    }
    Ok(())
}
