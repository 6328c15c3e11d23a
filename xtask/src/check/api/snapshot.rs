//! The public API of each library is the one in `xtask/api`, so that a change of it is seen in review.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use public_api::Builder;

use super::json;
use crate::Result;
use crate::cargo::Metadata;

pub(super) fn check(root: &Path, metadata: &Metadata, folder: &Path) -> Result<()> {
    let place = root.join("xtask/api");
    let update = std::env::var_os("INSTA_UPDATE").is_some_and(|it| it == "always");
    let mut names = BTreeSet::new();
    let mut wrong = String::new();
    for package in metadata.libraries() {
        let name = package.name();
        let now = items(&json::of(folder, name)).map_err(|error| format!("{name}: {error}"))?;
        let file = format!("{name}.txt");
        if update {
            std::fs::create_dir_all(&place)?;
            std::fs::write(place.join(&file), &now)?;
        } else {
            let kept = std::fs::read_to_string(place.join(&file)).unwrap_or_default();
            for line in difference(&kept, &now) {
                write!(wrong, "\n  {name}: {line}")?;
            }
        }
        names.insert(file);
    }
    for file in std::fs::read_dir(&place)? {
        let file = file?.file_name();
        if !names.iter().any(|it| **it == *file) {
            write!(wrong, "\n  {} is of no library", file.display())?;
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the public API is not the one in xtask/api; if the change is meant, run \
         `INSTA_UPDATE=always cargo xtask check \"public API\"` and commit it:{wrong}"
    )
    .into())
}

/// The items of an API, one a line. Implementations that the compiler finds or derives are left out.
fn items(json: &Path) -> Result<String> {
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| {
            format!(
                "{}: {error}; a Rust whose rustdoc writes another layout than the crate public-api reads \
                 cannot run this check",
                json.display()
            )
        })?;
    let mut text = String::new();
    for item in api.items() {
        writeln!(text, "{item}")?;
    }
    Ok(text)
}

/// The lines that only one of two texts has.
fn difference(kept: &str, now: &str) -> Vec<String> {
    let [old, new]: [BTreeSet<&str>; 2] = [kept, now].map(|it| it.lines().collect());
    let gone = old.difference(&new).map(|it| format!("- {it}"));
    gone.chain(new.difference(&old).map(|it| format!("+ {it}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_item_is_two_lines() {
        let [old, new] = ["pub fn a()\npub fn b()\n", "pub fn a()\npub fn b(u8)\n"];
        assert_eq!(difference(old, new), ["- pub fn b()", "+ pub fn b(u8)"]);
        assert_eq!(difference(old, old), [""; 0]);
        assert_eq!(difference("", "pub fn a()"), ["+ pub fn a()"]);
    }
}
