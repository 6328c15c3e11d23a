//! Old records: found by their age, and forgotten.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use qopen_types::Digest;

use super::at::stopped;
use super::frame::Kind;
use super::{DiskJournal, read};
use crate::{Expired, JournalError, Maintenance as _, PullId};

impl DiskJournal {
    /// Forgets what had no activity for `keep`, as [`expire`](crate::Maintenance::expire) promises.
    pub(super) async fn expire_all(
        &self,
        keep: Duration,
        spare: &BTreeSet<PullId>,
    ) -> Result<Expired, JournalError> {
        let shared = Arc::clone(&self.shared);
        let look = move || {
            let next = shared.index().next_seq;
            let mut ages = shared.ages.lock().unwrap_or_else(PoisonError::into_inner);
            ages.older_than(keep, next, &shared.folder)
        };
        let below = read::blocking(look).await.ok_or_else(stopped)?;
        let (old, items, events) = self.shared.index().below(below);
        let mut gone = Expired::default();
        for pull in old {
            if !spare.contains(&pull) && self.forget_below(&pull, below).await? {
                gone.pulls.push(pull);
            }
        }
        for (kind, digests, count) in
            [(Kind::Released, items, &mut gone.items), (Kind::Taken, events, &mut gone.events)]
        {
            for digest in digests {
                *count += u64::from(self.void_below(kind, None, digest, below).await?);
            }
        }
        if gone != Expired::default() {
            self.compact(0).await?;
        }
        Ok(gone)
    }

    /// Forgets a pull if all its records have smaller numbers and no worker holds it. Returns whether it
    /// did.
    async fn forget_below(&self, pull: &PullId, number: u64) -> Result<bool, JournalError> {
        let Some(claim) = self.claims.take(pull) else { return Ok(false) };
        let done = self.void_below(Kind::Forgotten, Some(pull), Digest::of(b""), number).await;
        match done {
            // What was kept of it since is news.
            Ok(true) => {
                self.claims.complete(&claim);
            }
            _ => self.claims.put_back(&claim),
        }
        done
    }
}
