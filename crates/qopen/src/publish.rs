//! Publishing lists: the pages are read back from the journal, the winners written once, in order.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use qopen_assembler::{ContentDigest, Fold};
use qopen_journal::{
    Changes, Companion, Fencing, Journal, JournalError, Note, PageRecord, PullId, PullState,
};
use qopen_sink::{
    Committed, ListInfo, ListKind, ListWriter, Moved, Pair, Quarantine, Record, Sink, SinkError,
    Sorter,
};
use qopen_types::{
    Account, AccountSkim, CallbackSkim, Digest, Entry as Read, Json, MarkId, PageSkim, Readings,
    RobotId,
};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::classify::{Classified, classify, content_of, key_of};
use crate::messages::{Lease, Seen};
use crate::resume::{Refold, digest_of};
use crate::tenure::{self, Tenure};
use crate::{Outcome, Progress};

/// Accounts after which it is said that a publication goes on.
const MOVED_EVERY: usize = 1024;

/// Pages that are read before they are wanted.
const PAGES_AHEAD: usize = 4;

/// Why a list was not published. What was there before is there still.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The sink could not write it.
    #[error("the list could not be written")]
    Sink(#[source] SinkError),
    /// Its pages could not be read back.
    #[error("the pages could not be read from the journal")]
    Journal(#[source] JournalError),
    /// Pages that were folded are no longer in the journal: the list would lack their accounts.
    #[error("the journal holds only {found} of the {expected} accounts that were folded")]
    PagesMissing {
        /// Accounts that were folded.
        expected: usize,
        /// Accounts whose pages are still there.
        found: usize,
    },
    /// A list was followed under a claim that no longer counts, and another worker publishes it.
    #[error("another worker publishes the pull's list")]
    Fenced,
    /// The place already holds the list of a later pull. The journal notes it; the pull is done.
    #[error("the list of {pull} was not published: {} was published there before", later(by.as_ref()))]
    Superseded {
        /// The pull whose list is not published.
        pull: PullId,
        /// The later one, where it is known.
        by: Option<MarkId>,
    },
    /// The complete list is empty, and would replace one that is not.
    #[error(
        "the list of robot {robot} is empty, and the one that it would replace is not; --allow-empty publishes it"
    )]
    Empty {
        /// The robot.
        robot: RobotId,
    },
    /// The runtime shut down before it was done.
    #[error("the runtime shut down before the list was written")]
    Shutdown,
}

fn later(by: Option<&MarkId>) -> String {
    by.map_or_else(|| "a later pull".to_owned(), |mark| format!("the later pull {mark}"))
}

/// A fold, and what is new in it since a revision was published.
type Folded = (Arc<Fold>, Option<Changes>);

/// A list that was pulled, in the journal and ready to be published.
///
/// Holding it keeps its pages from being forgotten.
#[derive(Clone)]
pub struct PulledList {
    id: PullId,
    journal: Arc<dyn Journal>,
    /// The claim that it is published under, where there is one.
    tenure: Option<Arc<Tenure>>,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// A pull of a client: it may yet be revised.
    Live { seen: watch::Receiver<Seen>, _lease: Arc<Lease> },
    /// A fold that is done, and its revision.
    Done(Arc<Fold>, u32),
}

impl PulledList {
    pub(crate) fn new(
        id: PullId,
        journal: Arc<dyn Journal>,
        tenure: Option<Arc<Tenure>>,
        seen: watch::Receiver<Seen>,
        lease: Arc<Lease>,
    ) -> Self {
        Self { id, journal, tenure, source: Source::Live { seen, _lease: lease } }
    }

    pub(crate) fn done(id: PullId, journal: Arc<dyn Journal>, fold: Fold, revision: u32) -> Self {
        Self { id, journal, tenure: None, source: Source::Done(Arc::new(fold), revision) }
    }

    /// The robot and mark.
    #[must_use]
    pub fn id(&self) -> &PullId {
        &self.id
    }

