//! Collects streamed accounts into one sorted list.

use std::collections::HashMap;

use crate::key::{Fingerprint, Keyed, PullKey, Seed};

/// Collects the accounts of one pull in memory, and sorts them into a list.
///
/// Give it every account of [`Event::Fresh`](crate::Event::Fresh), or every account of every page:
/// the list is the same in any order, any number of times.
#[derive(Clone, Debug)]
pub struct Collector<T> {
    seed: Seed,
    accounts: HashMap<Fingerprint, T>,
}

impl<T: Keyed> Collector<T> {
    /// An empty collector for this pull's accounts.
    #[must_use]
    pub fn new(key: &PullKey) -> Self {
        Self { seed: Seed::of(key), accounts: HashMap::new() }
    }

    /// Adds accounts. Of two contents of one account the greater digest wins.
    pub fn extend(&mut self, accounts: impl IntoIterator<Item = T>) {
        for account in accounts {
            let id = account.fingerprint(&self.seed);
            let wins = |old: &T| account.content() > old.content();
            if self.accounts.get(&id).is_none_or(wins) {
                self.accounts.insert(id, account);
            }
        }
    }

    /// How many different accounts were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no account was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Returns the list, sorted by the key that `by` gives each account, such as its id.
    #[must_use]
    pub fn into_sorted_by_key<K: Ord>(self, by: impl FnMut(&T) -> K) -> Vec<T> {
        let mut accounts: Vec<T> = self.accounts.into_values().collect();
        accounts.sort_by_cached_key(by);
        accounts
    }
}
