//! The reserve: space for deletions, which must succeed on a full disk.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use super::allocate::set_aside;

/// Space set aside for deletions, which must succeed on a full disk.
const RESERVE: u64 = 256 << 10;

fn reserve_of(folder: &Path) -> PathBuf {
    folder.join("reserve")
}

/// Whether the reserve is there.
pub(super) fn exists(folder: &Path) -> bool {
    reserve_of(folder).exists()
}

/// Sets the reserve aside, if there is room for it.
pub(super) fn keep(folder: &Path) {
    let path = reserve_of(folder);
    if std::fs::metadata(&path).is_ok_and(|it| it.len() >= RESERVE) {
        return;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if options.open(&path).and_then(|file| set_aside(&file, RESERVE)).is_err() {
        let _ = std::fs::remove_file(&path);
    }
}

/// Returns the reserve to the file system, and whether there was one.
pub(super) fn release(folder: &Path) -> bool {
    std::fs::remove_file(reserve_of(folder)).is_ok()
}
