//! Taking up a pull that the journal knows: what was folded is folded again.

use std::time::SystemTime;

use futures_util::StreamExt as _;
use qopen_assembler::{Entry, Fold, PageDigest, PullOptions, Timing};
use qopen_journal::{Journal, JournalError, Note, PullState, Started};

use crate::driver::Start;
use crate::understand::{Understood, key_of, understand};

/// How a pull goes on.
pub(crate) struct Resumed {
    pub(crate) start: Start,
    /// Whether the request is to be sent again, and if so, whether with tags.
    pub(crate) send_again: Option<bool>,
}

/// The assembler's options for a pull that was started so.
pub(crate) fn options(started: &Started) -> PullOptions {
    let timing = Timing::default()
        .settle(started.settle)
        .idle_timeout(started.idle_timeout)
        .deadline(started.deadline);
    PullOptions::default().timing(timing).expect_accounts(started.expect_accounts)
}

/// Reads what is there and decides how the pull goes on. `timing` is for a pull that someone else
/// requested.
pub(crate) async fn prepare(
    journal: &dyn Journal,
    state: &PullState,
    timing: Timing,
) -> Result<Resumed, JournalError> {
    let fold = fold(journal, state).await?;
    let of_another = Started::new(timing.settle, timing.idle_timeout, timing.deadline);
    let (at, started) = state.started().unwrap_or((SystemTime::now(), &of_another));
    let mut options = options(started);
    let ended = state.ended().map(|noted| match &noted.note {
        Note::Ended { status, .. } => status == "complete",
        _ => false,
    });
    let mut start = Start::new(options);
    match ended {
        // It is what it was, and stays so.
        Some(true) => {
            let published = state.published().and_then(|noted| match noted.note {
                Note::Published { revision, .. } => Some((noted.at, revision)),
                _ => None,
            });
            let newer = |at| state.last_page.is_some_and(|last| last > at);
            start.ended =
                Some(published.map_or(1, |(at, revision)| revision + u32::from(newer(at))));
        }
        // It is given another chance, from now.
        Some(false) => journal.note(&state.pull, Note::Resumed).await?,
        None => {
            let elapsed = SystemTime::now().duration_since(at).unwrap_or_default();
            let least = started.idle_timeout.saturating_add(started.settle);
            let left = started.deadline.saturating_sub(elapsed).max(least.min(started.deadline));
            options.timing.deadline = left;
            start.elapsed = elapsed;
            start.reported = state.reported().map(|(code, text)| (code, text.to_owned()));
        }
    }
    let nothing_came = state.pages + state.quarantined + state.damaged.len() as u64 == 0;
    let unanswered = ended.is_none() && !state.is_accepted() && nothing_came;
    let send_again = state.started().filter(|_| unanswered).map(|(_, it)| it.need_tag_info);
    if send_again.is_some() {
        options = options.await_acceptance();
    }
    start.options = options;
    start.fold = Some(fold);
    Ok(Resumed { start, send_again })
}

/// Everything that the journal knows of the pull's pages.
async fn fold(journal: &dyn Journal, state: &PullState) -> Result<Fold, JournalError> {
    let mut fold = Fold::new(&key_of(&state.pull));
    let mut pages = journal.pages(&state.pull).await?;
    while let Some(page) = pages.next().await {
        let page = page?;
        let digest = PageDigest::from_u128(page.digest.to_u128());
        match understand(page.payload.as_str()) {
            Understood::Page { has_more, accounts, .. } => {
                fold.add_page(digest, has_more, accounts, |_: Entry| {});
            }
            // It was a page to whoever kept it.
            _ => drop(fold.add_unreadable(digest)),
        }
    }
    if state.quarantined > 0 {
        for item in journal.quarantined().await? {
            if item.pull.as_ref() == Some(&state.pull) {
                fold.add_unreadable(PageDigest::from_u128(item.digest().to_u128()));
            }
        }
    }
    for digest in &state.damaged {
        fold.add_owed(PageDigest::from_u128(digest.to_u128()));
    }
    Ok(fold)
}
