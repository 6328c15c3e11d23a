//! What is known of one pull's list: a set that only grows, whatever order its parts come in.

use std::collections::BTreeSet;

use crate::key::{ContentDigest, Fingerprint, Keyed, PageDigest, PullKey, Seed};
use crate::winners::{Inserted, Winners};

/// Two states that are not of the same pull cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the two states belong to different pulls")]
pub struct ForeignFold;

/// The fold of a set of pages of one pull: which pages, whether a last one is among them, and for
/// each account the content that wins.
///
/// It depends on the set of pages alone, not on their order, their copies, or how the accounts were
/// split into pages (invariant I2); merging is commutative, associative and idempotent (I3). It
/// keeps 32 bytes an account plus the table's slack, 16 bytes a page, and no account itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fold {
    seed: Seed,
    pages: BTreeSet<PageDigest>,
    /// Kept and not understood: never also in `pages`.
    unreadable: BTreeSet<PageDigest>,
    /// Not kept: never also in one of the others.
    owed: BTreeSet<PageDigest>,
    last_page_seen: bool,
    winners: Winners,
}

impl Fold {
    /// The fold of no pages.
    #[must_use]
    pub fn new(key: &PullKey) -> Self {
        Self {
            seed: Seed::of(key),
            pages: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            owed: BTreeSet::new(),
            last_page_seen: false,
            winners: Winners::default(),
        }
    }

    /// The seed of the pull's fingerprints.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Folds a page; `fresh` is called with each account that is new or whose content now wins.
    /// False where the page was folded before, and nothing happens.
    pub fn add_page<T: Keyed>(
        &mut self,
        digest: PageDigest,
        has_more: bool,
        accounts: impl IntoIterator<Item = T>,
        mut fresh: impl FnMut(T),
    ) -> bool {
        if !self.pages.insert(digest) {
            return false;
        }
        self.unreadable.remove(&digest);
        self.owed.remove(&digest);
        self.last_page_seen |= !has_more;
        for account in accounts {
            let id = account.fingerprint(&self.seed);
            match self.winners.insert(id, account.content()) {
                Inserted::New | Inserted::Replaced => fresh(account),
                Inserted::Same | Inserted::Kept => {}
            }
        }
        true
    }

    /// Notes a page that is kept but could not be understood. It stands against completeness until
    /// it is folded. False where it was noted or folded before.
    pub fn add_unreadable(&mut self, digest: PageDigest) -> bool {
        self.owed.remove(&digest);
        !self.pages.contains(&digest) && self.unreadable.insert(digest)
    }

    /// Notes a page that was seen and could not be kept, so that the platform must send it again.
    /// It stands against completeness until it comes. False where it was noted or folded before.
    pub fn add_owed(&mut self, digest: PageDigest) -> bool {
        let kept = self.pages.contains(&digest) || self.unreadable.contains(&digest);
        !kept && self.owed.insert(digest)
    }

    /// Takes everything that another fold of the same pull knows.
    ///
    /// # Errors
    /// [`ForeignFold`], when the other one is of another pull; nothing is taken then.
    pub fn merge(&mut self, other: &Self) -> Result<(), ForeignFold> {
        if self.seed != other.seed {
            return Err(ForeignFold);
        }
        self.pages.extend(&other.pages);
        self.unreadable.extend(&other.unreadable);
        self.owed.extend(&other.owed);
        self.unreadable.retain(|it| !self.pages.contains(it));
        self.owed.retain(|it| !self.pages.contains(it) && !self.unreadable.contains(it));
        self.last_page_seen |= other.last_page_seen;
        self.winners.merge(&other.winners);
        Ok(())
    }

    /// Whether a page is folded.
    #[must_use]
    pub fn has_page(&self, digest: PageDigest) -> bool {
        self.pages.contains(&digest)
    }

    /// The content that wins for an account, if the account is known.
    #[must_use]
    pub fn winner(&self, id: Fingerprint) -> Option<ContentDigest> {
        self.winners.get(id)
    }

    /// Whether more than one content of an account was seen.
    #[must_use]
    pub fn is_conflicting(&self, id: Fingerprint) -> bool {
        self.winners.is_conflicting(id)
    }

    /// Every account's fingerprint and winning content, in no particular order.
    pub fn winners(&self) -> impl Iterator<Item = (Fingerprint, ContentDigest)> + '_ {
        self.winners.iter()
    }

    /// Different pages folded.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Different accounts.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.winners.len()
    }

    /// Accounts of which more than one content was seen.
    #[must_use]
    pub fn conflicts(&self) -> usize {
        self.winners.conflicts()
    }

    /// Pages that are kept and not understood.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    /// Pages that the platform must send again.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Whether a page with `has_more: false` was folded.
    #[must_use]
    pub fn last_page_seen(&self) -> bool {
        self.last_page_seen
    }

    pub(crate) fn page_digests(&self) -> impl Iterator<Item = PageDigest> + '_ {
        self.pages.iter().copied()
    }

    /// Whether a page is among the digests that it holds, of any kind.
    pub(crate) fn knows(&self, digest: PageDigest) -> bool {
        self.pages.contains(&digest)
            || self.unreadable.contains(&digest)
            || self.owed.contains(&digest)
    }

    /// How many page digests it holds, of any kind.
    pub(crate) fn digests(&self) -> usize {
        self.pages.len() + self.unreadable.len() + self.owed.len()
    }
}

/// The same pages, accounts, contents and conflicts.
impl PartialEq for Fold {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
            && self.pages == other.pages
            && self.unreadable == other.unreadable
            && self.owed == other.owed
            && self.last_page_seen == other.last_page_seen
            && self.winners == other.winners
    }
}
