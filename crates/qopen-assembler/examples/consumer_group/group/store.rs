//! What outlasts a consumer: the folds of its pulls, and the lists.

use std::collections::BTreeMap;

use qopen_assembler::{Fold, PageDigest, PullKey};

use super::super::pages::{Contacts, join};

/// What is kept of a pull. Each part only grows, so that a slow consumer's share can be joined at any time.
#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) partition: usize,
    pub(crate) fold: Fold,
    pub(crate) contacts: Contacts,
    /// The newest page: names the next revision, if the published one lacks it.
    pub(crate) newest: PageDigest,
}

/// A published list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) revision: u32,
    /// How many different pages made it.
    pub(crate) pages: usize,
    pub(crate) contacts: Contacts,
}

/// A database that all consumers reach.
#[derive(Default)]
pub(crate) struct Store {
    shares: BTreeMap<PullKey, Share>,
    lists: BTreeMap<PullKey, Published>,
    /// Lists that were published a second time, by a consumer that could not know.
    pub(crate) repeats: u64,
}

impl Store {
    /// Joins a consumer's share of a pull. Doing so again, or later, changes nothing.
    pub(crate) fn keep(&mut self, key: &PullKey, share: &Share) {
        let Some(kept) = self.shares.get_mut(key) else {
            self.shares.insert(key.clone(), share.clone());
            return;
        };
        let before = kept.fold.pages();
        // Both are folds of this key.
        let _ = kept.fold.merge(&share.fold);
        join(&mut kept.contacts, share.contacts.values());
        if kept.fold.pages() > before {
            kept.newest = share.newest;
        }
    }

    /// The pulls whose pages come in a partition.
    pub(crate) fn of(&self, partition: usize) -> impl Iterator<Item = (&PullKey, &Share)> {
        self.shares.iter().filter(move |(_, share)| share.partition == partition)
    }

    pub(crate) fn list(&self, key: &PullKey) -> Option<&Published> {
        self.lists.get(key)
    }

    pub(crate) fn lists(&self) -> &BTreeMap<PullKey, Published> {
        &self.lists
    }

    /// Publishes a list, unless that revision of it is published.
    ///
    /// # Panics
    /// If another list is published under the same revision.
    pub(crate) fn publish(&mut self, key: &PullKey, list: Published) {
        match self.lists.get(key) {
            Some(known) if known.revision >= list.revision => {
                assert!(known.revision > list.revision || *known == list, "{key}: two lists");
                self.repeats += 1;
            }
            _ => drop(self.lists.insert(key.clone(), list)),
        }
    }
}
