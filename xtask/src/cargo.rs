//! Runs cargo's commands.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::Result;
use crate::program::{output, status};

/// A subcommand that does not come with cargo.
pub(crate) struct Tool {
    /// As cargo calls it.
    pub(crate) subcommand: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// How long it takes to build on two cores, in minutes.
    pub(crate) minutes: u32,
}

impl Tool {
    /// Installs the tool if it is missing. Prints the expected time before, and the time taken after; cargo
    /// prints the folder.
    pub(crate) fn installed(&self, root: &Path) -> Result<()> {
        if command(root, &[self.subcommand, "--version"]).output()?.status.success() {
            return Ok(());
        }
        let Self { package, version, minutes, .. } = self;
        println!("{package} is missing: installing {version}, about {minutes} min");
        let begun = Instant::now();
        // The tools run for seconds: not worth minutes of optimising.
        let mut install = command(root, &["install", package, "--locked", "--version", version]);
        install.envs([
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ]);
        status(&mut install)?;
        println!("{package} {version} is installed after {} s", begun.elapsed().as_secs());
        Ok(())
    }
}

/// Cargo's metadata of the workspace and its crates.
pub(crate) struct Metadata(Value);

impl Metadata {
    pub(crate) fn of(root: &Path) -> Result<Self> {
        let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
        Ok(Self(serde_json::from_str(&output(&mut command(root, &arguments))?)?))
    }

    /// Where cargo puts what it builds: `CARGO_TARGET_DIR` and cargo's settings included.
    pub(crate) fn target(&self) -> Result<&Path> {
        let folder = self.0["target_directory"].as_str();
        Ok(Path::new(folder.ok_or("cargo metadata names no target_directory")?))
    }

    pub(crate) fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        self.0["packages"].as_array().into_iter().flatten().map(Package)
    }

    /// The version of the binary.
    pub(crate) fn version(&self) -> Result<&str> {
        let binary = self.packages().find(|it| it.name() == "qopen-cli");
        Ok(binary.ok_or("there is no qopen-cli")?.version())
    }

    /// The libraries that are published.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = Package<'_>> {
        self.packages().filter(|it| it.is_published() && it.is_library())
    }
}

/// A crate of the workspace.
#[derive(Clone, Copy)]
pub(crate) struct Package<'a>(&'a Value);

impl<'a> Package<'a> {
    pub(crate) fn name(self) -> &'a str {
        self.0["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn version(self) -> &'a str {
        self.0["version"].as_str().unwrap_or_default()
    }

    pub(crate) fn rust_version(self) -> Option<&'a str> {
        self.0["rust_version"].as_str()
    }

    /// Whether its manifest allows it to be published.
    pub(crate) fn is_published(self) -> bool {
        self.0["publish"].as_array().is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn is_library(self) -> bool {
        let targets = self.0["targets"].as_array().into_iter().flatten();
        let mut kinds = targets.filter_map(|it| it["kind"].as_array()).flatten();
        kinds.any(|it| it == "lib")
    }

    /// Names of what it depends on, tests aside.
    pub(crate) fn dependencies(self) -> impl Iterator<Item = &'a str> {
        let all = self.0["dependencies"].as_array().into_iter().flatten();
        all.filter(|it| it["kind"] != "dev").filter_map(|it| it["name"].as_str())
    }

    /// The value at a path below `[package.metadata]`.
    pub(crate) fn metadata(self, pointer: &str) -> Option<&'a Value> {
        self.0["metadata"].pointer(pointer)
    }
}

pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments);
    command
}

/// A command on every crate that is published.
pub(crate) fn for_published(root: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = command(root, arguments);
    command.arg("--workspace");
    for it in Metadata::of(root)?.packages().filter(|it| !it.is_published()) {
        command.args(["--exclude", it.name()]);
    }
    Ok(command)
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    status(&mut command(root, arguments))
}