    /// The revision that publishing it now would publish: 1 when complete, more after late pages,
    /// 0 when it never was complete.
    #[must_use]
    pub fn revision(&self) -> u32 {
        match &self.source {
            Source::Live { seen, .. } => seen.borrow().progress.revision,
            Source::Done(_, revision) => *revision,
        }
    }

    /// Ready when the list has a newer revision than that; `None` when there will be none.
    pub async fn revised_after(&self, revision: u32) -> Option<u32> {
        let Source::Live { seen, .. } = &self.source else {
            return None;
        };
        let mut seen = seen.clone();
        let newer = seen.wait_for(|seen| seen.progress.revision > revision).await.ok()?;
        Some(newer.progress.revision)
    }

    /// Ready when every late page that has come is in a revision.
    pub async fn settled(&self) {
        if let Source::Live { seen, .. } = &self.source {
            // Without a driver nothing more comes.
            let _ = seen.clone().wait_for(|seen| !seen.progress.revising || seen.gone).await;
        }
    }

    /// How the pull has ended by now, where it is a live one.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let Source::Live { seen, .. } = &self.source else { return None };
        let seen = seen.borrow();
        let (status, progress): (_, Progress) =
            (seen.ended.as_ref()?.status.clone(), seen.progress.clone());
        Some(Outcome { status, progress, list: self.clone() })
    }

    /// How many accounts it had when the pull ended; a later revision has no fewer.
    fn accounts_at_the_end(&self) -> usize {
        match &self.source {
            Source::Done(fold, _) => fold.accounts(),
            Source::Live { seen, .. } => {
                seen.borrow().ended.as_ref().map_or(0, |it| it.fold.accounts())
            }
        }
    }

    /// The revision, and the fold that was made last, with what is new in it.
    fn fold(&self) -> (u32, Option<Folded>) {
        match &self.source {
            Source::Done(fold, revision) => (*revision, Some((Arc::clone(fold), None))),
            Source::Live { seen, .. } => {
                let seen = seen.borrow();
                let ended = seen.ended.as_ref();
                (seen.progress.revision, ended.map(|it| (Arc::clone(&it.fold), it.changes)))
            }
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.source, Source::Live { .. })
    }
}

impl fmt::Debug for PulledList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PulledList")
            .field("id", &self.id)
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

/// What was published.
#[derive(Debug)]
#[non_exhaustive]
pub struct Published {
    /// Where, as the sink names it.
    pub location: String,
    /// Each list's figures, in the order they were given.
    pub lists: Vec<PublishedList>,
    /// Where what could not be read is, for messages, where the sink has put it in its place; `None`
    /// where there is nothing, or it is in [`quarantine`](Self::quarantine).
    pub set_aside: Option<String>,
    /// Where the sink has no place for them, the accounts and pages that could not be read: one JSON
    /// object a line, `robot_id`, `mark_id`, `reason`, and the account or page as it came, `raw`.
    pub quarantine: Quarantine,
}

/// What was published of one pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedList {
    /// The pull.
    pub id: PullId,
    /// Which revision.
    pub revision: u32,
    /// Accounts written.
    pub accounts: u64,
    /// Different pages that they were on.
    pub pages: u64,
    /// Accounts and pages that could not be read.
    pub quarantined: u64,
    /// Fields of accounts that could not be read, and are in the list as they came.
    pub unread_fields: u64,
    /// What had to be read otherwise than plainly in its accounts.
    pub readings: Readings,
    /// What is different from the revision that was published before, where there was one.
    pub changes: Option<Changes>,
}

/// Publishes lists together, as one: each robot's customers in the order of their ids.
///
/// Memory does not grow with profiles: the winners are streamed from the journal through a bounded
/// sort. If the future is dropped, the work goes on in the background until it is done.
///
/// # Errors
/// [`PublishError`]; nothing was replaced then.
pub async fn publish(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
) -> Result<Published, PublishError> {
    publish_with(lists, sink, kind, PublishOptions::default()).await
}

/// How lists are published.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Whether an empty complete list may replace one that is not. Default false.
    pub allow_empty: bool,
}

