//! Archives whose bytes depend on nothing but their contents.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::Result;

/// A `tar.gz`. Its files are sorted, belong to root, and have one time.
pub(super) struct Archive {
    /// The folder that holds all files.
    folder: String,
    time: u64,
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Archive {
    /// `time` is in seconds since 1970.
    pub(super) fn new(folder: &str, time: u64) -> Self {
        Self { folder: folder.to_owned(), time, files: BTreeMap::new() }
    }

    /// Adds a file that all may read.
    pub(super) fn add(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), (0o644, bytes.into()));
    }

    /// Adds a file that all may run.
    pub(super) fn add_program(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), (0o755, bytes.into()));
    }

    pub(super) fn pack(&self) -> Result<Vec<u8>> {
        // The header has neither a time nor a name.
        let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        let mut tar = Builder::new(gzip);
        let mut folder = self.header(EntryType::Directory, 0o755, 0);
        let mut last = None;
        for (path, (mode, bytes)) in &self.files {
            for above in folders(path) {
                if last.as_deref() < Some(above) {
                    tar.append_data(&mut folder, self.path(above), &[][..])?;
                    last = Some(above.to_owned());
                }
            }
            let mut header = self.header(EntryType::Regular, *mode, bytes.len() as u64);
            tar.append_data(&mut header, self.path(path), &bytes[..])?;
        }
        let mut packed = tar.into_inner()?;
        packed.flush()?;
        Ok(packed.finish()?)
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        header
    }
}

/// Returns each folder of a path, with a slash at its end, the outer ones first; first of all the root.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(path.match_indices('/').map(|(at, _)| &path[..=at]))
}

/// The checksum in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect()
}
