//! The facade stays thin.

use std::path::Path;

use crate::Result;

/// How many lines the facade's sources may have, blank ones not counted.
const MOST: usize = 900;

pub(crate) fn check(root: &Path) -> Result<()> {
    let lines = lines_in(&root.join("crates/qopen/src"))?;
    if lines < MOST {
        return Ok(());
    }
    Err(format!(
        "crates/qopen has {lines} lines, of {MOST} at most: move what works without HTTP into crates/qopen-engine"
    )
    .into())
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
    fn lines_are_counted_in_every_folder_and_blank_ones_nowhere() {
        let folder = std::env::temp_dir().join(format!("xtask-facade-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("a.rs"), "one\n\n  \ntwo\n").unwrap();
        std::fs::write(folder.join("inner/b.rs"), "three").unwrap();
        std::fs::write(folder.join("notes.md"), "none\n").unwrap();
        let lines = lines_in(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(lines.unwrap(), 3);
    }

    #[test]
    fn the_facade_is_thin() {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    }
}
