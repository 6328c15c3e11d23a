//! What has changed since the last release is what its version allows.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::json;
use crate::Result;
use crate::cargo::{Metadata, Tool, command};
use crate::program;

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
    let tags = ["tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v[0-9]*"];
    let tags = program::output(&mut git(root, &tags))?;
    Ok(tags.lines().next().map(str::to_owned))
}

/// Makes the descriptions of a release's libraries, if they are not there yet, and returns their folder.
fn baseline(root: &Path, target: &Path, tag: &str) -> Result<PathBuf> {
    let place = target.join("semver").join(tag);
    let (source, built) = (place.join("source"), place.join("target"));
    let made = place.join("made");
    if !made.exists() {
        println!("the libraries of {tag} are described, about 3 min");
        unpack(root, tag, &source)?;
        json::make(&source, &built)?;
        std::fs::write(made, "")?;
    }
    Ok(built.join("doc"))
}

/// Writes the files of a release into a folder.
fn unpack(root: &Path, tag: &str, folder: &Path) -> Result<()> {
    let archive = program::bytes(&mut git(root, &["archive", "--format=tar", tag]))?;
    Ok(tar::Archive::new(&archive[..]).unpack(folder)?)
}

fn git(root: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(arguments);
    git
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn say(folder: &Path, words: &[&str]) -> String {
        program::output(&mut git(folder, words)).unwrap()
    }

    fn init(folder: &Path) {
        say(folder, &["init", "-q", "-b", "main"]);
        say(folder, &["config", "user.name", "n"]);
        say(folder, &["config", "user.email", "e"]);
    }

    #[test]
    fn the_baseline_is_the_last_version_that_is_an_ancestor() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_release(folder.path()).unwrap(), None);
        init(folder.path());
        let say = |words: &[&str]| say(folder.path(), words);
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

    #[test]
    fn a_release_is_unpacked_as_it_was_tagged() {
        let folder = tempfile::tempdir().unwrap();
        let [source, unpacked] = ["source", "un/packed"].map(|it| folder.path().join(it));
        std::fs::create_dir_all(source.join("src")).unwrap();
        let file = source.join("src/lib.rs");
        init(&source);
        for (content, tag) in [("one", "v0.1.0"), ("two", "v0.2.0")] {
            std::fs::write(&file, content).unwrap();
            say(&source, &["add", "."]);
            say(&source, &["commit", "-q", "--no-gpg-sign", "-m", tag]);
            say(&source, &["tag", tag]);
        }
        unpack(&source, "v0.1.0", &unpacked).unwrap();
        assert_eq!(std::fs::read_to_string(unpacked.join("src/lib.rs")).unwrap(), "one");
        assert!(!unpacked.join(".git").exists());
        // A run that was interrupted is done again.
        unpack(&source, "v0.2.0", &unpacked).unwrap();
        assert_eq!(std::fs::read_to_string(unpacked.join("src/lib.rs")).unwrap(), "two");
    }
}
