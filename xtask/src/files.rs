//! Files of a folder.

use std::path::{Path, PathBuf};

use crate::Result;

/// The files below a folder, sorted. Leaves out files and folders of the `skipped` names.
pub(crate) fn below(folder: &Path, skipped: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, skipped, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, skipped: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if skipped.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        match path.is_dir() {
            true => collect(&path, skipped, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// The Rust files below a folder, with their texts.
pub(crate) fn rust(folder: &Path, skipped: &[&str]) -> Result<Vec<(PathBuf, String)>> {
    let files = below(folder, skipped)?.into_iter();
    let rust = files.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)?;
        Ok((path, text))
    };
    rust.map(read).collect()
}
