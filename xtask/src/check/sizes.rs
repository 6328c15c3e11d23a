//! The facade stays thin, and every file can be read in one sitting.

use std::path::Path;

use crate::Result;

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
        long_files(&root.join(folder), &mut wrong)?;
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// Finds hand-written files that are too long.
fn long_files(folder: &Path, wrong: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "generated" {
                long_files(&path, wrong)?;
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            let lines = std::fs::read_to_string(&path)?.lines().count();
            if lines > FILE {
                let path = path.display();
                wrong
                    .push(format!("{path} has {lines} lines, of {FILE} at most: split it by idea"));
            }
        }
    }
    Ok(())
}

/// Lines of Rust in a folder that are not blank.
fn lines_in(folder: &Path) -> Result<usize> {
    let mut lines = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += lines_in(&path)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path)?;
            lines += text.lines().filter(|line| !line.trim().is_empty()).count();
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_in_every_folder() {
        let folder = std::env::temp_dir().join(format!("xtask-sizes-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("a.rs"), "one\n\n  \ntwo\n").unwrap();
        std::fs::write(folder.join("inner/b.rs"), "three").unwrap();
        std::fs::write(folder.join("notes.md"), "none\n").unwrap();
        let long = "line\n".repeat(FILE + 1);
        let mut wrong = Vec::new();
        let nothing = long_files(&folder, &mut wrong).map(|()| wrong.len());
        std::fs::create_dir_all(folder.join("generated")).unwrap();
        std::fs::write(folder.join("generated/c.rs"), &long).unwrap();
        std::fs::write(folder.join("inner/d.rs"), &long).unwrap();
        let one = long_files(&folder, &mut wrong).map(|()| wrong.len());
        std::fs::remove_file(folder.join("inner/d.rs")).unwrap();
        std::fs::remove_dir_all(folder.join("generated")).unwrap();
        let lines = lines_in(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((nothing.unwrap(), one.unwrap(), lines.unwrap()), (0, 1, 3));
    }

    #[test]
    fn the_facade_is_thin_and_no_file_is_long() {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    }
}
