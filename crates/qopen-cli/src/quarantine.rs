//! `qopen quarantine`: what verified and could not be read.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use qopen::journal::{JournalError, Layer, Note, PageRecord, Payload, PullId, Quarantined, Store};
use qopen::types::{CallbackSkim, Digest};
use qopen::{Classified, classify};
use serde::Serialize;

use crate::args::QuarantineVerb;
use crate::exit::{Exit, Failure};
use crate::journal::open_existing;
use crate::pulls::Resume;
use crate::say::{self, answer, say};
use crate::settings::Settings;

pub(crate) async fn run(verb: QuarantineVerb, settings: Settings) -> Result<Exit, Failure> {
    let journal = open_existing(&settings).await?;
    let pages = journal.quarantined(None).await.map_err(|error| failed(&error))?;
    let accounts = accounts(&*journal).await?;
    let items = || {
        let pages = pages.iter().map(|item| ("page", item));
        pages.chain(accounts.iter().map(|item| ("account", item)))
    };
    match verb {
        QuarantineVerb::List { json } => {
            if items().next().is_none() && !json {
                say!("qopen: nothing is in quarantine");
            }
            items().for_each(|(kind, item)| print(kind, item, json));
            Ok(Exit::Complete)
        }
        QuarantineVerb::Show { item, raw } => {
            let found: Vec<&Quarantined> = items().map(|it| it.1).collect();
            show(one_of(&found, &item)?, raw);
            Ok(Exit::Complete)
        }
        QuarantineVerb::Release { item } => {
            let found: Vec<&Quarantined> = pages.iter().collect();
            let digest = one_of(&found, &item)?.digest();
            let same: Vec<&Quarantined> = pages.iter().filter(|it| it.digest() == digest).collect();
            let pulls = let_go(&*journal, &same, digest, false).await?;
            for pull in &pulls {
                answer!("{pull}: the item no longer stands against it");
            }
            let hint = Resume::by(&settings)?;
            for pull in &pulls {
                answer!("{pull}: {} publishes its list", hint.of(pull.mark_id.as_str()));
            }
            Ok(Exit::Complete)
        }
        QuarantineVerb::Retry => {
            // Content that no key opened may be opened by the keys of today.
            let ring = settings.ring().ok();
            let hint = Resume::by(&settings)?;
            retry(&*journal, &pages, &accounts, ring.as_ref(), &hint).await
        }
    }
}

/// The accounts on kept pages that have no readable id. They lie where they came, in their
/// pages, and are read again whenever their list is published.
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
    Failure::unexpected("the journal", error)
}

/// An item's name: the digest of what it holds.
fn name(item: &Quarantined) -> String {
    item.digest().to_string()
}

fn print(kind: &'static str, item: &Quarantined, json: bool) {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'static str,
        kind: &'static str,
        item: String,
        robot_id: Option<&'a str>,
        mark_id: Option<&'a str>,
        layer: &'static str,
        reason: &'a str,
        bytes: usize,
    }
    let robot_id = item.pull.as_ref().map(|pull| pull.robot_id.as_str());
    let mark_id = item.pull.as_ref().map(|pull| pull.mark_id.as_str());
    let layer = item.layer.as_str();
    let (item, reason, bytes) = (name(item), item.reason.as_str(), item.payload.len());
    if json {
        let line =
            Line { r#type: "quarantined", kind, item, robot_id, mark_id, layer, reason, bytes };
        // Plain data always encodes.
        answer!("{}", serde_json::to_string(&line).unwrap_or_default());
        return;
    }
    let whose = match (robot_id, mark_id) {
        (Some(robot), Some(mark)) => format!("robot {robot} mark {mark}"),
        _ => "of an unknown pull".to_owned(),
    };
    answer!("{item}  {kind}  {whose}  {bytes} bytes  {layer}: {reason}");
}

/// The only item that is called so, or whose name begins so.
fn one_of<'a>(items: &[&'a Quarantined], wanted: &str) -> Result<&'a Quarantined, Failure> {
    let fits = |it: &&&Quarantined| name(it).starts_with(wanted);
    let mut found: Vec<&Quarantined> = items.iter().filter(fits).copied().collect();
    // The same thing may lie in several pulls.
    found.sort_by_key(|it| it.digest());
    found.dedup_by_key(|it| it.digest());
    match found[..] {
        [item] => Ok(item),
        [] => Err(Failure::usage(format!(
            "nothing in quarantine is called {wanted}; `qopen quarantine list` shows what there is"
        ))),
        _ => {
            Err(Failure::usage(format!("several items begin with {wanted}; give more of the name")))
        }
    }
}

