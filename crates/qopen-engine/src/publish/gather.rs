//! Gathers the winners of a list from its pages, sorted by id, on several threads.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use qopen_assembler::{ContentDigest, Fold, PageDigest};
use qopen_journal::{JournalError, PageRecord, PullId};
use qopen_sink::{RecordEncoder, Sorted, Sorter};
use qopen_types::{Account, AccountSkim, CallbackSkim, Digest, Item, Json, PageSkim};
use tokio::sync::mpsc;

use super::published::PublishError;
use super::quarantine_line::quarantine_line;
use crate::classify::{Classified, classify};

/// Threads that read pages, at most. Each adds its buffers to the memory of a publication.
const THREADS: usize = 4;

/// Pages for which another thread is started.
const PAGES: usize = 8;

/// The form of a winner in the sort, as the first byte of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The account's JSON.
    Raw,
    /// A record that the writer's encoder encoded. Its account has no other content.
    Encoded,
    /// The same, of a customer who was not removed.
    Control,
}

impl Form {
    const ALL: [Self; 3] = [Self::Raw, Self::Encoded, Self::Control];

    fn letter(self) -> &'static str {
        match self {
            Self::Raw => "r",
            Self::Encoded => "e",
            Self::Control => "c",
        }
    }

    /// Splits the text of a record of the sort.
    pub(super) fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let rest = |form: Self| text.strip_prefix(form.letter().as_bytes());
        Self::ALL.into_iter().find_map(|form| Some((form, rest(form)?)))
    }
}

/// What the pages of a list have.
pub(super) struct Gathered {
    /// The contents of accounts, by id: the winner, and of an account in conflict every other that was folded too.
    pub(super) winners: Sorted,
    /// Lines of quarantine for accounts without an id, in the order of the journal, each behind its account's digest.
    pub(super) nameless: Sorted,
    pub(super) pages: u64,
}

/// The pages as they are read ahead.
pub(super) type Ahead = mpsc::Receiver<Result<PageRecord, JournalError>>;

/// Gathers the winners of a list.
pub(super) struct Gathering<'a> {
    pub(super) id: &'a PullId,
    pub(super) fold: &'a Fold,
    pub(super) scratch: Option<&'a Path>,
    pub(super) moved: &'a (dyn Fn() + Send + Sync),
    pub(super) encoder: Option<RecordEncoder>,
    /// Whether customers are wanted who were not removed.
    pub(super) wants_controls: bool,
}

impl Gathering<'_> {
    /// Works on all pages, on at most [`THREADS`] threads.
    pub(super) fn run(&self, ahead: Ahead) -> Result<Gathered, PublishError> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(THREADS).min(self.fold.pages() / PAGES + 1);
        let pages = Pages::new(ahead);
        let mut sorters = Sorter::share(threads).into_iter();
        let own = sorters.next().unwrap_or_default();
        let work = |sorter| Worker::new(self, sorter).run(&pages);
        let parts = thread::scope(|scope| {
            let begin = |sorter| {
                let thread = thread::Builder::new().name("qopen-publish".into());
                // With fewer threads it takes longer.
                thread.spawn_scoped(scope, move || work(sorter)).ok()
            };
            let others: Vec<_> = sorters.filter_map(begin).collect();
            let own = work(own);
            let join = |it: thread::ScopedJoinHandle<'_, _>| {
                it.join().unwrap_or_else(|it| resume_unwind(it))
            };
            others.into_iter().map(join).chain([own]).collect::<Vec<_>>()
        });
        let (mut winners, mut nameless, mut pages) = (Vec::new(), Vec::new(), 0);
        let mut failed = Vec::new();
        for part in parts {
            match part {
                Ok(part) => {
                    winners.push(part.winners);
                    nameless.push(part.nameless);
                    pages += part.pages;
                }
                Err(error) => failed.push(error),
            }
        }
        if let Some((_, error)) = failed.into_iter().min_by_key(|it| it.0) {
            return Err(error);
        }
        let winners = Sorter::merge(winners).map_err(PublishError::Sink)?;
        let nameless = Sorter::merge(nameless).map_err(PublishError::Sink)?;
        Ok(Gathered { winners, nameless, pages })
    }
}

/// Bytes of a page of which one is worked on at a time: 1 MiB. What is found in a page may take 25 times its bytes.
const LARGE: usize = 1 << 20;

/// Pages for several threads.
struct Pages {
    /// With the number of the last one. `None` once a thread failed.
    ahead: Mutex<Option<(Ahead, u64)>>,
    /// Held by the thread that works on a page above [`LARGE`].
    large: Mutex<()>,
}

impl Pages {
    fn new(ahead: Ahead) -> Self {
        Self { ahead: Mutex::new(Some((ahead, 0))), large: Mutex::default() }
    }

    /// The next page. A thread waits for it while the others wait for the thread.
    fn next(&self) -> Option<(u64, Result<PageRecord, JournalError>)> {
        let mut pages = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let (ahead, number) = pages.as_mut()?;
        let page = ahead.blocking_recv()?;
        *number += 1;
        Some((*number, page))
    }

