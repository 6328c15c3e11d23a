//! The journal's folder.

use std::io;
use std::path::Path;

use super::segment;

/// A folder that only its owner can look into.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if folder.is_dir() {
        return Ok(());
    }
    // That they are there must outlive the machine's end too: every folder that is made here.
    let ours = folder.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.is_dir());
    let made: Vec<&Path> = ours.collect();
    builder.create(folder)?;
    for folder in made {
        let parent = folder.parent().filter(|it| !it.as_os_str().is_empty());
        segment::sync_folder(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}