impl PublishOptions {
    /// The same, allowing an empty list in the place of another or not.
    #[must_use]
    pub const fn allow_empty(mut self, allow: bool) -> Self {
        self.allow_empty = allow;
        self
    }
}

/// As [`publish`], with options.
///
/// # Errors
/// [`PublishError`]; nothing was replaced then.
pub async fn publish_with(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
    options: PublishOptions,
) -> Result<Published, PublishError> {
    write(lists, sink, kind, Purpose::Publication(options)).await
}

/// Writes lists as [`publish`] does, for somebody who reads them once: the journal does not note
/// that they were published.
///
/// # Errors
/// [`PublishError`].
pub async fn read_out(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
) -> Result<Published, PublishError> {
    write(lists, sink, ListKind::Complete, Purpose::Reading).await
}

/// What lists are written for.
#[derive(Clone, Copy)]
enum Purpose {
    /// To stand in the sink's place. The journal notes complete ones.
    Publication(PublishOptions),
    /// For somebody who reads them once.
    Reading,
}

async fn write(
    lists: Vec<PulledList>,
    sink: Arc<dyn Sink>,
    kind: ListKind,
    purpose: Purpose,
) -> Result<Published, PublishError> {
    let runtime = Handle::current();
    let work = move || {
        let work = Work { lists: &lists, sink: &*sink, runtime: &runtime };
        let done = work.run(kind, purpose);
        for tenure in lists.iter().filter_map(|list| list.tenure.as_ref()) {
            tenure.publication_moved(None);
        }
        done
    };
    // A thread of its own: it waits for reads that need the runtime's threads for blocking work, and
    // for readers as slow as they like, and must not take those threads itself.
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("qopen-publish".into());
    // Whoever asked may have gone; the list is published all the same.
    let thread = thread.spawn(move || drop(done.send(work())));
    thread.map_err(|_| PublishError::Shutdown)?;
    result.await.map_err(|_| PublishError::Shutdown)?
}

/// Lists on their way into a sink. Runs on a thread that may block.
struct Work<'a> {
    lists: &'a [PulledList],
    sink: &'a dyn Sink,
    runtime: &'a Handle,
}

