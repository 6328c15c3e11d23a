//! Items in quarantine: listing, release and retry.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use qopen::callback::Keyring;
use qopen::journal::{JournalError, Layer, Note, PageRecord, Payload, PullId, Quarantined, Store};
use qopen::types::{CallbackSkim, Digest};
use qopen::{Classified, classify};
use serde::{Deserialize, Serialize};

use super::pull::{PullName, Resume};
use crate::exit::{Exit, Failure, chained};
use crate::lang::{Lang, Phrase, THE_JOURNAL, phrase};
use crate::report::{BYTES, named};
use crate::say::{answer, tell};
use crate::{table, topics};

/// The kind of an item that may be a page.
pub(crate) const PAGE: &str = "page";

/// The kind of an item that is an account on a kept page.
const ACCOUNT: &str = "account";

/// An item on one line: an object of `--json` and of the control API. Never has its content.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    r#type: String,
    pub(crate) kind: String,
    /// The digest of its content.
    pub(crate) item: String,
    pub(crate) robot_id: Option<String>,
    pub(crate) mark_id: Option<String>,
    pub(crate) layer: String,
    pub(crate) reason: String,
    pub(crate) bytes: usize,
}

impl Item {
    fn of(kind: &str, item: &Quarantined) -> Self {
        let pull = item.pull.as_ref();
        Self {
            r#type: "quarantined".to_owned(),
            kind: kind.to_owned(),
            item: name(item),
            robot_id: pull.map(|it| it.robot_id.to_string()),
            mark_id: pull.map(|it| it.mark_id.to_string()),
            layer: item.layer.to_string(),
            reason: item.reason.clone(),
            bytes: item.payload.len(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.item
    }

    pub(crate) fn print(&self, json: bool) {
        if json {
            // Plain data always encodes.
            answer!("{}", serde_json::to_string(self).unwrap_or_default());
            return;
        }
        let whose = match (&self.robot_id, &self.mark_id) {
            (Some(robot), Some(mark)) => named(robot, mark),
            _ if self.layer == Layer::Lost.as_str() => phrase!("of no pull", "不属于任何拉取"),
            _ => phrase!("of an unknown pull", "属于未知的拉取"),
        };
        let kind = match &*self.kind {
            PAGE => phrase!("page", "分页"),
            ACCOUNT => phrase!("account", "客户"),
            other => other.into(),
        };
        let layer = Layer::ALL.into_iter().find(|it| it.as_str() == self.layer);
        let layer = layer.map(|it| Phrase::new(it.as_str(), topics::of_layer(it).title.zh));
        table::line(&phrase!(
            "{item}  {kind}  {whose}  {bytes}  {layer}: {reason}",
            "{item}  {kind}  {whose}  {bytes}  {layer}：{reason}",
            item = self.item,
            kind = kind,
            whose = whose,
            bytes = BYTES.count(self.bytes as u64),
            layer = layer.unwrap_or_else(|| (&self.layer).into()),
            reason = self.reason,
        ));
    }
}

/// Returns every item of a journal.
pub(crate) async fn items(journal: &dyn Store) -> Result<Vec<Item>, Failure> {
    let mut items = page_items(journal).await?;
    items.extend(accounts(journal).await?.iter().map(|item| Item::of(ACCOUNT, item)));
    Ok(items)
}

/// Returns the items that may be pages. No kept page is read for them.
pub(crate) async fn page_items(journal: &dyn Store) -> Result<Vec<Item>, Failure> {
    let pages = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    Ok(pages.iter().map(|item| Item::of(PAGE, item)).collect())
}

/// Returns the bytes of an item, or `None` if no item has the name.
pub(crate) async fn bytes(journal: &dyn Store, item: &str) -> Result<Option<Vec<u8>>, Failure> {
    let found = |items: Vec<Quarantined>| items.into_iter().find(|it| name(it) == item);
    let pages = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    let found = match found(pages) {
        None => found(accounts(journal).await?),
        found => found,
    };
    Ok(found.map(|it| it.payload.as_bytes().to_vec()))
}

/// Releases the items of a name. Returns the pulls that they counted against, or `None` if nothing has the name. An item
/// that was deleted with its pull may still count against another one.
pub(crate) async fn release(
    journal: &dyn Store,
    item: &str,
) -> Result<Option<Vec<PullName>>, Failure> {
    let pages = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    let same: Vec<&Quarantined> = pages.iter().filter(|it| name(it) == item).collect();
    let Ok(digest) = item.parse() else { return Ok(None) };
    let pulls = let_go(journal, &same, digest, false).await?;
    let is_known = !same.is_empty() || !pulls.is_empty();
    Ok(is_known.then(|| pulls.iter().map(PullName::from).collect()))
}

/// The result of reading every item again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Retried {
    /// Pages in quarantine before.
    pub(crate) pages: usize,
    /// The number of these that were read.
    pub(crate) read: usize,
    /// Pages that were not read, and other events.
    items: Vec<Again>,
    /// Pulls with new pages.
    pub(crate) pulls: Vec<PullName>,
    /// Accounts that still have no readable id.
    accounts: Vec<Again>,
}

/// The result for one item.
#[derive(Debug, Serialize, Deserialize)]
struct Again {
    pub(crate) item: String,
    /// The result in words.
    what: String,
    /// The same in Chinese. Earlier processes do not send it.
    what_zh: Option<String>,
}

impl Again {
    fn new(item: &Quarantined, what: &Phrase) -> Self {
        let of = |lang| what.of(lang).to_owned();
        Self { item: name(item), what: of(Lang::En), what_zh: Some(of(Lang::Zh)) }
    }

