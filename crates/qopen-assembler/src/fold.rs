//! The state of one pull's list: a set that only grows, in any order of its parts.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::key::{ContentDigest, Fingerprint, Keyed, PageDigest, PullKey, Seed};
use crate::winners::{Inserted, Winners};

/// Accounts whose places are read together, before each is inserted.
const LOOK_AHEAD: usize = 32;

/// The error of [`Fold::merge`]: the folds belong to different pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the two states belong to different pulls")]
pub struct PullMismatch;

/// The fold of a set of pages of one pull: their digests, whether a last one is among them, and the
/// winning content of each account.
///
/// It depends on the set of pages alone, not on their order, their copies, or how the accounts were
/// split into pages (invariant I2). Merging is commutative, associative and idempotent (I3). It
/// keeps 32 bytes an account plus the table's slack, 16 bytes a page, and no account itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fold {
    seed: Seed,
    pages: BTreeSet<PageDigest>,
    /// Kept and not readable: never also in `pages`.
    unreadable: BTreeSet<PageDigest>,
    /// Not kept: never also in one of the others.
    owed: BTreeSet<PageDigest>,
    /// Unreadable, and waived by a person.
    released: BTreeSet<PageDigest>,
    /// Accounts without a readable id, by their content.
    unidentified: BTreeSet<ContentDigest>,
    last_page_seen: bool,
    /// A page said that it was the last.
    end_stated: bool,
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
            released: BTreeSet::new(),
            unidentified: BTreeSet::new(),
            last_page_seen: false,
            end_stated: false,
            winners: Winners::default(),
        }
    }

    /// The seed of the pull's fingerprints.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Folds a page, and calls `fresh` with each account that is new or whose content now wins. A
    /// page without `has_more` counts as a last one. Returns false, without an effect, if the page
    /// was folded before.
    pub fn add_page<T: Keyed>(
        &mut self,
        digest: PageDigest,
        has_more: impl Into<Option<bool>>,
        accounts: impl IntoIterator<Item = T>,
        mut fresh: impl FnMut(T),
    ) -> bool {
        if !self.pages.insert(digest) {
            return false;
        }
        self.unreadable.remove(&digest);
        self.owed.remove(&digest);
        self.released.remove(&digest);
        let has_more = has_more.into();
        self.last_page_seen |= has_more != Some(true);
        self.end_stated |= has_more == Some(false);
        let seed = self.seed;
        let mut rest =
            accounts.into_iter().map(|account| (account.fingerprint(&seed), account)).fuse();
        let mut next = Vec::with_capacity(rest.size_hint().0.min(LOOK_AHEAD));
        loop {
            next.extend(rest.by_ref().take(LOOK_AHEAD));
            if next.is_empty() {
                return true;
            }
            self.winners.look_ahead(next.iter().map(|(id, _)| *id));
            for (id, account) in next.drain(..) {
                match self.winners.insert(id, account.content()) {
                    Inserted::New | Inserted::Replaced => fresh(account),
                    Inserted::Same | Inserted::Kept => {}
                }
            }
        }
    }

    /// Notes accounts that have no readable id. They are not in the list.
    pub fn add_unidentified(&mut self, accounts: impl IntoIterator<Item = ContentDigest>) {
        self.unidentified.extend(accounts);
    }

    /// Waives an unreadable page: it no longer counts against completeness. Returns false if it was
    /// waived or folded before.
    pub fn release(&mut self, digest: PageDigest) -> bool {
        self.unreadable.remove(&digest);
        self.owed.remove(&digest);
        !self.pages.contains(&digest) && self.released.insert(digest)
    }

    /// Notes a page that was kept but could not be read. It counts against completeness until it is
    /// folded or released. Returns false if it was noted, folded or released before.
    pub fn add_unreadable(&mut self, digest: PageDigest) -> bool {
        self.owed.remove(&digest);
        let settled = self.pages.contains(&digest) || self.released.contains(&digest);
        !settled && self.unreadable.insert(digest)
    }

    /// Notes a page that was seen and not kept, so that the platform must send it again. It counts
    /// against completeness until it comes. Returns false if it was noted or folded before.
    pub fn add_owed(&mut self, digest: PageDigest) -> bool {
        let kept = [&self.pages, &self.unreadable, &self.released];
        !kept.iter().any(|it| it.contains(&digest)) && self.owed.insert(digest)
    }

    /// Merges another fold of the same pull.
    ///
    /// # Errors
    /// [`PullMismatch`], if the other fold belongs to another pull; this one is unchanged then.
    pub fn merge(&mut self, other: &Self) -> Result<(), PullMismatch> {
        if self.seed != other.seed {
            return Err(PullMismatch);
        }
        self.pages.extend(&other.pages);
        self.unreadable.extend(&other.unreadable);
        self.owed.extend(&other.owed);
        self.released.extend(&other.released);
        self.released.retain(|it| !self.pages.contains(it));
        self.unreadable.retain(|it| !self.pages.contains(it) && !self.released.contains(it));
        let kept = [&self.pages, &self.unreadable, &self.released];
        self.owed.retain(|digest| !kept.iter().any(|it| it.contains(digest)));
        self.unidentified.extend(&other.unidentified);
        self.last_page_seen |= other.last_page_seen;
        self.end_stated |= other.end_stated;
        self.winners.merge(&other.winners);
        Ok(())
    }

    /// Whether a page was folded.
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

    /// Pages that were kept and not readable.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    /// Pages that the platform must send again.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Different accounts without a readable id.
    #[must_use]
    pub fn unidentified(&self) -> usize {
        self.unidentified.len()
    }

    /// Whether a folded page was a last one, or did not say whether more follow.
    #[must_use]
    pub fn last_page_seen(&self) -> bool {
        self.last_page_seen
    }

    /// Whether a folded page said that it is the last.
    #[must_use]
    pub fn end_stated(&self) -> bool {
        self.end_stated
    }

    /// A copy without the accounts: it still tells copies from new pages.
    pub(crate) fn without_accounts(&self) -> Self {
        let winners = Winners::default();
        Self {
            seed: self.seed,
            pages: self.pages.clone(),
            unreadable: self.unreadable.clone(),
            owed: self.owed.clone(),
            released: self.released.clone(),
            unidentified: self.unidentified.clone(),
            last_page_seen: self.last_page_seen,
            end_stated: self.end_stated,
            winners,
        }
    }

    /// Whether it holds a page's digest, of any kind.
    pub(crate) fn knows(&self, digest: PageDigest) -> bool {
        self.pages.contains(&digest)
            || self.unreadable.contains(&digest)
            || self.owed.contains(&digest)
            || self.released.contains(&digest)
    }

    /// How many page digests it holds, of any kind.
    pub(crate) fn digests(&self) -> usize {
        self.pages.len() + self.unreadable.len() + self.owed.len() + self.released.len()
    }
}

/// The same pages, accounts, contents and conflicts.
impl PartialEq for Fold {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
            && self.pages == other.pages
            && self.unreadable == other.unreadable
            && self.owed == other.owed
            && self.released == other.released
            && self.unidentified == other.unidentified
            && self.end_stated == other.end_stated
            && self.last_page_seen == other.last_page_seen
            && self.winners == other.winners
    }
}
