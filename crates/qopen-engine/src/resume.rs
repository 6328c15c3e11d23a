//! Resumes a pull from the journal: folds its pages again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::StreamExt as _;
use qopen_assembler::{
    ContentDigest, Entry, Fingerprint, Fold, PageDigest, PullKey, PullOptions, Timing,
};
use qopen_journal::{
    Changes, EndState, Journal, JournalError, Note, PageRecord, PullId, PullState, Started,
};

use crate::classify::{Classified, classify};
use crate::fact::{Fact, standing};
use crate::messages::Start;
use crate::outcome::PulledList;

/// How a pull goes on.
pub(crate) struct Resumed {
    pub(crate) start: Start,
    /// Whether to send the request again, and if so, whether with tags.
    pub(crate) send_again: Option<bool>,
    /// Whether it had ended and begins anew.
    pub(crate) anew: bool,
}

/// The assembler's options for a pull that was started so.
pub(crate) fn options(started: &Started) -> PullOptions {
    let timing = Timing::default()
        .settle(started.settle)
        .idle_timeout(started.idle_timeout)
        .deadline(started.deadline);
    PullOptions::default()
        .timing(timing)
        .expect_accounts(started.expect_accounts)
        .allow_unidentified(started.allow_unidentified)
}

/// Reads the journal and decides how the pull continues. `timing` is for an external pull.
pub(crate) async fn prepare(
    journal: &dyn Journal,
    state: &PullState,
    timing: Timing,
) -> Result<Resumed, JournalError> {
    let (mut fold, changes) = fold(journal, state).await?;
    let of_another = Started::new(timing.settle, timing.idle_timeout, timing.deadline);
    let (at, started) = state.started().unwrap_or((SystemTime::now(), &of_another));
    // A restarted pull counts from its restart.
    let at = state.begun_anew().unwrap_or(at);
    let mut options = options(started);
    let ended = state.ended().and_then(|noted| match &noted.note {
        Note::Ended { status, pages, .. } => Some((*status == EndState::Complete, *pages)),
        _ => None,
    });
    let mut start = Start::new(options);
    // A complete pull stays complete, unless pages that it was made from are gone.
    let whole = ended.is_some_and(|(complete, pages)| complete && fold.pages() as u64 >= pages);
    if whole {
        // Its last publication, or the one that was due: the process may have died in between.
        let published = state.published().map(|noted| &noted.note);
        start.ended = Some(match published {
            Some(Note::Published { revision, .. }) => {
                let newer = state.has_newer_pages();
                (*revision, newer.then(|| PageDigest::of(b"a page that came later")))
            }
            // A possibly published list is not published otherwise under the same number.
            _ => {
                let newer = ended.is_some_and(|(_, pages)| state.pages > pages);
                (1, newer.then(|| PageDigest::of(b"a page that came later")))
            }
        });
        (start.options, start.evidence) = (options, state.evidence());
        (start.fold, start.changes) = (Some(fold), changes);
        return Ok(Resumed { start, send_again: None, anew: false });
    }
    if let Some((true, _)) = ended {
        fold.add_owed(PageDigest::of(b"a page that was there when the pull ended"));
    }
    if !state.is_unsent() && !state.is_external() {
        // No process listened: what could not be delivered comes again in the platform's time.
        options.timing.settle = started.settle.max(started.idle_timeout);
        options = options.interrupted();
    }
    if ended.is_none() {
        let elapsed = SystemTime::now().duration_since(at).unwrap_or_default();
        let least = started.idle_timeout.saturating_add(options.timing.settle);
        let left = started.deadline.saturating_sub(elapsed);
        options.timing.deadline = left.max(least.min(started.deadline));
        options.requested_before = match state.is_external() {
            // As for one that is adopted.
            true => started.idle_timeout,
            false => elapsed,
        };
        start.elapsed = elapsed;
        start.reported = state.reported().map(|(code, text)| (code, text.to_owned()));
    }
    let nothing_came = state.pages + state.quarantined + state.damaged.len() as u64 == 0;
    let unanswered = !state.is_accepted() && nothing_came && start.reported.is_none();
    let send_again = state.started().filter(|_| unanswered).map(|(_, it)| it.need_tag_info);
    if send_again.is_some() {
        options = options.await_acceptance();
    }
    start.options = options;
    start.fold = Some(fold);
    Ok(Resumed { start, send_again, anew: ended.is_some() })
}

/// Reads the pull and decides how it continues, as [`prepare`] does. Pages that are found to be lost meanwhile
/// count as lost.
pub(crate) async fn prepare_whole(
    journal: &dyn Journal,
    id: &PullId,
    timing: Timing,
) -> Result<Option<(PullState, Resumed)>, JournalError> {
    let mut lost = None;
    loop {
        let Some(state) = journal.pull(id).await? else { return Ok(None) };
        let damaged = state.damaged.len();
        match prepare(journal, &state, timing).await {
            Err(JournalError::Damaged(_)) if lost.is_none_or(|lost| lost < damaged) => {
                lost = Some(damaged);
            }
            resumed => return resumed.map(|resumed| Some((state, resumed))),
        }
    }
}