    fn what(&self) -> Phrase {
        Phrase::new(&self.what, self.what_zh.as_ref().unwrap_or(&self.what))
    }
}

impl Retried {
    pub(crate) fn report(&self, hint: Resume) -> Exit {
        let Self { pages, read, items, pulls, accounts } = self;
        let again = |it: &Again| {
            tell!("{item} {what}", "{item}：{what}", item = it.item, what = it.what());
        };
        items.iter().for_each(again);
        for pull in pulls {
            table::line(&phrase!(
                "{pull}: pages can be read now; {how} publishes them",
                "{pull}：分页现在可以读取；{how} 可发布它们",
                pull = Phrase::from(pull),
                how = hint.of(&pull.mark_id),
            ));
        }
        tell!(
            "{read} of {pages} pages were read",
            "{pages} 个分页中读取了 {read} 个",
            read = read,
            pages = pages,
        );
        accounts.iter().for_each(again);
        if read == pages && accounts.is_empty() { Exit::Complete } else { Exit::Incomplete }
    }
}

/// Returns the accounts on kept pages without a readable id. They stay in their pages, and every
/// publication reads them again.
async fn accounts(journal: &dyn Store) -> Result<Vec<Quarantined>, Failure> {
    let mut found = Vec::new();
    for state in crate::journal::all(journal).await? {
        let mut seen = BTreeSet::new();
        let mut pages = journal.pages(&state.pull).await.map_err(|error| failed(&error))?;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(&error))?;
            page.payload.text().skim(|_, skim, _| {
                let Ok(CallbackSkim { page: Some(page), .. }) = skim else { return };
                for account in &page.accounts {
                    let Err(reason) = &account.id else { continue };
                    let (pull, raw) = (Some(state.pull.clone()), Payload::new(account.raw));
                    let item = Quarantined::new(pull, Layer::Shape, reason, raw);
                    if seen.insert(item.digest()) {
                        found.push(item);
                    }
                }
            });
        }
    }
    Ok(found)
}

fn failed(error: &JournalError) -> Failure {
    Failure::unexpected(THE_JOURNAL, error)
}

/// Returns an item's name: the digest of its content.
fn name(item: &Quarantined) -> String {
    item.digest().to_string()
}

/// Returns the pulls that the items of a name count against.
pub(crate) async fn affected(journal: &dyn Store, item: &str) -> Result<Vec<PullId>, Failure> {
    let pages = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    let same: Vec<&Quarantined> = pages.iter().filter(|it| name(it) == item).collect();
    match same.first() {
        Some(first) => pulls_of(journal, &same, first.digest()).await,
        None => Ok(Vec::new()),
    }
}

async fn pulls_of(
    journal: &dyn Store,
    items: &[&Quarantined],
    digest: Digest,
) -> Result<Vec<PullId>, Failure> {
    let states = crate::journal::all(journal).await?;
    let of_item = |pull: &PullId| items.iter().any(|it| it.pull.as_ref() == Some(pull));
    let affected = states.iter().filter(|it| of_item(&it.pull) || it.doubts().contains(&digest));
    Ok(affected.map(|it| it.pull.clone()).collect())
}

/// Releases the items of a digest. Returns the pulls that they counted against.
async fn let_go(
    journal: &dyn Store,
    items: &[&Quarantined],
    digest: Digest,
    read: bool,
) -> Result<Vec<PullId>, Failure> {
    let pulls = pulls_of(journal, items, digest).await?;
    for pull in &pulls {
        // Noted before the item is removed, so that no release is half done.
        let note = Note::Released { item: digest, read };
        journal.note(pull, note).await.map_err(|error| failed(&error))?;
    }
    for item in items {
        journal.release(item).await.map_err(|error| failed(&error))?;
    }
    Ok(pulls)
}

