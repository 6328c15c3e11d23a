//! Folders of the building machine, which no binary may name.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::program::rustc;

/// Folders, and the names that stand for them in a binary.
pub(super) struct Traces {
    folders: Vec<(PathBuf, &'static str)>,
    /// Folders that no path of a binary is in, although rustc does not rename them.
    others: Vec<PathBuf>,
}

impl Traces {
    /// Finds the folders of a build: cargo's, the compiler's, the workspace, and where it builds.
    pub(super) fn of(root: &Path, target: &Path) -> Result<Self> {
        let home = std::env::home_dir().ok_or("there is no home folder")?;
        let cargo =
            std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let sysroot = rustc(&["--print", "sysroot"]).ok_or("rustc does not say where it is")?;
        // Of two that match, rustc takes the later.
        let folders =
            vec![(cargo, "/cargo"), (root.to_owned(), "/qopen"), (target.to_owned(), "/target")];
        // A home that is the root folder tells nothing.
        let others =
            [sysroot.into(), home].into_iter().filter(|it| it.parent().is_some()).collect();
        Ok(Self { folders, others })
    }

    /// The flags with which rustc renames the folders.
    pub(super) fn flags(&self) -> Vec<String> {
        let flag = |(folder, name): &(PathBuf, &str)| {
            format!("--remap-path-prefix={}={name}", folder.display())
        };
        self.folders.iter().map(flag).collect()
    }

    /// Refuses a binary with the path of one of the folders.
    pub(super) fn refuse_in(&self, binary: &[u8]) -> Result<()> {
        for folder in self.folders.iter().map(|it| &it.0).chain(&self.others) {
            let path = format!("{}/", folder.display());
            if let Some(at) = find(binary, path.as_bytes()) {
                let end = (at + 120).min(binary.len());
                let text = String::from_utf8_lossy(&binary[at..end]);
                let text: String = text.chars().take_while(|it| !it.is_control()).collect();
                return Err(format!("the binary names a path of this machine: {text}").into());
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn new(folder: &str) -> Self {
        Self { folders: vec![(folder.into(), "/x")], others: Vec::new() }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|it| it == part)
}