/// The list of a pull in the journal, folded from its pages, to be read or exported.
///
/// Nothing is awaited, noted or published. The revision is 0 if the list is not complete: then it
/// has what was kept by now. `None` if the journal does not know the pull.
///
/// # Errors
/// [`JournalError`], if the journal cannot be read.
pub async fn kept_list(
    journal: &Arc<dyn Journal>,
    id: &PullId,
) -> Result<Option<PulledList>, JournalError> {
    let prepared = prepare_whole(&**journal, id, Timing::default()).await?;
    Ok(prepared.and_then(|(state, resumed)| list_of(journal, &state, resumed)))
}

/// The published list of a pull, folded from the pages that it was made from. Later pages
/// are not in it.
///
/// `None` if no list of the pull was published, or the journal lacks a page of it.
///
/// # Errors
/// [`JournalError`], if the journal cannot be read.
pub async fn published_list(
    journal: &Arc<dyn Journal>,
    state: &PullState,
) -> Result<Option<PulledList>, JournalError> {
    let published = state.published().map(|noted| &noted.note);
    let Some(&Note::Published { revision, accounts, pages, set_aside, .. }) = published else {
        return Ok(None);
    };
    let mut refold = Refold::new(&PullKey::from(&state.pull), None);
    let mut kept = journal.pages(&state.pull).await?;
    // A journal gives pages in the order in which they came.
    while refold.read < pages {
        let Some(page) = kept.next().await else { return Ok(None) };
        refold.add(&page?);
    }
    let (fold, _) = refold.finish();
    // A page that was lost and came again is behind those that came meanwhile.
    let is_same = (accounts..=accounts + set_aside).contains(&(fold.accounts() as u64));
    let (id, journal) = (state.pull.clone(), Arc::clone(journal));
    Ok(is_same.then(|| PulledList::done(id, journal, fold, revision)))
}

/// As [`kept_list`], of a pull whose pages were folded.
pub(crate) fn list_of(
    journal: &Arc<dyn Journal>,
    state: &PullState,
    resumed: Resumed,
) -> Option<PulledList> {
    let Start { fold, ended, .. } = resumed.start;
    // A list without some of its pages is another list.
    let whole = fold.as_ref().is_some_and(|fold| fold.owed() == 0);
    let revision =
        ended.filter(|_| whole).map_or(0, |(revision, late)| revision + u32::from(late.is_some()));
    fold.map(|it| PulledList::done(state.pull.clone(), Arc::clone(journal), it, revision))
}

/// The fold of everything that the journal has of the pull, and its changes since it was published.
pub(crate) async fn fold(
    journal: &dyn Journal,
    state: &PullState,
) -> Result<(Fold, Option<Changes>), JournalError> {
    let published = state.published().and_then(|noted| match &noted.note {
        Note::Published { pages, .. } => Some(*pages),
        _ => None,
    });
    let mut refold = Refold::new(&PullKey::from(&state.pull), published);
    let mut pages = journal.pages(&state.pull).await?;
    while let Some(page) = pages.next().await {
        refold.add(&page?);
    }
    let (mut fold, changes) = refold.finish();
    for fact in standing(journal, state).await? {
        match fact {
            Fact::Unreadable(_, digest) => drop(fold.add_unreadable(digest)),
            Fact::Owed(_, digest) => drop(fold.add_owed(digest)),
            Fact::Released(_, digest) => drop(fold.release(digest)),
            _ => {}
        }
    }
    for digest in &state.damaged {
        fold.add_owed(PageDigest::from(*digest));
    }
    Ok((fold, changes))
}

/// Folds kept pages, and counts the changes of those that came after a published revision.
pub(crate) struct Refold {
    fold: Fold,
    /// Pages of which the published revision was made.
    before: Option<u64>,
    read: u64,
    /// Of each account on a later page, the content that counted before.
    later: BTreeMap<Fingerprint, Option<ContentDigest>>,
}

impl Refold {
    pub(crate) fn new(key: &PullKey, before: Option<u64>) -> Self {
        Self { fold: Fold::new(key), before, read: 0, later: BTreeMap::new() }
    }

    /// Folds a page; they come in the order in which they were kept.
    pub(crate) fn add(&mut self, page: &PageRecord) {
        let digest = PageDigest::from(page.digest);
        self.read += 1;
        match classify(page.payload.as_bytes()) {
            Classified::Page(it) if it.pull == page.pull => {
                if self.before.is_some_and(|before| self.read > before) {
                    for account in &it.accounts {
                        let id = account.fingerprint;
                        self.later.entry(id).or_insert_with(|| self.fold.winner(id));
                    }
                }
                self.fold.add_unidentified(it.unidentified);
                self.fold.add_page(digest, it.has_more, it.accounts, |_: Entry| {});
            }
            // Another process classified it as a page.
            _ => drop(self.fold.add_unreadable(digest)),
        }
    }

    /// The fold, and its changes if something was published before.
    pub(crate) fn finish(self) -> (Fold, Option<Changes>) {
        let Self { fold, before, later, .. } = self;
        let changes = before.map(|_| {
            let mut changes = Changes::default();
            for (id, before) in later {
                changes.added += u64::from(before.is_none());
                changes.changed += u64::from(before.is_some() && fold.winner(id) != before);
            }
            changes
        });
        (fold, changes)
    }
}
