//! Runs the fuzz targets under libFuzzer, one after another.

use std::path::Path;

use crate::Result;
use crate::cargo::{Tool, cargo, command};
use crate::program::output;

const CARGO_FUZZ: Tool =
    Tool { subcommand: "fuzz", package: "cargo-fuzz", version: "0.13.2", minutes: 2 };

const FOLDER: &str = "crates/qopen-fuzz";

/// Makes the seeds and runs each target for this many seconds.
///
/// Without a sanitizer: the code has no `unsafe`, so the stable compiler is enough.
pub(crate) fn run(root: &Path, seconds: u32, targets: &[&str]) -> Result<()> {
    CARGO_FUZZ.installed(root)?;
    let corpus = format!("{FOLDER}/corpus");
    cargo(root, &["run", "--quiet", "--locked", "-p", "qopen-fuzz", "--bin", "seeds", &corpus])?;
    let all = output(&mut command(root, &["fuzz", "list", "--fuzz-dir", FOLDER]))?;
    let all: Vec<&str> = all.lines().map(str::trim).filter(|name| *name != "seeds").collect();
    if let Some(unknown) = targets.iter().find(|it| !all.contains(it)) {
        return Err(format!("no target {unknown:?}; there are {}", all.join(", ")).into());
    }
    // libFuzzer runs for ever with 0.
    let time = format!("-max_total_time={}", seconds.max(1));
    for target in if targets.is_empty() { &all } else { targets } {
        println!("== {target}, {seconds} s");
        let run = ["fuzz", "run", "--fuzz-dir", FOLDER, "--sanitizer", "none"];
        let options = [target, "--", &time, "-timeout=20", "-print_final_stats=1"];
        cargo(root, &[&run[..], &options].concat()).map_err(|error| {
            format!("{target}: {error}; what it found is in {FOLDER}/artifacts/{target}")
        })?;
    }
    println!("== no finding");
    Ok(())
}
