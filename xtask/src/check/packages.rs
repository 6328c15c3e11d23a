//! Every published crate can be packaged, without a warning.

use std::path::Path;

use crate::Result;
use crate::cargo::for_published;

/// Packages the crates as a release does, but for building them again: clippy has just built them.
///
/// Works without the network. Cargo takes the crates of the workspace from each other's packages, so that
/// none of them needs to be on crates.io.
pub(crate) fn check(root: &Path) -> Result<()> {
    let package = ["package", "--locked", "--offline", "--no-verify", "--allow-dirty"];
    let mut package = for_published(root, &package)?;
    let output = package.env("CARGO_TERM_COLOR", "never").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    eprint!("{text}");
    if !output.status.success() {
        return Err(format!("cargo ended with {}", output.status).into());
    }
    let warnings = warnings(&text);
    if warnings.is_empty() { Ok(()) } else { Err(warnings.join("\n  ").into()) }
}

/// Each warning in what cargo says, with the crate that it is about.
fn warnings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("warning:") {
            pending.push(line);
        } else if let Some(name) = line.trim_start().strip_prefix("Packaging ") {
            found.extend(pending.drain(..).map(|it| format!("{name}: {it}")));
        }
    }
    found.extend(pending.into_iter().map(str::to_owned));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_found_with_its_crate() {
        let text = "warning: manifest has no repository\n  |\n  = note: see more\n   \
            Packaging qopen v0.1.0 (/q)\n    Packaged 2 files\n   Packaging other v0.1.0 (/o)\n\
            warning: last\n";
        assert_eq!(
            warnings(text),
            ["qopen v0.1.0 (/q): warning: manifest has no repository", "warning: last"]
        );
        assert_eq!(warnings("   Packaging qopen v0.1.0 (/q)\n"), [""; 0]);
    }
}