/// Reads each item again, except those that stand for lost pages. A page that can be read goes to its pull. The page is
/// kept before the item is removed, so that nothing is lost between.
pub(crate) async fn retry(journal: &dyn Store, ring: Option<&Keyring>) -> Result<Retried, Failure> {
    let mut items = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    items.retain(|it| it.layer != Layer::Lost);
    let mut retried = Retried { pages: items.len(), ..Retried::default() };
    let mut gained: BTreeSet<PullName> = BTreeSet::new();
    for item in &items {
        let what = match retry_one(journal, item, ring).await? {
            Ok((pulls, event)) => {
                retried.read += 1;
                gained.extend(pulls.iter().map(PullName::from));
                match event {
                    Some(event) => event,
                    None => continue,
                }
            }
            Err(why) => why,
        };
        retried.items.push(Again::new(item, &what));
    }
    retried.pulls = gained.into_iter().collect();
    for item in accounts(journal).await? {
        retried.accounts.push(Again::new(&item, &still(&item.reason)));
    }
    Ok(retried)
}

/// Returns the pulls of an item, and its kind if it is no page, or why it still cannot be read.
type Read = Result<(Vec<PullId>, Option<Phrase>), Phrase>;

fn still(why: impl Into<Phrase>) -> Phrase {
    phrase!("still cannot be read: {why}", "仍无法读取：{why}", why = why.into())
}

async fn retry_one(
    journal: &dyn Store,
    item: &Quarantined,
    ring: Option<&Keyring>,
) -> Result<Read, Failure> {
    let payload = match (item.layer, ring) {
        (Layer::Content, Some(ring)) => {
            match ring.decrypt(&String::from_utf8_lossy(item.payload.as_bytes())) {
                Ok((payload, _)) => Payload::new(payload),
                Err(error) => return Ok(Err(still(chained("", &error)))),
            }
        }
        (Layer::Content, None) => {
            return Ok(Err(phrase!("needs the callback keys to be read", "需要回调密钥才能读取")));
        }
        _ => item.payload.clone(),
    };
    match classify(payload.as_bytes()) {
        Classified::Page(page) => {
            if !journal.knows(&page.pull).await.map_err(|error| failed(&error))? {
                let why = phrase!(
                    "no pull is known here of {pull}",
                    "此处没有 {pull} 的拉取",
                    pull = Phrase::from(&page.pull),
                );
                return Ok(Err(still(why)));
            }
            let record = PageRecord::new(page.pull.clone(), payload);
            journal.append(record).await.map_err(|error| failed(&error))?;
            let mut pulls = let_go(journal, &[item], item.digest(), true).await?;
            pulls.push(page.pull);
            Ok(Ok((pulls, None)))
        }
        Classified::Unreadable(it) => Ok(Err(still(it.reason))),
        // It is readable now, but no page.
        Classified::Other(event_type) if item.layer == Layer::Content => {
            let pulls = let_go(journal, &[item], item.digest(), true).await?;
            let what = phrase!(
                "is another event ({event_type})",
                "是其他事件（{event_type}）",
                event_type = event_type,
            );
            Ok(Ok((pulls, Some(what))))
        }
        Classified::Other(event_type) => Ok(Err(still(phrase!(
            "another event ({event_type})",
            "其他事件（{event_type}）",
            event_type = event_type,
        )))),
        _ => Ok(Err(still(phrase!("an error report, and no page", "是错误报告，不是分页")))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use qopen::journal::{Journal as _, MemoryJournal};

    use super::*;

    #[tokio::test]
    async fn an_item_that_was_deleted_with_its_pull_can_be_released() {
        let journal = MemoryJournal::default();
        let pull =
            |mark: &str| PullId { robot_id: "r1".parse().unwrap(), mark_id: mark.parse().unwrap() };
        let (owner, other) = (pull("owner"), pull("other"));
        let payload = Payload::new("a content");
        let item = Quarantined::new(Some(owner.clone()), Layer::Content, "no key", payload);
        let (name, digest) = (name(&item), item.digest());
        journal.quarantine(item).await.unwrap();
        journal.note(&other, Note::Doubted { item: digest, lost: false }).await.unwrap();
        journal.forget(&owner).await.unwrap();
        assert!(journal.quarantined(None).await.unwrap().is_empty());

        assert_eq!(release(&journal, "none").await.unwrap(), None);
        let released = release(&journal, &name).await.unwrap();
        assert_eq!(released, Some(vec![PullName::from(&other)]));
        let state = journal.pull(&other).await.unwrap().unwrap();
        assert!(state.released().contains(&digest) && !state.doubts().contains(&digest));
        assert_eq!(release(&journal, &name).await.unwrap(), None);
    }
}
