//! Merges one list from the journal into a sink: its winning accounts, in order.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use qopen_assembler::{ContentDigest, Fold, PageDigest, PullKey};
use qopen_journal::{Note, PageRecord, PullId, PullState, Quarantined};
use qopen_sink::{ListInfo, ListWriter, Moved, Quarantine, Record, SinkError, Sorted};
use qopen_types::{Account, AccountId, Digest, Item, Json, Readings};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::gather::{Ahead, Form, Gathered, Gathering, is_removed};
use super::published::{PublishError, PublishedList};
use super::quarantine_line::quarantine_line;
use crate::outcome::{Folded, PulledList};
use crate::resume::Refold;

/// Accounts after which a publication reports progress.
const MOVED_EVERY: usize = 1024;

/// Pages that are read ahead.
const PAGES_AHEAD: usize = 4;

/// One list on its way into a writer. Runs on a thread that may block.
pub(super) struct Publication<'a> {
    pub(super) list: &'a PulledList,
    pub(super) order: Option<u64>,
    /// The notes of its pull.
    pub(super) state: Option<&'a PullState>,
    pub(super) runtime: &'a Handle,
    pub(super) scratch: Option<&'a Path>,
    pub(super) moved: &'a Moved,
    pub(super) writer: &'a mut dyn ListWriter,
    pub(super) quarantine: &'a mut Quarantine,
    pub(super) unread_fields: u64,
    pub(super) readings: Readings,
    /// The number of customers to return as controls, and those that were found.
    pub(super) controls_wanted: usize,
    pub(super) controls: Vec<AccountId>,
}

