//! How many files the process may open: connections must leave some for the journal and the lists.

/// What the journal, the lists, the sender and the log need, and more.
#[cfg(unix)]
const OTHERS: u64 = 128;

/// As many files as are asked for; more is no use to anybody here.
#[cfg(unix)]
const MOST: u64 = 65_536;

/// How many connections each of two listeners may have, at least 1. The first call raises the
/// process's own limit as far as it may.
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