    fn stop(&self) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits until no other thread works on a large page, if the page is large.
    fn wait_for_turn(&self, page: &PageRecord) -> Option<MutexGuard<'_, ()>> {
        let is_large = page.payload.len() > LARGE;
        is_large.then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stops all threads if its own one panics.
struct StopOnPanic<'a>(&'a Pages);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// One thread's part of the work.
struct Worker<'a> {
    gathering: &'a Gathering<'a>,
    winners: Sorter,
    nameless: Sorter,
    /// The contents of accounts without an id that have a line.
    known: BTreeSet<Digest>,
    pages: u64,
    /// The record that is encoded.
    record: String,
}

impl<'a> Worker<'a> {
    fn new(gathering: &'a Gathering<'a>, winners: Sorter) -> Self {
        let folder = gathering.scratch;
        let nameless = Sorter::with_memory(NAMELESS).in_folder(folder);
        let winners = winners.in_folder(folder);
        let (known, record) = (BTreeSet::new(), String::new());
        Self { gathering, winners, nameless, known, pages: 0, record }
    }

    /// Works on pages until there are no more. An error comes with the number of its page.
    fn run(mut self, pages: &Pages) -> Result<Self, (u64, PublishError)> {
        let _guard = StopOnPanic(pages);
        while let Some((number, page)) = pages.next() {
            (self.gathering.moved)();
            let done = page.map_err(PublishError::Journal).and_then(|page| {
                let _turn = pages.wait_for_turn(&page);
                self.add(number, &page)
            });
            if let Err(error) = done {
                pages.stop();
                return Err((number, error));
            }
        }
        Ok(self)
    }

    fn add(&mut self, number: u64, page: &PageRecord) -> Result<(), PublishError> {
        if !self.gathering.fold.has_page(PageDigest::from(page.digest)) {
            // A page that came since then makes the next revision; an unreadable one does not.
            let makes_another = matches!(classify(page.payload.as_bytes()), Classified::Page(_));
            self.pages += u64::from(!makes_another);
            return Ok(());
        }
        self.pages += 1;
        page.payload.text().skim(|_, skim, _| {
            // The journal's pages were skimmed before they were kept.
            let Ok(CallbackSkim { page: Some(PageSkim { accounts, .. }), .. }) = skim else {
                return Ok(());
            };
            for (place, account) in accounts.iter().enumerate() {
                match &account.id {
                    Ok(id) => self.add_account(id, account)?,
                    Err(reason) => self.add_nameless((number, place), reason, account)?,
                }
            }
            Ok(())
        })
    }

    /// Adds a content of an account: the winner, and of an account in conflict every other that was folded too, should
    /// the winner not be readable.
    fn add_account(&mut self, id: &str, account: &AccountSkim<'_>) -> Result<(), PublishError> {
        let Gathering { fold, encoder, .. } = self.gathering;
        let content = ContentDigest::from(account.digest());
        let fingerprint = fold.seed().fingerprint(id);
        // Few lists have conflicts, and looking for each account takes time.
        let is_alone = fold.conflicts() == 0 || !fold.is_conflicting(fingerprint);
        let belongs = match fold.winner(fingerprint) {
            Some(winner) if content < winner => !is_alone,
            winner => winner == Some(content),
        };
        if !belongs {
            return Ok(());
        }
        self.record.clear();
        self.record.push_str(Form::Encoded.letter());
        let encoder = encoder.as_ref().filter(|_| is_alone);
        if encoder.is_some_and(|encoder| encoder(account.raw, &mut self.record)) {
            if self.gathering.wants_controls && is_control(account.raw) {
                self.record.replace_range(..1, Form::Control.letter());
            }
        } else {
            self.record.clear();
            self.record.push_str(Form::Raw.letter());
            self.record.push_str(account.raw);
        }
        self.winners.push(id, self.record.as_bytes()).map_err(PublishError::Sink)
    }

    /// Adds a line of quarantine, unless this thread has one with the account's content. Others may have one too.
    fn add_nameless(
        &mut self,
        (page, place): (u64, usize),
        reason: &str,
        account: &AccountSkim<'_>,
    ) -> Result<(), PublishError> {
        let digest = account.digest();
        if !self.known.insert(digest) {
            return Ok(());
        }
        let PullId { robot_id, mark_id } = self.gathering.id;
        let whose = Some((robot_id.as_str(), mark_id.as_str()));
        let line = quarantine_line(whose, "shape", reason, account.raw.as_bytes())?;
        let (key, text) = (format!("{page:016x}{place:016x}"), format!("{digest}{line}"));
        self.nameless.push(&key, text.as_bytes()).map_err(PublishError::Sink)
    }
}

/// Bytes of lines of quarantine that each thread holds in memory: 1 MiB.
const NAMELESS: usize = 1 << 20;

/// Whether an account that an encoder took was not removed. It has its flags as `true` or `false`.
fn is_control(raw: &str) -> bool {
    let read = || Json::parse(raw).ok().map(Item::<Account>::read);
    !raw.contains("true") || matches!(read(), Some(Item::Valid(account)) if !is_removed(&account))
}

/// Whether the customer or the staff removed the other one.
pub(super) fn is_removed(account: &Account) -> bool {
    account.deleted_by_contact || account.deleted_by_staff
}

#[cfg(test)]
mod tests;
