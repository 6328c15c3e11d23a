//! Code generation and checks of this workspace.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks on its streams"
)]

mod codegen;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a task ends in; the message is for a person.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: cargo xtask TASK

  codegen [--check] [--spec FILE --out FOLDER]
                     make crates/qopen-types/src/generated from openapi.yaml, or check that it is so
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let types = root().join("crates/qopen-types");
    let (spec, generated) = (types.join("openapi.yaml"), types.join("src/generated"));
    match words {
        ["codegen"] => codegen::write(&spec, &generated),
        ["codegen", "--check"] => codegen::check(&spec, &generated),
        ["codegen", "--spec", spec, "--out", out] => {
            codegen::write(Path::new(spec), Path::new(out))
        }
        ["codegen", "--check", "--spec", spec, "--out", out] => {
            codegen::check(Path::new(spec), Path::new(out))
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("no task {:?}\n{USAGE}", other.join(" ")).into()),
    }
}

/// The workspace's root.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}
