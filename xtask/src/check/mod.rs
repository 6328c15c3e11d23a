//! `cargo xtask check`: everything that must pass before a change is merged.

mod api;
mod circles;
mod dependencies;
mod endpoints;
mod extended;
mod links;
mod markdown;
mod msrv;
mod packages;
mod sizes;
mod targets;
mod translations;
mod words;

use std::path::Path;

use crate::cargo::{Tool, cargo, command};
use crate::program::status;
use crate::{Result, codegen};

pub(crate) use api::stand_in;
#[cfg(test)]
pub(crate) use extended::extended;

pub(crate) const CARGO_DENY: Tool =
    Tool { subcommand: "deny", package: "cargo-deny", version: "0.20.2", minutes: 5 };

/// Runs the checks of these names, or every one, and says which of them failed.
pub(crate) fn run(root: &Path, spec: &Path, generated: &Path, names: &[&str]) -> Result<()> {
    type Check<'a> = (&'a str, Box<dyn Fn() -> Result<()> + 'a>);
    let checks: [Check<'_>; 17] = [
        ("formatting", Box::new(|| cargo(root, &["fmt", "--all", "--check"]))),
        ("generated code", Box::new(|| codegen::check(spec, generated))),
        ("endpoints", Box::new(|| endpoints::check(root, spec))),
        ("direction of dependencies", Box::new(|| dependencies::check(root))),
        ("circles of modules", Box::new(|| circles::check(root))),
        ("sizes", Box::new(|| sizes::check(root))),
        ("words", Box::new(|| words::check(root))),
        ("links", Box::new(|| links::check(root))),
        ("translations", Box::new(|| translations::check(root))),
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
        ("other targets", Box::new(|| targets::check(root))),
        ("new fields", Box::new(|| extended::check(root))),
        (
            "documentation",
            Box::new(|| {
                let doc = ["doc", "--workspace", "--no-deps", "--all-features", "--locked"];
                status(command(root, &doc).env("RUSTDOCFLAGS", "-D warnings"))
            }),
        ),
        ("public API", Box::new(|| api::check(root))),
        ("oldest Rust", Box::new(|| msrv::check(root))),
        ("packages", Box::new(|| packages::check(root))),
        ("licences, bans and sources", Box::new(|| deny(root))),
    ];
    if let Some(unknown) = names.iter().find(|it| !checks.iter().any(|(name, _)| name == *it)) {
        let known = checks.map(|(name, _)| format!("{name:?}")).join(", ");
        return Err(format!("no check {unknown:?}; there are {known}").into());
    }
    let mut failed = Vec::new();
    for (name, check) in checks.iter().filter(|(name, _)| names.is_empty() || names.contains(name))
    {
        println!("== {name}");
        if let Err(error) = check() {
            eprintln!("xtask: {name}: {error}");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("== all checks hold");
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")).into())
}

fn deny(root: &Path) -> Result<()> {
    CARGO_DENY.installed(root)?;
    cargo(root, &["deny", "--all-features", "check", "bans", "licenses", "sources"])
}
