//! One sorted list out of what streams by.

use std::collections::HashMap;

use crate::key::{Fingerprint, Keyed, PullKey, Seed};

/// Collects the accounts of one pull, for those who have room for all of them and want a list.
///
/// Give it every account of [`Event::Fresh`](crate::Event::Fresh), or simply every account there
/// is: in any order, any number of times, it comes to the same list.
#[derive(Clone, Debug)]
pub struct Collector<T> {
    seed: Seed,
    accounts: HashMap<Fingerprint, T>,
}

impl<T: Keyed> Collector<T> {
    /// One for the accounts of that pull.
    #[must_use]
    pub fn new(key: &PullKey) -> Self {
        Self { seed: Seed::of(key), accounts: HashMap::new() }
    }

    /// Takes accounts. Of two contents of one account the greater digest stays.
    pub fn extend(&mut self, accounts: impl IntoIterator<Item = T>) {
        for account in accounts {
            let id = account.fingerprint(&self.seed);
            let wins = |old: &T| account.content() > old.content();
            if self.accounts.get(&id).is_none_or(wins) {
                self.accounts.insert(id, account);
            }
        }
    }

    /// Different accounts so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The list, in the order of what `by` makes of each account, such as its id.
    #[must_use]
    pub fn into_sorted_by_key<K: Ord>(self, by: impl FnMut(&T) -> K) -> Vec<T> {
        let mut accounts: Vec<T> = self.accounts.into_values().collect();
        accounts.sort_by_cached_key(by);
        accounts
    }
}
