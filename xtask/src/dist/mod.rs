//! `cargo xtask dist`: what is released, as reproducible archives.

mod archive;
mod build;
mod compiler;
mod contents;
pub(crate) mod licences;
mod provenance;
mod traces;

use std::path::{Path, PathBuf};

use crate::Result;
use crate::cargo::Metadata;
use archive::Archive;
use build::Built;
use contents::Texts;
use provenance::Provenance;

/// The targets of a release.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// The options of the command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    targets: Vec<String>,
    out: Option<PathBuf>,
    /// A binary to pack instead of one that is built. There is one target then.
    binary: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        for option in words.chunks(2) {
            match option {
                ["--target", target] => options.targets.push((*target).to_owned()),
                ["--out", folder] => options.out = Some(folder.into()),
                ["--binary", file] => options.binary = Some(file.into()),
                _ => return Err(format!("dist does not know {option:?}").into()),
            }
        }
        if options.binary.is_some() && options.targets.len() != 1 {
            return Err("dist: --binary needs the one --target of that binary".into());
        }
        Ok(options)
    }
}

/// Builds the binary for each target, and writes an archive for each, and their checksums.
///
/// # Errors
/// A target that was asked for cannot be built, or no target can; a binary names paths of this machine; an
/// archive cannot be written.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let metadata = Metadata::of(root)?;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => metadata.target()?.join("dist-archives"),
    };
    std::fs::create_dir_all(&out)?;
    let provenance = Provenance::of(root)?;
    let built = match (&options.binary, &options.targets[..]) {
        (Some(binary), [target]) => vec![Built::given(target, binary)],
        (_, targets) => build_all(root, metadata.target()?, targets)?,
    };
    let texts = Texts::of(root, metadata.target()?, &built, provenance.time)?;
    let version = metadata.version()?;
    let mut sums = String::new();
    for built in &built {
        let name = format!("qopen-{version}-{}", built.target);
        let mut archive = Archive::new(&name, provenance.time);
        contents::add(&mut archive, root, version, built, &texts, &provenance)?;
        let packed = archive.pack()?;
        let file = format!("{name}.tar.gz");
        let sum = archive::sha256(&packed);
        std::fs::write(out.join(&file), packed)?;
        println!("{sum}  {}", out.join(&file).display());
        sums.push_str(&format!("{sum}  {file}\n"));
    }
    std::fs::write(out.join("SHA256SUMS"), sums)?;
    Ok(())
}

/// Builds each target that is named, or each that this machine can build.
fn build_all(root: &Path, target_folder: &Path, named: &[String]) -> Result<Vec<Built>> {
    let mut built = Vec::new();
    let mut failed = Vec::new();
    let all = TARGETS.map(str::to_owned);
    for target in if named.is_empty() { &all[..] } else { named } {
        match compiler::tools(target, &target_folder.join("dist-tools")) {
            Ok(tools) => built.push(build::build(root, target_folder, target, &tools)?),
            Err(why) => {
                eprintln!("xtask: NOT BUILT: {target}: {why}");
                failed.push(target.as_str());
            }
        }
    }
    match (built.is_empty(), named.is_empty()) {
        (true, _) => Err("no target can be built on this machine".into()),
        (false, false) if !failed.is_empty() => {
            Err(format!("not built: {}", failed.join(", ")).into())
        }
        _ => Ok(built),
    }
}

#[cfg(test)]
mod tests;
