//! The files of an archive.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Archive;
use super::build::Built;
use super::licences;
use super::provenance::Provenance;
use crate::cargo::cargo;
use crate::program::{self, first_line, rustc};
use crate::{Result, files};

/// The completion scripts: the shell, and the name under which it looks for the script.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "qopen.bash"), ("zsh", "_qopen"), ("fish", "qopen.fish")];

/// Files of the repository that every archive has.
const FILES: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Texts that the binary writes. They are the same for every target.
pub(super) struct Texts(Vec<(String, Vec<u8>)>);

impl Texts {
    /// Has a binary that runs on this machine write the texts: one that was built, else one of a debug build.
    pub(super) fn of(root: &Path, target: &Path, built: &[Built], time: u64) -> Result<Self> {
        let runs = |it: &&Built| first_line(Command::new(&it.binary).arg("--version")).is_some();
        let binary: PathBuf = match built.iter().find(runs) {
            Some(built) => std::fs::canonicalize(&built.binary)?,
            None => {
                println!("building for this machine, because no other binary runs here");
                cargo(root, &["build", "--locked", "--bin", "qopen"])?;
                target.join("debug/qopen")
            }
        };
        Self::by(&binary, &target.join("dist-texts"), time)
    }

    fn by(binary: &Path, scratch: &Path, time: u64) -> Result<Self> {
        if scratch.exists() {
            std::fs::remove_dir_all(scratch)?;
        }
        let pages = scratch.join("man");
        std::fs::create_dir_all(&pages)?;
        let ask = |arguments: &[&str]| -> Result<Vec<u8>> {
            // Neither settings nor a language of this machine.
            let mut command = Command::new(binary);
            command.args(arguments).current_dir(scratch).env_clear();
            program::bytes(command.env("SOURCE_DATE_EPOCH", time.to_string()))
        };
        let mut texts = Vec::new();
        for (shell, name) in COMPLETIONS {
            texts.push((format!("completions/{name}"), ask(&["completions", shell])?));
        }
        texts.push(("qopen.schema.json".to_owned(), ask(&["schema"])?));
        ask(&["man", &pages.to_string_lossy()])?;
        for page in files::below(&pages, &[])? {
            let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
            texts.push((format!("man/man1/{name}"), std::fs::read(&page)?));
        }
        std::fs::remove_dir_all(scratch)?;
        match texts.iter().any(|(_, text)| text.is_empty()) {
            true => Err("a text of the binary is empty".into()),
            false => Ok(Self(texts)),
        }
    }
}

/// Adds every file to the archive of a binary.
pub(super) fn add(
    archive: &mut Archive,
    root: &Path,
    version: &str,
    built: &Built,
    Texts(texts): &Texts,
    provenance: &Provenance,
) -> Result<()> {
    archive.add_program("qopen", std::fs::read(&built.binary)?);
    for (path, text) in texts {
        archive.add(path, text.clone());
    }
    for name in FILES {
        archive.add(name, std::fs::read(root.join(name))?);
    }
    for path in files::below(&root.join("packaging"), &[])? {
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        archive.add(&name, std::fs::read(&path)?);
    }
    let components = licences::components(root, &built.target)?;
    let mit = std::fs::read_to_string(root.join("LICENSE-MIT"))?;
    archive.add("qopen.cdx.json", licences::bill(version, &built.target, &components));
    archive.add("licences/crates.txt", licences::texts(&components, &mit)?);
    for (name, text) in of_toolchain(&built.musl) {
        archive.add(&format!("licences/{name}"), text);
    }
    archive.add("BUILD.txt", provenance.text(built));
    Ok(())
}

/// The licences of Rust's library and of musl, which are in the binary too.
fn of_toolchain(musl: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let sysroot = rustc(&["--print", "sysroot"]).unwrap_or_default();
    let rust = Path::new(&sysroot).join("share/doc/rust/COPYRIGHT-library.html");
    let mut found = Vec::new();
    for (name, path) in [("rust.html", rust.as_path()), ("musl.txt", musl)] {
        match std::fs::read(path) {
            Ok(text) => found.push((name, text)),
            Err(error) => {
                eprintln!("xtask: NOT PACKED: licences/{name}: {}: {error}", path.display())
            }
        }
    }
    found
}
