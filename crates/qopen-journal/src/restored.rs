//! Journals that were restored from a backup: pages that came after the backup are missing.

use std::collections::BTreeSet;

use qopen_types::Digest;

use crate::{JournalError, Layer, Note, Payload, PullState, Quarantined, Store};

/// The reason of the item in quarantine that represents the missing pages.
const REASON: &str = "the journal was restored from a backup, and lacks pages that were acknowledged after the backup";

/// Counts the restoration of a journal against every pull that is not complete, and returns the number of these pulls.
///
/// The platform does not send a page again that was answered `success`. A journal that is older than its last answer may
/// therefore have the last page of a pull and lack earlier ones, and quiet proves nothing. An item in quarantine
/// ([`Layer::Lost`]) stands for the missing pages: no such pull is complete until a person releases the item. A pull that
/// had ended complete stays complete (E9). The item is kept without unfinished pulls, too: it counts against external
/// pulls that are adopted later.
///
/// # Errors
/// [`JournalError`]. The same call may be repeated; it may then make another item.
pub async fn doubt_unfinished_pulls(journal: &dyn Store) -> Result<u64, JournalError> {
    let mut unfinished = journal.pulls().await?;
    unfinished.retain(|state| !state.is_complete());
    let item = new_item(&unfinished);
    let digest = item.digest();
    // The item comes first: a doubt without its item could not be released.
    journal.quarantine(item).await?;
    for state in &unfinished {
        journal.note(&state.pull, Note::Doubted { item: digest, lost: true }).await?;
    }
    Ok(unfinished.len() as u64)
}

/// An item that counted against none of these pulls before: the release of an earlier one does not count for it.
fn new_item(pulls: &[PullState]) -> Quarantined {
    let known = pulls.iter().flat_map(|it| [it.doubts(), it.released()]).flatten();
    let known: BTreeSet<Digest> = known.collect();
    let mut number = 1_u64;
    loop {
        let payload = Payload::new(format!("qopen: {REASON} (restoration {number})"));
        let item = Quarantined::new(None, Layer::Lost, REASON, payload);
        if !known.contains(&item.digest()) {
            return item;
        }
        number += 1;
    }
}
