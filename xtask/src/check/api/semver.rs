//! What has changed since the last release is what its version allows.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::json;
use crate::Result;
use crate::cargo::{Metadata, Tool, command};

const CARGO_SEMVER_CHECKS: Tool = Tool {
    subcommand: "semver-checks",
    package: "cargo-semver-checks",
    version: "0.51.0",
    minutes: 4,
};

/// Compares each library with the last release: the last tag `v…` before this commit.
///
/// Before the first release there is nothing to compare, and the tool is not installed.
pub(super) fn check(root: &Path, metadata: &Metadata, folder: &Path) -> Result<()> {
    let Some(tag) = last_release(root)? else {
        println!("no release is tagged: there is no API that must be kept");
        return Ok(());
    };
    CARGO_SEMVER_CHECKS.installed(root)?;
    let baseline = baseline(root, metadata.target()?, &tag)?;
    let mut wrong = Vec::new();
    for package in metadata.libraries() {
        let name = package.name();
        let old = json::of(&baseline, name);
        if !old.exists() {
            println!("{name} is new since {tag}");
            continue;
        }
        println!("{name} since {tag}");
        let status = command(root, &["semver-checks", "check-release", "--baseline-rustdoc"])
            .arg(old)
            .arg("--current-rustdoc")
            .arg(json::of(folder, name))
            .status()?;
        if !status.success() {
            wrong.push(name);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let names = wrong.join(", ");
    Err(format!("{names}: more has changed since {tag} than the version allows").into())
}

/// The last tag of a version before this commit. A folder without history, such as an unpacked archive, has none.
fn last_release(root: &Path) -> Result<Option<String>> {
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let tags =
        git(root, &["tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v[0-9]*"])?;
    Ok(tags.lines().next().map(str::to_owned))
}

/// Makes the descriptions of a release's libraries, if they are not there yet, and returns their folder.
fn baseline(root: &Path, target: &Path, tag: &str) -> Result<PathBuf> {
    let place = target.join("semver").join(tag);
    let (source, built) = (place.join("source"), place.join("target"));
    let made = place.join("made");
    if !made.exists() {
        println!("the libraries of {tag} are described, about 3 min");
        std::fs::create_dir_all(&source)?;
        let archive = place.join("source.tar");
        let path = archive.to_str().ok_or("the target folder's path is not text")?;
        git(root, &["archive", "--format=tar", "--output", path, tag])?;
        let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&source).status();
        if !unpacked.map_err(|error| format!("tar could not be started: {error}"))?.success() {
            return Err(format!("{}: tar failed", archive.display()).into());
        }
        json::make(&source, &built)?;
        std::fs::write(made, "")?;
    }
    Ok(built.join("doc"))
}

/// What git prints.
fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output();
    let output = output.map_err(|error| format!("git could not be started: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`git {}` failed: {}", arguments.join(" "), why.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_is_the_last_version_that_is_an_ancestor() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_release(folder.path()).unwrap(), None);
        let say = |words: &[&str]| git(folder.path(), words).unwrap();
        say(&["init", "-q", "-b", "main"]);
        say(&["config", "user.name", "n"]);
        say(&["config", "user.email", "e"]);
        let commit = |name| say(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", name]);
        commit("first");
        assert_eq!(last_release(folder.path()).unwrap(), None);
        say(&["tag", "v0.9.0"]);
        commit("second");
        say(&["tag", "v0.10.0"]);
        say(&["tag", "nightly"]);
        say(&["tag", "vendor"]);
        commit("third");
        assert_eq!(last_release(folder.path()).unwrap().unwrap(), "v0.10.0");
        say(&["checkout", "-q", "v0.9.0"]);
        assert_eq!(last_release(folder.path()).unwrap().unwrap(), "v0.9.0");
        // A version of another branch is not this one's.
        say(&["checkout", "-q", "-b", "other"]);
        commit("beside");
        say(&["tag", "v1.0.0"]);
        say(&["checkout", "-q", "main"]);
        assert_eq!(last_release(folder.path()).unwrap().unwrap(), "v0.10.0");
    }
}
