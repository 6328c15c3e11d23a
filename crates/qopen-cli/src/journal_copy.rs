//! `qopen journal copy`: copies one journal into another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use qopen::journal::{Appended, DiskBackend, JournalError, PullState, Store};

use crate::database::{self, refuse_password};
use crate::exit::{Exit, Failure};
use crate::journal::{Location, PULLS, cannot_open, open_at};
use crate::lang::{Phrase, Text, phrase};
use crate::report::{Noun, PAGES};
use crate::say::tell;
use crate::table;
use crate::values::out::refuse_scheme;

/// Number of events in one read.
const BATCH: usize = 256;

pub(crate) async fn run(from: PathBuf, to: PathBuf) -> Result<Exit, Failure> {
    let place = |path: &Path, what: Text| {
        refuse_scheme(path).map_err(|why| Failure::usage(Phrase::about(what, why)))?;
        let Some(url) = database::of(path) else {
            return Ok(Arc::new(DiskBackend::new(path)) as Location);
        };
        refuse_password(what.en, url)?;
        qopen::backend(url).map_err(|error| Failure::usage_of(what, &error))
    };
    let (from, to) = (
        place(&from, Text::new("the journal to copy", "要复制的持久化存储"))?,
        place(&to, Text::new("where it goes", "复制的目标"))?,
    );
    if from.to_string() == to.to_string() {
        return Err(Failure::usage(phrase!(
            "a journal cannot be copied into itself",
            "持久化存储不能复制到自身",
        )));
    }
    if !from.exists().await.map_err(|error| cannot_open(&from, &error))? {
        return Err(Failure::usage(phrase!(
            "there is no journal in {from}",
            "{from} 中没有持久化存储",
            from = from,
        )));
    }
    let source = open_at(&from).await?;
    let target = open_at(&to).await?;
    let copied = copy(&*source, &*target).await;
    let what = || phrase!("the journal was not copied", "持久化存储没有复制");
    let copied = copied.map_err(|error| Failure::unexpected(what(), &error))?;
    let Copied { pulls, pages, items, events, left } = copied;
    table::line(&phrase!(
        "{pulls}, {pages}, {items} in quarantine and {events} were copied",
        "已复制 {pulls}，{pages}，隔离区中的 {items}和 {events}",
        pulls = PULLS.count(pulls),
        pages = PAGES.count(pages),
        items = Noun::new("item", "items", "项").count(items),
        events = Noun::new("event", "events", "个事件").count(events),
    ));
    Ok(if left == 0 { Exit::Complete } else { Exit::Incomplete })
}

#[derive(Debug, Default)]
struct Copied {
    pulls: u64,
    pages: u64,
    items: u64,
    events: u64,
    /// Pulls that could not be copied.
    left: u64,
}

/// Copies everything that the target lacks. The copy may be interrupted and repeated at any time.
async fn copy(source: &dyn Store, target: &dyn Store) -> Result<Copied, JournalError> {
    let mut copied = Copied::default();
    let mut pulls = source.pulls().await?;
    // Which of two is later is told by the order in which a journal was told of them.
    pulls.sort_by_key(|state| state.order);
    for state in pulls {
        if !state.damaged.is_empty() {
            // The copy would not show that a page is missing.
            let (pull, lost) = (&state.pull, state.damaged.len());
            tell!(
                "{pull} is not copied: {lost} of its pages are damaged",
                "未复制 {pull}：其中 {lost} 个分页已损坏",
                pull = Phrase::from(pull),
                lost = lost,
            );
            copied.left += 1;
            continue;
        }
        copied.pages += copy_pull(source, target, &state).await?;
        copied.pulls += 1;
    }
    let there = target.quarantined(None).await?;
    for item in source.quarantined(None).await? {
        if !there.contains(&item) {
            target.quarantine(item).await?;
            copied.items += 1;
        }
    }
    let mut after = 0;
    loop {
        let waiting = source.waiting(after, BATCH).await?;
        let Some(last) = waiting.last() else { break };
        after = last.number;
        for event in waiting {
            copied.events += u64::from(target.put(event.event).await? == Appended::New);
        }
    }
    Ok(copied)
}

async fn copy_pull(
    source: &dyn Store,
    target: &dyn Store,
    state: &PullState,
) -> Result<u64, JournalError> {
    let mut copied = 0;
    let before = target.pull(&state.pull).await?.map_or(0, |it| it.notes.len());
    // Before the pages: a worker at the target must know their pull.
    for noted in state.notes.iter().skip(before) {
        target.restore(&state.pull, noted.clone()).await?;
    }
    let there = target.digests(&state.pull).await?;
    let mut missing = source.digests(&state.pull).await?;
    missing.retain(|digest| !there.contains(digest));
    let mut pages = source.pages_of(&state.pull, &missing).await?;
    while let Some(page) = pages.next().await {
        target.append(page?).await?;
        copied += 1;
    }
    if state.ended().is_none() {
        target.enqueue(&state.pull).await?;
    }
    Ok(copied)
}
