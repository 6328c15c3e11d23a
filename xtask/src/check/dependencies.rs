//! Dependencies point one way, and the light crates stay light.
//!
//! `[bans] deny … wrappers` of cargo-deny does less: it forbids edges that only tests have, it sees direct
//! dependents and not what a light crate brings from afar, and it lets a new crate through that no rule names.

use std::path::Path;

use crate::Result;
use crate::cargo::{Metadata, command};
use crate::program::output;

/// Which crates of the workspace each may depend on.
const ALLOWED: [(&str, &[&str]); 18] = [
    ("qopen-types", &[]),
    ("qopen-assembler", &["qopen-types"]),
    ("qopen-http", &["qopen-types"]),
    ("qopen-callback", &["qopen-types"]),
    ("qopen-journal", &["qopen-types"]),
    ("qopen-sink", &["qopen-types"]),
    ("qopen-postgres", &["qopen-types", "qopen-journal", "qopen-sink"]),
    ("qopen-mysql", &["qopen-types", "qopen-sink"]),
    ("qopen-sqlite", &["qopen-types", "qopen-sink"]),
    ("qopen-engine", &["qopen-types", "qopen-assembler", "qopen-journal", "qopen-sink"]),
    (
        "qopen",
        &[
            "qopen-engine",
            "qopen-types",
            "qopen-assembler",
            "qopen-http",
            "qopen-callback",
            "qopen-journal",
            "qopen-sink",
            "qopen-mysql",
            "qopen-postgres",
            "qopen-sqlite",
        ],
    ),
    ("qopen-simulator", &["qopen-types", "qopen-callback"]),
    ("qopen-cli", &["qopen", "qopen-simulator"]),
    ("qopen-bench", &["qopen", "qopen-mysql", "qopen-postgres", "qopen-simulator"]),
    (
        "qopen-fuzz",
        &[
            "qopen-assembler",
            "qopen-callback",
            "qopen-journal",
            "qopen-simulator",
            "qopen-types",
            "xtask",
        ],
    ),
    ("qopen-wasm", &["qopen-assembler", "qopen-callback", "qopen-types"]),
    ("qopen-python", &["qopen-assembler", "qopen-callback", "qopen-types"]),
    ("xtask", &[]),
];

/// What a crate without runtime or network must not bring.
const HEAVY: &[&str] = &["tokio", "reqwest", "axum", "hyper", "futures-util"];

/// What a crate without HTTP must not bring.
const HTTP: &[&str] =
    &["reqwest", "axum", "axum-core", "hyper", "hyper-util", "http", "http-body", "tower-service"];

/// Crates that must stay light with all their features, and what they must not bring.
const LIGHT: [(&str, &[&str]); 3] =
    [("qopen-types", HEAVY), ("qopen-assembler", HEAVY), ("qopen-engine", HTTP)];

pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = Metadata::of(root)?;
    let mut wrong = Vec::new();
    for package in metadata.packages() {
        let name = package.name();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{name}: add it to the table in xtask/src/check/dependencies.rs"));
            continue;
        };
        let ours = |it: &&str| ALLOWED.iter().any(|(known, _)| known == it);
        let others = package.dependencies().filter(ours).filter(|it| !allowed.contains(it));
        wrong.extend(others.map(|it| format!("{name} depends on {it}")));
    }
    for (name, heavy) in LIGHT {
        let tree =
            ["tree", "-p", name, "-e", "normal", "--all-features", "--prefix", "none", "--locked"];
        let tree = output(&mut command(root, &tree))?;
        if tree.is_empty() {
            return Err(format!("cargo's tree of {name} is empty").into());
        }
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        let brought = names.filter(|it| heavy.contains(it));
        wrong.extend(brought.map(|it| format!("{name} brings {it}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}
