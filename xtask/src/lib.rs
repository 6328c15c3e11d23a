//! Code generation and checks of this workspace, as a library so that it can be fuzzed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks on its streams"
)]

mod bench;
mod cargo;
mod check;
mod codegen;
mod dist;
mod files;
mod fuzz;
mod program;
mod prove;
mod publish;
mod screenshots;
mod soak;
mod spec_diff;
mod supply;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a task ends in; the message is for a person.
pub type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: cargo xtask TASK

  codegen [--check] [--spec FILE --out FOLDER]
                     make crates/qopen-types/src/generated from openapi.yaml, or check that it is so
  spec diff PAGE.txt report in what a vendor's page and openapi.yaml differ
  check [CHECK]...   formatting, generated code, endpoints, dependencies, circles of modules, sizes,
                     words, links, translations, clippy, other targets, new fields, documentation, public API,
                     oldest Rust, packages, licences; or those checks
  prove [--cases N] [--seed N]
                     run every property of assembler, engine and client with N cases, 100,000 unless given
  fuzz [--seconds N] [TARGET]...
                     run the fuzz targets, or those that are named, for N seconds each, 60 unless
                     given, from seeds that it makes
  soak [--seconds N] pull under every fault, again and again, for N seconds, 300 unless given:
                     nothing grows, and every list is right
  wheel [--release]  build the Python package, and test it with the vectors and the laws; with
                     --release, the wheel to be installed elsewhere
  screenshots        make the pictures of the console in docs/console with Chromium
  dist [--target T]... [--out FOLDER] [--binary FILE]
                     build the static binary for each target that this machine can build, and pack it
                     with man pages, completions, licences and more; or pack that binary
  audit              known vulnerabilities of what is depended on; asks for the database of advisories
  sbom               what the binary is made of, as CycloneDX, in sbom of cargo's target folder
  publish --dry-run  package each crate and build it from its package, in the order of a release to
                     crates.io; needs the network
  bench [BENCH]...   measure speed and memory in a release build, as ratios in one run; `bench help`
                     names them
";

/// Runs the command of the command line.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = check::stand_in() {
        return code;
    }
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
        ["spec", "diff", page] => {
            report(&std::fs::read_to_string(page)?, &std::fs::read_to_string(spec)?)
        }
        ["check", names @ ..] => check::run(&root(), &spec, &generated, names),
        ["prove", options @ ..] => {
            let (mut cases, mut seed) = (100_000, None);
            for option in options.chunks(2) {
                match option {
                    ["--cases", n] => cases = n.parse()?,
                    ["--seed", n] => seed = Some(n.parse()?),
                    _ => return Err(format!("prove does not know {option:?}\n{USAGE}").into()),
                }
            }
            prove::run(&root(), cases, seed)
        }
        ["fuzz", options @ ..] => {
            let (seconds, targets) = match options {
                ["--seconds", n, targets @ ..] => (n.parse()?, targets),
                targets => (60, targets),
            };
            fuzz::run(&root(), seconds, targets)
        }
        ["soak"] => soak::run(&root(), 300),
        ["soak", "--seconds", n] => soak::run(&root(), n.parse()?),
        ["wheel"] => wheel::run(&root(), false),
        ["wheel", "--release"] => wheel::run(&root(), true),
        ["screenshots"] => screenshots::run(&root()),
        ["dist", options @ ..] => dist::run(&root(), &dist::Options::parse(options)?),
        ["audit"] => supply::audit(&root()),
        ["sbom"] => supply::sbom(&root()),
        ["publish", "--dry-run"] => publish::dry_run(&root()),
        ["bench", names @ ..] => bench::run(&root(), names),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("no task {:?}\n{USAGE}", other.join(" ")).into()),
    }
}

/// Counts the differences between a vendor's page and the spec, known ones included.
///
/// # Errors
/// A message, if the page or the spec cannot be read.
pub fn differences(page: &str, spec: &str) -> Result<usize> {
    spec_diff::diff(page, spec).map(|found| found.new.len() + found.known.len())
}

/// Prints the differences; fails if one is not known.
fn report(page: &str, spec: &str) -> Result<()> {
    let found = spec_diff::diff(page, spec)?;
    for line in &found.known {
        println!("known  {line}");
    }
    for line in &found.new {
        println!("NEW    {line}");
    }
    match found.new.len() {
        0 => Ok(()),
        new => Err(format!("page and spec differ in {new} places").into()),
    }
}

/// The workspace's root.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}
