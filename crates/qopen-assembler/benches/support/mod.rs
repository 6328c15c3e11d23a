//! Accounts as a page brings them, and the naive fold for comparison.

use std::collections::{HashMap, HashSet};

use qopen_assembler::{ContentDigest, Fingerprint, Keyed, Page, PageDigest, PullKey, Seed};

/// An account by its id and the digest of its content.
#[derive(Clone)]
pub(crate) struct Account {
    pub id: String,
    pub content: ContentDigest,
}

impl Keyed for Account {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(&self.id)
    }
    fn content(&self) -> ContentDigest {
        self.content
    }
}

/// A page of this many accounts, all of them new.
pub(crate) fn page(key: &PullKey, number: usize, accounts: usize) -> Page<Vec<Account>> {
    let first = number * accounts;
    let account = |n: usize| {
        let id = format!(
            "acc{:028x}",
            (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        );
        let content = ContentDigest::of(id.as_bytes());
        Account { id, content }
    };
    let digest = PageDigest::of(&number.to_le_bytes());
    Page::new(key.clone(), digest, true, (first..first + accounts).map(account).collect())
}

/// The fold as one writes it on the first day: ids as strings in a hash map.
#[derive(Default)]
pub(crate) struct Naive {
    pages: HashSet<PageDigest>,
    accounts: HashMap<String, ContentDigest>,
}

impl Naive {
    pub(crate) fn add(&mut self, page: Page<Vec<Account>>) {
        if !self.pages.insert(page.digest) {
            return;
        }
        for account in page.accounts {
            let winner = self.accounts.entry(account.id).or_insert(account.content);
            *winner = (*winner).max(account.content);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }
}
