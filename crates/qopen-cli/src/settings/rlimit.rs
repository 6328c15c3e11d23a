//! The limit of open files. Connections must leave some for the journal and the lists.

/// Files for the journal, the lists, the sender and the log.
#[cfg(unix)]
const OTHERS: u64 = 128;

/// Maximum number of files to ask for. More would not be used.
#[cfg(unix)]
const MOST: u64 = 65_536;

/// Returns the maximum number of connections of each of two listeners, at least 1. The first call raises
/// the soft limit of the process to the hard one.
#[cfg(unix)]
pub(super) fn connections() -> usize {
    use std::sync::LazyLock;

    static FILES: LazyLock<u64> = LazyLock::new(raise);
    let each = FILES.saturating_sub(OTHERS) / 2;
    usize::try_from(each).unwrap_or(usize::MAX).max(1)
}

#[cfg(unix)]
fn raise() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(u64::MAX);
    let most = limit.maximum.unwrap_or(u64::MAX).min(MOST);
    if now >= most {
        return now;
    }
    limit.current = Some(most);
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => most,
        Err(_) => now,
    }
}

#[cfg(not(unix))]
pub(super) fn connections() -> usize {
    usize::MAX
}
