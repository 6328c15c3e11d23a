//! The facade stays thin, and every file can be read in one sitting.

use std::path::Path;

use crate::{Result, files};

/// Lines of the facade's sources, without blank ones: fewer than this.
const FACADE: usize = 900;

/// Lines of a hand-written file, blank ones included: this many at most.
const FILE: usize = 400;

pub(crate) fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    let facade = lines_in(&root.join("crates/qopen/src"))?;
    if facade >= FACADE {
        wrong.push(format!(
            "crates/qopen has {facade} lines of fewer than {FACADE}: move what works without HTTP into crates/qopen-engine"
        ));
    }
    for folder in ["crates", "xtask"] {
        wrong.extend(long_files(&root.join(folder))?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// Hand-written files that are too long.
fn long_files(folder: &Path) -> Result<Vec<String>> {
    let files = files::rust(folder, &["target", "generated"])?.into_iter();
    let lengths = files.map(|(path, text)| (path, text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > FILE).map(|(path, lines)| {
        format!("{} has {lines} lines, of {FILE} at most: split it by idea", path.display())
    });
    Ok(long.collect())
}

/// Lines of Rust in a folder that are not blank.
fn lines_in(folder: &Path) -> Result<usize> {
    let files = files::rust(folder, &[])?;
    let lines = files.iter().flat_map(|(_, text)| text.lines());
    Ok(lines.filter(|line| !line.trim().is_empty()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_in_every_folder() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a.rs", "one\n\n  \ntwo\n");
        write("inner/b.rs", "three");
        write("notes.md", "none\n");
        assert_eq!(lines_in(folder.path()).unwrap(), 3);
        assert!(long_files(folder.path()).unwrap().is_empty());
        let long = "line\n".repeat(FILE + 1);
        write("generated/c.rs", &long);
        write("inner/d.rs", &long);
        assert_eq!(long_files(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn the_facade_is_thin_and_no_file_is_long() {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    }
}