fn show(item: &Quarantined, raw: bool) {
    let bytes = item.payload.as_bytes();
    match std::str::from_utf8(bytes) {
        _ if raw => say::bytes_to_reader(bytes),
        Ok(text) => answer!("{text}"),
        Err(_) => {
            say!("qopen: the item is not text; its {} bytes follow as base64", bytes.len());
            answer!("{}", STANDARD.encode(bytes));
        }
    }
}

/// Has items with that digest no longer stand against anything. Gives the pulls that they stood against.
async fn let_go(
    journal: &dyn Store,
    items: &[&Quarantined],
    digest: Digest,
    read: bool,
) -> Result<Vec<PullId>, Failure> {
    let states = crate::journal::all(journal).await?;
    let of_item = |pull: &PullId| items.iter().any(|it| it.pull.as_ref() == Some(pull));
    let stands = states.iter().filter(|it| of_item(&it.pull) || it.doubts().contains(&digest));
    let pulls: Vec<PullId> = stands.map(|it| it.pull.clone()).collect();
    for pull in &pulls {
        // Noted before the item goes, so that a release is never done by halves.
        let note = Note::Released { item: digest, read };
        journal.note(pull, note).await.map_err(|error| failed(&error))?;
    }
    for item in items {
        journal.release(item).await.map_err(|error| failed(&error))?;
    }
    Ok(pulls)
}

/// Reads each item again. What is a page now goes to its pull; the page is kept before the item is
/// let go, so that nothing is lost between.
async fn retry(
    journal: &dyn Store,
    items: &[Quarantined],
    accounts: &[Quarantined],
    ring: Option<&qopen::callback::Keyring>,
    hint: &Resume,
) -> Result<Exit, Failure> {
    let mut left = 0;
    let mut gained: Vec<PullId> = Vec::new();
    for item in items {
        let payload = match (item.layer, ring) {
            (Layer::Content, Some(ring)) => {
                let content = String::from_utf8_lossy(item.payload.as_bytes());
                match ring.decrypt(&content) {
                    Ok((payload, _)) => Payload::new(payload),
                    Err(error) => {
                        left += 1;
                        let error = crate::exit::chain("", &error);
                        say!("qopen: {} still cannot be read: {error}", name(item));
                        continue;
                    }
                }
            }
            (Layer::Content, None) => {
                left += 1;
                say!("qopen: {} needs the callback keys to be read", name(item));
                continue;
            }
            _ => item.payload.clone(),
        };
        let why = match classify(payload.as_bytes()) {
            Classified::Page(page) => {
                let known = journal.knows(&page.pull).await.map_err(|error| failed(&error))?;
                if known {
                    let record = PageRecord::new(page.pull.clone(), payload);
                    journal.append(record).await.map_err(|error| failed(&error))?;
                    let mut pulls = let_go(journal, &[item], item.digest(), true).await?;
                    pulls.push(page.pull);
                    gained.extend(pulls);
                    continue;
                }
                format!("no pull is known here of {}", page.pull)
            }
            Classified::Unreadable(it) => it.reason,
            // It was content that hid it.
            Classified::Other(event_type) if item.layer == Layer::Content => {
                gained.extend(let_go(journal, &[item], item.digest(), true).await?);
                say!("qopen: {} is an event of another kind ({event_type})", name(item));
                continue;
            }
            Classified::Other(event_type) => format!("an event of another kind ({event_type})"),
            _ => "an error report, and no page".to_owned(),
        };
        left += 1;
        say!("qopen: {} still cannot be read: {why}", name(item));
    }
    gained.sort();
    gained.dedup();
    for pull in &gained {
        let how = hint.of(pull.mark_id.as_str());
        answer!("{pull}: pages can be read now; {how} publishes them");
    }
    say!("qopen: {} of {} pages were read", items.len() - left, items.len());
    for item in accounts {
        say!("qopen: {} still cannot be read: {}", name(item), item.reason);
    }
    Ok(if left + accounts.len() == 0 { Exit::Complete } else { Exit::Incomplete })
}