impl Publication<'_> {
    pub(super) fn run(mut self) -> Result<PublishedList, PublishError> {
        let (revision, fold) = self.list.fold();
        let info = ListInfo::new(&self.list.id.robot_id, &self.list.id.mark_id, revision)
            .order(self.order);
        self.writer.begin_list(&info).map_err(PublishError::Sink)?;
        let (fold, changes) = match fold {
            Some((fold, changes)) if revision <= 1 || self.has_everything(&fold)? => {
                (fold, changes)
            }
            _ => self.refold()?,
        };
        let already = self.quarantine.len();
        let Gathered { winners, nameless, pages } = self.gather(&fold)?;
        self.set_nameless_aside(nameless)?;
        let (found, accounts) = self.write_all(winners)?;
        if found != fold.accounts() {
            return Err(PublishError::PagesMissing { expected: fold.accounts(), found });
        }
        self.set_pages_aside()?;
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
            compared: None,
            gone_check: None,
            evidence: None,
            basis: None,
            controls: self.controls,
        };
        Ok(list)
    }

    /// Reads all pages, and sorts the winners.
    fn gather(&self, fold: &Fold) -> Result<Gathered, PublishError> {
        let (ahead, reading) = self.read_ahead()?;
        let gathering = Gathering {
            id: &self.list.id,
            fold,
            scratch: self.scratch,
            moved: &**self.moved,
            encoder: self.writer.encoder(&self.list.id.robot_id),
            wants_controls: self.controls_wanted > 0,
        };
        let gathered = gathering.run(ahead)?;
        // An interrupted reading has not seen all pages.
        self.runtime.block_on(reading).map_err(|_| PublishError::Shutdown)?;
        Ok(gathered)
    }

    /// Sets accounts without an id aside, each content once.
    fn set_nameless_aside(&mut self, mut nameless: Sorted) -> Result<(), PublishError> {
        let mut known = BTreeSet::new();
        for lines in 1_usize.. {
            if !nameless.advance().map_err(PublishError::Sink)? {
                break;
            }
            let (digest, line) = text_of(nameless.text())?.split_at(DIGEST);
            if known.insert(digest.parse::<Digest>().ok()) {
                self.quarantine.push(line).map_err(PublishError::Sink)?;
            }
            if lines % MOVED_EVERY == 0 {
                (self.moved)();
            }
        }
        Ok(())
    }

    /// Writes the winners, which come in the order of their ids. Returns how many accounts there
    /// were, and how many of them were written.
    fn write_all(&mut self, mut winners: Sorted) -> Result<(usize, u64), PublishError> {
        let (mut found, mut accounts) = (0, 0);
        let (mut id, mut contents) = (Vec::new(), Vec::new());
        while winners.advance().map_err(PublishError::Sink)? {
            let is_next = winners.key() != id;
            if is_next {
                accounts += self.write_contents(&mut contents)?;
                id.clear();
                id.extend_from_slice(winners.key());
                found += 1;
                if found % MOVED_EVERY == 0 {
                    (self.moved)();
                }
            }
            match Form::split(winners.text()) {
                Some((Form::Raw, raw)) if is_next || !contents.is_empty() => {
                    contents.push(text_of(raw)?.into());
                }
                Some((form, record)) if is_next => {
                    if form == Form::Control && self.controls.len() < self.controls_wanted {
                        self.controls.extend(AccountId::new(text_of(&id)?).ok());
                    }
                    let robot_id = &self.list.id.robot_id;
                    self.writer.write_encoded(robot_id, record).map_err(PublishError::Sink)?;
                    accounts += 1;
                }
                // An account with an encoded record has no other one.
                Some(_) => {}
                None => {
                    let unknown = "a record of the sort has no form".into();
                    return Err(PublishError::Sink(SinkError::Encode(unknown)));
                }
            }
        }
        accounts += self.write_contents(&mut contents)?;
        Ok((found, accounts))
    }

    /// Writes the contents of one account, if there are any. Returns the number of written accounts.
    fn write_contents(&mut self, contents: &mut Vec<Box<str>>) -> Result<u64, PublishError> {
        match contents.is_empty() {
            true => Ok(0),
            false => self.write(std::mem::take(contents)).map(u64::from),
        }
    }

    /// Folds every page that is in the journal now, in the order in which they were kept. Returns
    /// the changes since the published revision too.
    fn refold(&mut self) -> Result<Folded, PublishError> {
        let id = &self.list.id;
        let now = self.list.revision();
        let notes = self.state.into_iter().flat_map(|it| it.notes.iter().rev());
        let before = notes.map(|it| &it.note).find_map(|note| match note {
            Note::Published { revision, pages, .. } if *revision < now => Some(*pages),
            _ => None,
        });
        let mut refold = Refold::new(&PullKey::from(id), before);
        self.each_page(|page| {
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
        Ok(kept.into_iter().all(|digest| fold.has_page(PageDigest::from(digest))))
    }

    fn each_page(
        &mut self,
        mut work: impl FnMut(&PageRecord) -> Result<(), PublishError>,
    ) -> Result<(), PublishError> {
        let (mut ahead, reading) = self.read_ahead()?;
        while let Some(page) = ahead.blocking_recv() {
            (self.moved)();
            work(&page.map_err(PublishError::Journal)?)?;
        }
        // An interrupted reading has not seen all pages.
        self.runtime.block_on(reading).map_err(|_| PublishError::Shutdown)
    }

    /// Reads and unpacks the next pages while others are worked on.
    fn read_ahead(&self) -> Result<(Ahead, JoinHandle<()>), PublishError> {
        let pages = self.runtime.block_on(self.list.journal.pages(&self.list.id));
        let mut pages = pages.map_err(PublishError::Journal)?;
        let (sender, ahead) = mpsc::channel(PAGES_AHEAD);
        let reading = self.runtime.spawn(async move {
            while let Some(page) = pages.next().await {
                if sender.send(page).await.is_err() {
                    return;
                }
            }
        });
        Ok((ahead, reading))
    }

    /// Writes an account that is not encoded: of several contents the winner or, if that is unreadable, the
    /// greatest readable one. Sets unreadable ones aside. Returns whether the account was written.
    fn write(&mut self, mut contents: Vec<Box<str>>) -> Result<bool, PublishError> {
        let is_alone = contents.len() == 1;
        if !is_alone {
            let content = |raw: &str| Digest::of(raw.as_bytes()).to_u128();
            contents.sort_by_key(|raw| Reverse(ContentDigest::from_u128(content(raw))));
        }
        let mut written = false;
        for raw in contents {
            // A part of JSON that was read before is JSON.
            let Ok(json) = Json::parse(&raw) else { continue };
            match Item::<Account>::read_with(json) {
                (Item::Valid(_), _) if written => {}
                (Item::Valid(account), readings) => {
                    self.unread_fields += account.unread.len() as u64;
                    self.readings = self.readings.union(readings);
                    if is_alone
                        && self.controls.len() < self.controls_wanted
                        && !is_removed(&account)
                    {
                        self.controls.push(account.account_id.clone());
                    }
                    let record = Record::new(&self.list.id.robot_id, &account);
                    self.writer.write(&record).map_err(PublishError::Sink)?;
                    written = true;
                }
                (Item::Invalid(unread), _) => {
                    self.set_aside("shape", &unread.reason, unread.raw.as_str().as_bytes())?;
                }
            }
        }
        Ok(written)
    }

    /// Sets unreadable pages aside whole: no other place shows them.
    fn set_pages_aside(&mut self) -> Result<(), PublishError> {
        let journal = &self.list.journal;
        let items = self.runtime.block_on(journal.quarantined(Some(&self.list.id)));
        let mut items = items.map_err(PublishError::Journal)?;
        let doubts = self.state.map(PullState::doubts).unwrap_or_default();
        if !doubts.is_empty() {
            let all = self.runtime.block_on(journal.quarantined(None));
            let doubted = all.map_err(PublishError::Journal)?.into_iter();
            let is_own = |it: &Quarantined| it.pull.as_ref() == Some(&self.list.id);
            items.extend(doubted.filter(|it| !is_own(it) && doubts.contains(&it.digest())));
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

/// Digits of a digest.
const DIGEST: usize = 32;

/// The text of a record of the sort. Only texts are sorted.
fn text_of(bytes: &[u8]) -> Result<&str, PublishError> {
    std::str::from_utf8(bytes).map_err(|error| PublishError::Sink(SinkError::Encode(error.into())))
}