impl Work<'_> {
    fn run(&self, kind: ListKind, purpose: Purpose) -> Result<Published, PublishError> {
        let Self { lists, sink, runtime } = *self;
        let is_complete = kind == ListKind::Complete;
        // What could not be read takes the place of what was set aside before; the journal notes the
        // list; an empty list is refused in the place of one that is not.
        let (keep, note, guard) = match purpose {
            Purpose::Publication(options) => {
                (true, is_complete, is_complete && !options.allow_empty)
            }
            Purpose::Reading => (false, false, false),
        };
        let tenures: Vec<_> = lists.iter().filter_map(|list| list.tenure.clone()).collect();
        let moved = move || {
            let now = Instant::now();
            tenures.iter().for_each(|tenure| tenure.publication_moved(Some(now)));
        };
        moved();
        let mut orders = Vec::new();
        for list in lists {
            let order = self.order_of(list)?;
            if note {
                self.must_not_be_superseded(list, order)?;
            }
            orders.push(order);
        }
        let mut writer = sink.begin(kind).map_err(PublishError::Sink)?;
        moved();
        let moved: Moved = Arc::new(moved);
        writer.tell(Arc::clone(&moved));
        let mut quarantine = Quarantine::in_folder(sink.scratch());
        let mut done = Vec::new();
        for (list, order) in lists.iter().zip(&orders) {
            let one = Publication {
                list,
                order: *order,
                runtime,
                scratch: sink.scratch(),
                writer: &mut *writer,
                quarantine: &mut quarantine,
                moved: &moved,
                unread_fields: 0,
                readings: Readings::PLAIN,
            };
            let one = one.run()?;
            let robot = &one.id.robot_id;
            if guard && one.accounts == 0 && sink.holds(robot).map_err(PublishError::Sink)? {
                return Err(PublishError::Empty { robot: robot.clone() });
            }
            done.push(one);
        }
        let quarantine = match keep {
            true => writer.set_aside(quarantine).map_err(PublishError::Sink)?.unwrap_or_default(),
            false => quarantine,
        };
        writer.settle().map_err(PublishError::Sink)?;
        moved();
        // Check and commit are short, and exclude other processes.
        let _held = match note {
            true => sink.hold().map_err(PublishError::Sink)?,
            false => Box::new(()),
        };
        for (list, order) in lists.iter().zip(&orders).filter(|_| note) {
            self.must_not_be_superseded(list, *order)?;
        }
        for tenure in lists.iter().filter_map(|list| list.tenure.as_ref()).filter(|_| note) {
            match runtime.block_on(tenure.check()).map_err(PublishError::Journal)? {
                Fencing::Held => {}
                _ => return Err(PublishError::Fenced),
            }
        }
        let notes = |location: &str| -> Vec<Note> {
            let note = |it: &PublishedList| {
                let PublishedList { revision, accounts, pages, quarantined, changes, .. } = *it;
                let location = sink.place().unwrap_or_else(|| location.to_owned());
                let set_aside = quarantined;
                Note::Published { revision, accounts, pages, location, set_aside, changes }
            };
            done.iter().map(note).collect()
        };
        // Where list and journal are in one database, both change in one transaction or neither does.
        let companions = |location: &str| {
            let notes = notes(location);
            let of = |(list, note): (&PulledList, &Note)| list.tenure.as_ref()?.companion(note);
            lists.iter().zip(&notes).filter(|_| note).filter_map(of).collect::<Vec<Companion>>()
        };
        let Committed { location, together, set_aside, .. } = match writer.commit_with(&companions)
        {
            Ok(committed) => committed,
            Err(SinkError::Declined) => return Err(PublishError::Fenced),
            Err(SinkError::Superseded) => {
                // Which of them it is, the sink says when it is asked.
                for (list, order) in lists.iter().zip(&orders) {
                    self.must_not_be_superseded(list, *order)?;
                }
                return Err(PublishError::Sink(SinkError::Superseded));
            }
            Err(error) => return Err(PublishError::Sink(error)),
        };
        for (list, it) in lists.iter().zip(notes(&location)).filter(|_| note && !together) {
            let (journal, tenure) = (&*list.journal, list.tenure.as_ref());
            match runtime.block_on(tenure::note(journal, tenure, &list.id, it)) {
                Ok(Fencing::Fenced) => return Err(PublishError::Fenced),
                Ok(_) => {}
                // The list is in its place: that this could not be noted does not undo it.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(pull = %list.id, error, "the publication was not journaled");
                }
            }
        }
        Ok(Published { location, lists: done, set_aside, quarantine })
    }

    /// The place that the pull has in the order of the sink's lists.
    fn order_of(&self, list: &PulledList) -> Result<Option<u64>, PublishError> {
        let state = self.runtime.block_on(list.journal.facts_of(&list.id));
        let state = state.map_err(PublishError::Journal)?;
        Ok(state.and_then(|state| order_at(&state, self.sink)))
    }

    /// Fails with `Superseded`, and notes it, if the place holds a later list.
    fn must_not_be_superseded(
        &self,
        list: &PulledList,
        order: Option<u64>,
    ) -> Result<(), PublishError> {
        let Self { sink, runtime, .. } = *self;
        let PulledList { id, journal, tenure, .. } = list;
        let successor = runtime.block_on(successor(&**journal, id, sink));
        let by = successor.map_err(PublishError::Journal)?.map(|later| later.mark_id);
        let info = ListInfo::new(&id.robot_id, &id.mark_id, list.revision()).order(order);
        if by.is_none() && !sink.is_superseded(&info).map_err(PublishError::Sink)? {
            return Ok(());
        }
        let note = Note::Superseded { by: by.clone(), revision: list.revision() };
        let noted = runtime.block_on(tenure::note(&**journal, tenure.as_ref(), id, note));
        match noted.map_err(PublishError::Journal)? {
            Fencing::Held => Err(PublishError::Superseded { pull: id.clone(), by }),
            _ => Err(PublishError::Fenced),
        }
    }
}

