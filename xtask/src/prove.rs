//! Runs the property tests at length.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::cargo::command;

/// Crates whose property tests are worth more cases than `cargo test` has time for.
/// With each, what the names of its properties have in common where it has other tests too.
const CRATES: [(&str, &str); 3] =
    [("qopen-assembler", ""), ("qopen-engine", "model_says"), ("qopen", "evidence::")];

/// Runs every property with this many cases. The seed is new each time unless given. It is printed,
/// and the same seed runs the same cases.
pub(crate) fn run(root: &Path, cases: u32, seed: Option<u64>) -> Result<()> {
    let seed = match seed {
        Some(seed) => seed,
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            now.as_secs() << 30 | u64::from(now.subsec_nanos())
        }
    };
    for (package, filter) in CRATES {
        println!("== {package}: {cases} cases a property, --cases {cases} --seed {seed}");
        let test = ["test", "--release", "--locked", "--all-features", "--tests", "-p", package];
        let status = command(root, &test)
            .arg(filter)
            .env("PROPTEST_CASES", cases.to_string())
            .env("PROPTEST_RNG_SEED", seed.to_string())
            .status()?;
        if !status.success() {
            return Err(format!(
                "{package}: a property does not hold; it fails again with --seed {seed}, and its \
                 smallest case is in the crate's proptest-regressions: commit it"
            )
            .into());
        }
    }
    println!("== every property held, --seed {seed}");
    Ok(())
}
