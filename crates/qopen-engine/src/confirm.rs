//! A list confirmed by another one: both have the same customers (evidence E10).

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use qopen_assembler::{Fingerprint, PageDigest, PullKey, Seed};
use qopen_journal::{Fencing, JournalError, Note};
use qopen_types::{CallbackSkim, MarkId, PageSkim};

use crate::outcome::PulledList;

/// The numbers of customers that only one of two lists has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerDifference {
    /// Customers that only the first list has.
    pub only_first: u64,
    /// Customers that only the second list has.
    pub only_second: u64,
}

impl CustomerDifference {
    /// Whether both lists have the same customers.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl PulledList {
    /// Counts the customers that only this list or only `other` has. Their contents do not count.
    ///
    /// Reads the pages of `other` from the journal. Needs about 25 bytes of memory for each customer of
    /// each list.
    ///
    /// # Errors
    /// [`JournalError`], if a page cannot be read.
    pub async fn customer_difference(
        &self,
        other: &Self,
    ) -> Result<CustomerDifference, JournalError> {
        let seed = Seed::of(&PullKey::from(&self.id));
        let (first, second) = (self.customers(seed).await?, other.customers(seed).await?);
        let only = |these: &BTreeSet<Fingerprint>, those: &BTreeSet<Fingerprint>| {
            these.difference(those).count() as u64
        };
        Ok(CustomerDifference {
            only_first: only(&first, &second),
            only_second: only(&second, &first),
        })
    }

    /// Notes that the list of `by` has the same customers.
    ///
    /// # Errors
    /// [`JournalError`], if that cannot be noted.
    pub async fn note_confirmed(&self, by: &MarkId) -> Result<Fencing, JournalError> {
        self.note(Note::Confirmed { by: by.clone() }).await
    }

    /// Notes that no other pull confirmed the list: a person decides whether it is published.
    ///
    /// # Errors
    /// [`JournalError`], if that cannot be noted.
    pub async fn note_unconfirmed(&self) -> Result<Fencing, JournalError> {
        let pages = self.journal.digests(&self.id).await?.len() as u64;
        self.note(Note::Held {
            revision: self.revision(),
            pages,
            gone: 0,
            before: 0,
            present: 0,
            unconfirmed: true,
            left_out: Vec::new(),
            location: None,
        })
        .await
    }

    async fn customers(&self, seed: Seed) -> Result<BTreeSet<Fingerprint>, JournalError> {
        let (_, folded) = self.fold();
        if let Some((fold, _)) = &folded
            && fold.seed() == seed
        {
            return Ok(fold.winners().map(|(id, _)| id).collect());
        }
        let mut customers = BTreeSet::new();
        let mut pages = self.journal.pages(&self.id).await?;
        while let Some(page) = pages.next().await {
            let page = page?;
            let digest = PageDigest::from(page.digest);
            if folded.as_ref().is_some_and(|(fold, _)| !fold.has_page(digest)) {
                continue;
            }
            page.payload.text().skim(|_, skim, _| {
                let Ok(CallbackSkim { page: Some(PageSkim { accounts, .. }), .. }) = skim else {
                    return;
                };
                let ids = accounts.iter().filter_map(|it| it.id.as_ref().ok());
                customers.extend(ids.map(|id| seed.fingerprint(id)));
            });
            // A long list must not keep the runtime's thread.
            tokio::task::yield_now().await;
        }
        Ok(customers)
    }
}