/// The place that a pull has in the order of a sink's lists.
pub(crate) fn order_at(state: &PullState, sink: &dyn Sink) -> Option<u64> {
    state.notes.iter().rev().find_map(|noted| match &noted.note {
        Note::Ordered { location, order } if sink.is_at(location) => Some(*order),
        _ => None,
    })
}

/// The next place in the order of a sink's lists, to be noted with a pull; `None` where it keeps none.
pub(crate) async fn next_order(sink: Arc<dyn Sink>) -> Result<Option<Note>, SinkError> {
    let asked = tokio::task::spawn_blocking(move || {
        let order = sink.next_order()?;
        Ok(order.zip(sink.place()).map(|(order, location)| Note::Ordered { location, order }))
    });
    // It ends early only with the runtime.
    asked.await.unwrap_or(Ok(None))
}

/// The later pull of the same robot, by the journal's order of starts, whose list the place holds.
async fn successor(
    journal: &dyn Journal,
    id: &PullId,
    sink: &dyn Sink,
) -> Result<Option<PullId>, JournalError> {
    let all = journal.pulls_of(&id.robot_id).await?;
    let Some(own) = all.iter().find(|it| it.pull == *id).map(|it| it.order) else {
        return Ok(None);
    };
    let stands_there = |state: &PullState| match state.published().map(|noted| &noted.note) {
        Some(Note::Published { location, .. }) => sink.is_at(location),
        _ => false,
    };
    let mut later: Vec<_> =
        all.into_iter().filter(|it| it.order > own && stands_there(it)).collect();
    later.sort_by_key(|it| it.order);
    Ok(later.pop().map(|it| it.pull))
}

/// One list on its way into a writer. Runs on a thread that may block.
struct Publication<'a> {
    list: &'a PulledList,
    order: Option<u64>,
    runtime: &'a Handle,
    scratch: Option<&'a Path>,
    moved: &'a Moved,
    writer: &'a mut dyn ListWriter,
    quarantine: &'a mut Quarantine,
    unread_fields: u64,
    readings: Readings,
}

