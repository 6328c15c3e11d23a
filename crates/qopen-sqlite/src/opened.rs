//! Connections of this process, by file.
//!
//! SQLite shares the locks and the index of a file between the connections of a process. A [look](crate::look) takes part
//! in neither: beside a connection it would end locks, or make the index read-only for the connection.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

/// What this process does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It has that number of connections, one or more.
    Connected(usize),
    /// It looks at the file.
    Looking,
}

static FILES: Mutex<BTreeMap<PathBuf, Doing>> = Mutex::new(BTreeMap::new());

/// A file is no longer looked at.
static LOOKED: Condvar = Condvar::new();

/// Held for an operation on the map.
fn files() -> MutexGuard<'static, BTreeMap<PathBuf, Doing>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no thread looks at the file.
fn files_without_look(path: &Path) -> MutexGuard<'static, BTreeMap<PathBuf, Doing>> {
    let is_looked_at =
        |files: &mut BTreeMap<PathBuf, Doing>| files.get(path) == Some(&Doing::Looking);
    LOOKED.wait_while(files(), is_looked_at).unwrap_or_else(PoisonError::into_inner)
}

/// The path by which every thread knows a file.
fn name_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The right to have a connection to a file.
#[derive(Debug)]
pub(crate) struct Connecting(PathBuf);

impl Connecting {
    /// Waits until no thread looks at the file.
    pub(crate) fn to(path: &Path) -> Self {
        let path = name_of(path);
        let mut files = files_without_look(&path);
        match files.get_mut(&path) {
            Some(Doing::Connected(count)) => *count += 1,
            _ => drop(files.insert(path.clone(), Doing::Connected(1))),
        }
        Self(path)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let mut files = files();
        match files.get_mut(&self.0) {
            Some(Doing::Connected(count)) if *count > 1 => *count -= 1,
            _ => drop(files.remove(&self.0)),
        }
    }
}

/// The right to look at a file: no connection of this process is opened meanwhile.
#[derive(Debug)]
pub(crate) struct Looking(PathBuf);

impl Looking {
    /// Waits for another look. `None` if this process has a connection.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let path = name_of(path);
        let mut files = files_without_look(&path);
        if files.contains_key(&path) {
            return None;
        }
        files.insert(path.clone(), Doing::Looking);
        Some(Self(path))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        files().remove(&self.0);
        LOOKED.notify_all();
    }
}

/// A connection to a file.
#[derive(Debug)]
pub(crate) struct Opened {
    // Closed first.
    connection: Connection,
    _connecting: Connecting,
}

impl Opened {
    pub(crate) fn new(connection: Connection, connecting: Connecting) -> Self {
        Self { connection, _connecting: connecting }
    }
}

impl Deref for Opened {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_at_without_connections_and_opened_without_looks() {
        let path = Path::new("/a file of this test alone");
        let (one, two) = (Connecting::to(path), Connecting::to(path));
        assert!(Looking::at(path).is_none());
        drop(one);
        assert!(Looking::at(path).is_none());
        drop(two);
        let looking = Looking::at(path).unwrap();
        std::thread::scope(|scope| {
            let connected = scope.spawn(|| {
                let connecting = Connecting::to(path);
                (files().get(path).copied(), connecting)
            });
            let other = Looking::at(Path::new("/another file")).unwrap();
            assert_eq!(files().get(path), Some(&Doing::Looking));
            drop((other, looking));
            let (doing, connecting) = connected.join().unwrap();
            assert_eq!(doing, Some(Doing::Connected(1)));
            drop(connecting);
        });
        assert_eq!(files().get(path), None);
    }
}
