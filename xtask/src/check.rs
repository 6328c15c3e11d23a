//! `cargo xtask check`: everything that must pass before a change is merged.

mod api;
mod circles;
mod dependencies;
mod facade;
mod words;

use std::path::Path;

use crate::cargo::{cargo, command, installed, status};
use crate::{Result, codegen};

pub(crate) use api::stand_in;

/// The version of cargo-deny that is installed where none is found.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// Runs every check, and names those that failed.
pub(crate) fn run(root: &Path, spec: &Path, generated: &Path) -> Result<()> {
    type Check<'a> = (&'a str, Box<dyn Fn() -> Result<()> + 'a>);
    let checks: [Check<'_>; 10] = [
        ("formatting", Box::new(|| cargo(root, &["fmt", "--all", "--check"]))),
        ("generated code", Box::new(|| codegen::check(spec, generated))),
        ("direction of dependencies", Box::new(|| dependencies::check(root))),
        ("circles of modules", Box::new(|| circles::check(root))),
        ("size of the facade", Box::new(|| facade::check(root))),
        ("words", Box::new(|| words::check(root))),
        (
            "clippy",
            Box::new(|| {
                let clippy = [
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--all-features",
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ];
                cargo(root, &clippy)
            }),
        ),
        (
            "documentation",
            Box::new(|| {
                let doc = ["doc", "--workspace", "--no-deps", "--all-features", "--locked"];
                status(command(root, &doc).env("RUSTDOCFLAGS", "-D warnings"))
            }),
        ),
        ("public API", Box::new(|| api::check(root))),
        ("licences, bans and sources", Box::new(|| deny(root))),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("== {name}");
        if let Err(error) = check() {
            eprintln!("xtask: {name}: {error}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("== all checks hold");
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")).into())
}

fn deny(root: &Path) -> Result<()> {
    installed(root, "deny", "cargo-deny", CARGO_DENY)?;
    cargo(root, &["deny", "--all-features", "check", "bans", "licenses", "sources"])
}
