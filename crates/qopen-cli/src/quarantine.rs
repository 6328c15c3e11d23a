//! `qopen quarantine`: what verified and could not be read.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use qopen::journal::{JournalError, PageRecord, Payload, PullId, Quarantined, Store};
use qopen::types::RobotAccountListCallback;
use qopen::{Understood, understand};
use serde::Serialize;

use crate::args::QuarantineVerb;
use crate::exit::{Exit, Failure};
use crate::journal::open_existing;
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
                eprintln!("qopen: nothing is in quarantine");
            }
            items().for_each(|(kind, item)| print(kind, item, json));
            Ok(Exit::Complete)
        }
        QuarantineVerb::Show { item } => {
            let fits = |it: &&Quarantined| name(it).starts_with(&item);
            let mut found: Vec<_> = items().map(|it| it.1).filter(fits).collect();
            // The same thing may lie in several pulls.
            found.sort_by_key(|it| it.digest());
            found.dedup_by_key(|it| it.digest());
            match found[..] {
                [item] => println!("{}", item.payload.as_str()),
                [] => {
                    return Err(Failure::usage(format!("nothing in quarantine is called {item}")));
                }
                _ => return Err(Failure::usage(format!("several items begin with {item}"))),
            }
            Ok(Exit::Complete)
        }
        QuarantineVerb::Retry => retry(&*journal, &pages, &accounts).await,
    }
}

/// The accounts on kept pages that this version cannot read. They lie where they came, in their
/// pages, and are read again whenever their list is published.
async fn accounts(journal: &dyn Store) -> Result<Vec<Quarantined>, Failure> {
    let mut found = Vec::new();
    for state in crate::journal::all(journal).await? {
        let mut seen = BTreeSet::new();
        let mut pages = journal.pages(&state.pull).await.map_err(|error| failed(&error))?;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(&error))?;
            let read: Result<RobotAccountListCallback, _> =
                serde_json::from_str(page.payload.as_str());
            let Some(data) = read.ok().and_then(|it| it.data) else { continue };
            for unread in data.account_list.unread() {
                let raw = Payload::new(unread.raw.as_str().to_owned());
                let item = Quarantined::new(Some(state.pull.clone()), &unread.reason, raw);
                if seen.insert(item.digest()) {
                    found.push(item);
                }
            }
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
        reason: &'a str,
        bytes: usize,
    }
    let robot_id = item.pull.as_ref().map(|pull| pull.robot_id.as_str());
    let mark_id = item.pull.as_ref().map(|pull| pull.mark_id.as_str());
    let (item, reason, bytes) = (name(item), item.reason.as_str(), item.payload.as_str().len());
    if json {
        let line = Line { r#type: "quarantined", kind, item, robot_id, mark_id, reason, bytes };
        // Plain data always encodes.
        println!("{}", serde_json::to_string(&line).unwrap_or_default());
        return;
    }
    let whose = match (robot_id, mark_id) {
        (Some(robot), Some(mark)) => format!("robot {robot} mark {mark}"),
        _ => "of nobody knows which pull".to_owned(),
    };
    println!("{item}  {kind}  {whose}  {bytes} bytes  {reason}");
}

/// Reads each item again. What is a page now goes to its pull; the page is kept before the item is
/// let go, so that nothing is lost between.
async fn retry(
    journal: &dyn Store,
    items: &[Quarantined],
    accounts: &[Quarantined],
) -> Result<Exit, Failure> {
    let mut left = 0;
    let mut gained: Vec<PullId> = Vec::new();
    for item in items {
        match understand(item.payload.as_str()) {
            Understood::Page { pull, .. } => {
                let page = PageRecord::new(pull.clone(), item.payload.clone());
                journal.append(page).await.map_err(|error| failed(&error))?;
                journal.release(item).await.map_err(|error| failed(&error))?;
                if !gained.contains(&pull) {
                    gained.push(pull);
                }
            }
            Understood::Unreadable { reason, .. } => {
                left += 1;
                eprintln!("qopen: {} still cannot be read: {reason}", name(item));
            }
            _ => left += 1,
        }
    }
    for pull in &gained {
        println!(
            "{pull}: pages can be read now; qopen pull --resume {} publishes them",
            pull.mark_id
        );
    }
    eprintln!("qopen: {} of {} pages were read", items.len() - left, items.len());
    for item in accounts {
        eprintln!("qopen: {} still cannot be read: {}", name(item), item.reason);
    }
    Ok(if left + accounts.len() == 0 { Exit::Complete } else { Exit::Incomplete })
}