impl Publication<'_> {
    fn run(mut self) -> Result<PublishedList, PublishError> {
        let (revision, fold) = self.list.fold();
        let state = self.runtime.block_on(self.list.journal.pull(&self.list.id));
        let state = state.map_err(PublishError::Journal)?;
        let info = ListInfo::new(&self.list.id.robot_id, &self.list.id.mark_id, revision)
            .order(self.order);
        self.writer.begin_list(&info).map_err(PublishError::Sink)?;
        let (fold, changes) = match fold {
            Some((fold, changes)) if revision <= 1 || self.has_everything(&fold)? => {
                (fold, changes)
            }
            _ => self.refold(state.as_ref())?,
        };
        let already = self.quarantine.len();
        let mut sorter = Sorter::default().in_folder(self.scratch);
        let mut nameless = BTreeSet::new();
        let mut pages = 0;
        self.each_page(|publication, page| {
            if fold.has_page(digest_of(page.digest)) {
                pages += 1;
                return publication.sort_winners(&fold, page, &mut sorter, &mut nameless);
            }
            // One that came since then makes the next revision; one that cannot be read, none.
            let makes_another = matches!(classify(page.payload.as_bytes()), Classified::Page(_));
            pages += u64::from(!makes_another);
            Ok(())
        })?;
        let records = sorter.finish().map_err(PublishError::Sink)?;
        let (found, accounts) = self.write_all(records)?;
        if found != fold.accounts() {
            return Err(PublishError::PagesMissing { expected: fold.accounts(), found });
        }
        self.set_pages_aside(state.as_ref())?;
        let quarantined = self.quarantine.len() - already;
        let id = self.list.id.clone();
        let (unread_fields, readings) = (self.unread_fields, self.readings);
        let list = PublishedList {
            id,
            revision,
            accounts,
            pages,
            quarantined,
            unread_fields,
            readings,
            changes,
        };
        Ok(list)
    }

    /// Writes the winners, which come in the order of their ids. Gives how many accounts there were,
    /// and how many of them were written.
    fn write_all(
        &mut self,
        records: impl Iterator<Item = Result<Pair, SinkError>>,
    ) -> Result<(usize, u64), PublishError> {
        let (mut found, mut accounts) = (0, 0);
        let mut records = records.peekable();
        while let Some(record) = records.next() {
            let (id, raw) = record.map_err(PublishError::Sink)?;
            let mut contents = vec![raw];
            while let Some(Ok((_, raw))) =
                records.next_if(|it| it.as_ref().is_ok_and(|it| it.0 == id))
            {
                contents.push(raw);
            }
            found += 1;
            if found % MOVED_EVERY == 0 {
                (self.moved)();
            }
            accounts += u64::from(self.write(contents)?);
        }
        Ok((found, accounts))
    }

    /// The fold of every page that is in the journal now, and what it has beyond the revision that was
    /// published before: pages are read in the order in which they were kept.
    fn refold(&mut self, state: Option<&PullState>) -> Result<Folded, PublishError> {
        let id = &self.list.id;
        let now = self.list.revision();
        let notes = state.into_iter().flat_map(|it| it.notes.iter().rev());
        let before = notes.map(|it| &it.note).find_map(|note| match note {
            Note::Published { revision, pages, .. } if *revision < now => Some(*pages),
            _ => None,
        });
        let mut refold = Refold::new(&key_of(id), before);
        self.each_page(|_, page| {
            refold.add(page);
            Ok(())
        })?;
        let (fold, changes) = refold.finish();
        let expected = self.list.accounts_at_the_end();
        if fold.accounts() < expected {
            return Err(PublishError::PagesMissing { expected, found: fold.accounts() });
        }
        Ok((Arc::new(fold), changes))
    }

    /// Whether a fold has every page that the journal has: late ones are in the journal first.
    fn has_everything(&self, fold: &Fold) -> Result<bool, PublishError> {
        if !self.list.is_live() {
            return Ok(true);
        }
        let kept = self.runtime.block_on(self.list.journal.digests(&self.list.id));
        let kept = kept.map_err(PublishError::Journal)?;
        Ok(kept.into_iter().all(|digest| fold.has_page(digest_of(digest))))
    }

    fn each_page(
        &mut self,
        mut work: impl FnMut(&mut Self, &PageRecord) -> Result<(), PublishError>,
    ) -> Result<(), PublishError> {
        let pages = self.runtime.block_on(self.list.journal.pages(&self.list.id));
        let mut pages = pages.map_err(PublishError::Journal)?;
        // The next pages are read and unpacked while one is worked on.
        let (sender, mut ahead) = mpsc::channel(PAGES_AHEAD);
        let reading = self.runtime.spawn(async move {
            while let Some(page) = pages.next().await {
                if sender.send(page).await.is_err() {
                    return;
                }
            }
        });
        while let Some(page) = ahead.blocking_recv() {
            (self.moved)();
            work(self, &page.map_err(PublishError::Journal)?)?;
        }
        // One that was broken off has not seen all of them.
        self.runtime.block_on(reading).map_err(|_| PublishError::Shutdown)
    }

    fn sort_winners(
        &mut self,
        fold: &Fold,
        page: &PageRecord,
        sorter: &mut Sorter,
        nameless: &mut BTreeSet<Digest>,
    ) -> Result<(), PublishError> {
        page.payload.text().skim(|_, skim, _| {
            // What is in the journal was skimmed before it was put there.
            let Ok(CallbackSkim { page: Some(PageSkim { accounts, .. }), .. }) = skim else {
                return Ok(());
            };
            for account in &accounts {
                match &account.id {
                    Ok(id) if belongs(fold, id, account) => {
                        sorter.push(id, account.raw).map_err(PublishError::Sink)?;
                    }
                    Ok(_) => {}
                    Err(reason) => {
                        if nameless.insert(account.digest()) {
                            self.set_aside("shape", reason, account.raw.as_bytes())?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// Writes an account: of several contents the winner, or, where that cannot be read, the
    /// greatest that can. What cannot be read is set aside. True where the account was written.
    fn write(&mut self, mut contents: Vec<Box<str>>) -> Result<bool, PublishError> {
        if let [raw] = &contents[..]
            && self.writer.write_json(&self.list.id.robot_id, raw).map_err(PublishError::Sink)?
        {
            return Ok(true);
        }
        if contents.len() > 1 {
            let content = |raw: &str| Digest::of(raw.as_bytes()).to_u128();
            contents.sort_by_key(|raw| Reverse(ContentDigest::from_u128(content(raw))));
        }
        let mut written = false;
        for raw in contents {
            // A part of JSON that was read before is JSON.
            let Ok(json) = Json::parse(&raw) else { continue };
            match Read::<Account>::read_with(json) {
                (Read::Read(_), _) if written => {}
                (Read::Read(account), readings) => {
                    self.unread_fields += account.unread.len() as u64;
                    self.readings = self.readings.union(readings);
                    let record = Record::new(&self.list.id.robot_id, &account);
                    self.writer.write(&record).map_err(PublishError::Sink)?;
                    written = true;
                }
                (Read::Unread(unread), _) => {
                    self.set_aside("shape", &unread.reason, unread.raw.as_str().as_bytes())?;
                }
            }
        }
        Ok(written)
    }

    /// What could not be read is set aside whole: nowhere else is it shown.
    fn set_pages_aside(&mut self, state: Option<&PullState>) -> Result<(), PublishError> {
        let journal = &self.list.journal;
        let items = self.runtime.block_on(journal.quarantined(Some(&self.list.id)));
        let mut items = items.map_err(PublishError::Journal)?;
        let doubts = state.map(PullState::doubts).unwrap_or_default();
        if !doubts.is_empty() {
            let all = self.runtime.block_on(journal.quarantined(None));
            let doubted = all.map_err(PublishError::Journal)?.into_iter();
            items.extend(doubted.filter(|it| it.pull.is_none() && doubts.contains(&it.digest())));
        }
        for item in items {
            self.set_aside(item.layer.as_str(), &item.reason, item.payload.as_bytes())?;
        }
        Ok(())
    }

    fn set_aside(&mut self, layer: &str, reason: &str, raw: &[u8]) -> Result<(), PublishError> {
        let PullId { robot_id, mark_id } = &self.list.id;
        let whose = Some((robot_id.as_str(), mark_id.as_str()));
        let line = quarantine_line(whose, layer, reason, raw)?;
        self.quarantine.push(&line).map_err(PublishError::Sink)
    }
}

/// A line of a quarantine file: whose it is, what is wrong, and the thing as it came. `raw` is its JSON,
/// where it is that; `raw_base64` is its bytes, where `raw` is not those byte for byte.
///
/// # Errors
/// [`PublishError::Sink`], when it cannot be written as JSON, which does not happen with plain text.
pub fn quarantine_line(
    whose: Option<(&str, &str)>,
    layer: &str,
    reason: &str,
    raw: &[u8],
) -> Result<String, PublishError> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        robot_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mark_id: Option<&'a str>,
        layer: &'a str,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw_base64: Option<String>,
    }
    let (robot_id, mark_id) = whose.unzip();
    let json = std::str::from_utf8(raw).ok().and_then(|text| Json::parse(text).ok());
    let is_whole = json.as_ref().is_some_and(|json| json.as_str().as_bytes() == raw);
    let raw_base64 = (!is_whole).then(|| STANDARD.encode(raw));
    let line = Line { robot_id, mark_id, layer, reason, raw: json, raw_base64 };
    serde_json::to_string(&line)
        .map_err(|error| PublishError::Sink(SinkError::Encode(error.into())))
}

/// Whether a content of an account goes into the sort: the winner, and of an account in conflict
/// every other that was folded too, should the winner not be readable.
fn belongs(fold: &Fold, id: &str, account: &AccountSkim<'_>) -> bool {
    let (id, content) = (fold.seed().fingerprint(id), content_of(account));
    match fold.winner(id) {
        Some(winner) if content < winner => fold.is_conflicting(id),
        winner => winner == Some(content),
    }
}
