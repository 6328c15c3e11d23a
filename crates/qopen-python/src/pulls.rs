//! Pulls under assembly, with their accounts if these are kept. Knows nothing of Python.

use std::collections::BTreeMap;
use std::time::Duration;

use qopen_assembler::{
    Assembler, Config, ErrorReport, Page, PageDigest, PullKey, PullOptions, StartError, Time,
    Timing, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::errors::{Fault, check_version};
use crate::event::{self, Account, OtherEvent, Unreadable};
use crate::fold::{SavedAccount, SharedFold, Winners};
use crate::progress::{Outcome, Progress, name_of};

/// Settings of an assembler.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) timing: Timing,
    pub(crate) retention: Duration,
    /// Whether pulls that were never started here are opened by their first page.
    pub(crate) adopt: bool,
    /// Whether the JSON of the accounts is kept.
    pub(crate) keep_accounts: bool,
}

impl Settings {
    fn config(self) -> Config {
        let mut config = Config::default();
        config.adopt = self.adopt.then(|| PullOptions::default().timing(self.timing));
        config.retention = self.retention;
        config
    }
}

/// What `push` takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    Page(&'a event::Page),
    Report(&'a event::ErrorReport),
    Unreadable(&'a Unreadable),
    Other(&'a OtherEvent),
}

impl<'a> From<&'a event::Event> for Given<'a> {
    fn from(event: &'a event::Event) -> Self {
        match event {
            event::Event::Page(page) => Self::Page(page),
            event::Event::Report(report) => Self::Report(report),
            event::Event::Unreadable(unreadable) => Self::Unreadable(unreadable),
            event::Event::Other(other) => Self::Other(other),
        }
    }
}

/// An assembler, and the accounts of its pulls.
#[derive(Debug)]
pub(crate) struct Pulls {
    settings: Settings,
    pub(crate) assembler: Assembler<Account>,
    lists: BTreeMap<PullKey, Winners>,
    /// Pulls that the last call of `events` said to be forgotten: their accounts remain until the next one.
    forgotten: Vec<PullKey>,
}

/// The version of the saved form. The assembler's own form has its own.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    version: u32,
    settings: Settings,
    state: qopen_assembler::Saved,
    #[serde(borrow)]
    lists: Vec<(PullKey, Vec<SavedAccount<'a>>)>,
}

impl Pulls {
    pub(crate) fn new(settings: Settings) -> Self {
        let assembler = Assembler::new(settings.config());
        Self { settings, assembler, lists: BTreeMap::new(), forgotten: Vec::new() }
    }

    pub(crate) fn start(
        &mut self,
        now: Time,
        key: PullKey,
        options: PullOptions,
    ) -> Result<(), Fault> {
        let options = options.timing(self.settings.timing);
        let started = self.assembler.start(now, key.clone(), options);
        started.map_err(|error| {
            let reason = match error {
                StartError::TooManyPulls { .. } => "too_many_pulls",
                _ => "known",
            };
            Fault::pull(reason, &error)
        })?;
        if self.settings.keep_accounts {
            self.list(&key);
        }
        Ok(())
    }

    /// Takes in an event, and says what became of it.
    pub(crate) fn push(&mut self, now: Time, given: Given<'_>, signed: Option<Time>) -> String {
        match given {
            Given::Page(page) => name_of(&self.page(now, page)),
            Given::Report(report) => {
                self.report(now, report, signed);
                "reported".to_owned()
            }
            Given::Unreadable(unreadable) => {
                for key in self.counts_against(now, unreadable) {
                    self.assembler.handle_unreadable_page(now, &key, unreadable.page_digest);
                }
                "unreadable".to_owned()
            }
            Given::Other(other) => {
                self.assembler.handle_timeout(now);
                let suspect = other.suspect.as_ref();
                let marked = suspect.map(|it| (it, self.marked(it))).filter(|it| !it.1.is_empty());
                let Some((suspect, keys)) = marked else { return "other".to_owned() };
                for key in keys {
                    self.assembler.handle_unreadable_page(now, &key, suspect.page_digest);
                }
                "unreadable".to_owned()
            }
        }
    }

    fn page(&mut self, now: Time, page: &event::Page) -> Verdict {
        let (key, digest) = (page.key.clone(), page.page_digest);
        let fact = Page::new(key.clone(), digest, page.has_more, page.accounts.iter().cloned());
        let verdict = self.assembler.handle_page(now, fact.unidentified(page.nameless.clone()));
        let is_copy = matches!(verdict, Verdict::Duplicate | Verdict::Backlog);
        // A page over a limit may be in the fold too.
        let is_folded = !is_copy && self.assembler.fold(&key).is_some_and(|it| it.has_page(digest));
        if self.settings.keep_accounts && is_folded {
            self.list(&key).extend(&page.accounts);
        }
        verdict
    }

    fn list(&mut self, key: &PullKey) -> &mut Winners {
        // A new pull of an old name.
        if let Some(at) = self.forgotten.iter().position(|it| it == key) {
            self.forgotten.swap_remove(at);
            self.lists.remove(key);
        }
        self.lists.entry(key.clone()).or_insert_with(|| Winners::new(key))
    }

    fn report(&mut self, now: Time, report: &event::ErrorReport, signed: Option<Time>) {
        let event::ErrorReport { robot, mark, code, message } = report;
        let of_mark = |mark: &String| {
            let mut open = self.assembler.open_pulls().filter(|key| key.mark() == mark);
            open.next().filter(|_| open.next().is_none()).map(|key| key.robot().to_owned())
        };
        // No robot has the empty text for its id.
        let robot = robot.clone().or_else(|| of_mark(mark.as_ref()?)).unwrap_or_default();
        let (mark, code, message) = (mark.clone(), *code, message.clone());
        self.assembler.handle_error(now, ErrorReport { robot, mark, code, message, signed });
    }

    /// The open pulls whose mark an unreadable payload names. Of pulls that share a mark, the one of the robot
    /// that it names.
    fn marked(&self, unreadable: &Unreadable) -> Vec<PullKey> {
        let Some(mark) = &unreadable.mark else { return Vec::new() };
        let named = |key: &&PullKey| key.mark().eq_ignore_ascii_case(mark);
        let mut keys: Vec<PullKey> = self.assembler.open_pulls().filter(named).cloned().collect();
        let exactly = |key: &PullKey| unreadable.robot.as_deref() == Some(key.robot());
        if keys.iter().any(exactly) {
            keys.retain(exactly);
        }
        keys
    }

    /// What an unreadable payload counts against (evidence rule E2): the open pulls whose mark it names; else, if
    /// it names no mark, those of its robot; else every open pull. Names in a damaged text may be damaged too.
    fn counts_against(&mut self, now: Time, unreadable: &Unreadable) -> Vec<PullKey> {
        // What was due before is no longer open.
        self.assembler.handle_timeout(now);
        let marked = self.marked(unreadable);
        if !marked.is_empty() {
            return marked;
        }
        let open: Vec<PullKey> = self.assembler.open_pulls().cloned().collect();
        let of_robot = |robot: &str| {
            let keys: Vec<PullKey> =
                open.iter().filter(|it| it.robot() == robot).cloned().collect();
            if keys.is_empty() && unreadable.is_damaged { open.clone() } else { keys }
        };
        match (&unreadable.robot, &unreadable.mark) {
            // A pull that is not open.
            (Some(robot), Some(mark)) if !unreadable.is_damaged => vec![PullKey::new(robot, mark)],
            (None, Some(_)) if !unreadable.is_damaged => Vec::new(),
            (Some(robot), _) => of_robot(robot),
            (None, _) => open,
        }
    }

    /// The events that wait, oldest first.
    pub(crate) fn events(&mut self) -> Vec<Outcome> {
        for key in std::mem::take(&mut self.forgotten) {
            self.lists.remove(&key);
        }
        let mut outcomes = Vec::new();
        while let Some(event) = self.assembler.poll_event() {
            if let qopen_assembler::Event::Forgotten { key } = &event {
                self.forgotten.push(key.clone());
            }
            outcomes.extend(Outcome::of(event));
        }
        outcomes
    }

    pub(crate) fn progress(&self, key: &PullKey) -> Option<Progress> {
        self.assembler.progress(key).map(Progress::from)
    }

    /// The accounts of a pull so far, sorted by their ids.
    pub(crate) fn accounts(&self, key: &PullKey) -> Result<Vec<Account>, Fault> {
        if !self.settings.keep_accounts {
            return Err(Fault::pull("no_accounts", &"this assembler keeps no accounts"));
        }
        match self.lists.get(key) {
            Some(list) => Ok(list.sorted()),
            None if self.assembler.progress(key).is_some() => Ok(Vec::new()),
            None => Err(Fault::pull("unknown", &"no pull of this robot and mark is known")),
        }
    }

    pub(crate) fn fold(&self, key: &PullKey) -> Option<SharedFold> {
        let fold = self.assembler.share_fold(key)?;
        let winners = self.lists.get(key).cloned().unwrap_or_else(|| Winners::new(key));
        Some(SharedFold { key: key.clone(), fold, winners })
    }

    pub(crate) fn merge(&mut self, now: Time, other: &SharedFold) -> Result<(), Fault> {
        let lacks = other.fold.accounts() > 0 && other.winners.iter().next().is_none();
        if self.settings.keep_accounts && lacks {
            let message = "the fold has no accounts: its assembler does not keep them";
            return Err(Fault::pull("no_accounts", &message));
        }
        let merged = self.assembler.merge(now, &other.key, &other.fold);
        merged.map_err(|error| {
            let reason = match error {
                qopen_assembler::MergeError::NotOpen => "not_open",
                _ => "pull_mismatch",
            };
            Fault::pull(reason, &error)
        })?;
        if self.settings.keep_accounts {
            self.list(&other.key).extend(other.winners.iter());
        }
        Ok(())
    }

    /// Saves the whole state, and goes on with it.
    pub(crate) fn saved(&mut self) -> Result<Vec<u8>, Fault> {
        let config = self.settings.config();
        let assembler = std::mem::replace(&mut self.assembler, Assembler::new(config));
        let state = match assembler.save() {
            Ok(state) => state,
            Err((waiting, assembler)) => {
                self.assembler = *assembler;
                return Err(Fault::state("events_waiting", &waiting));
            }
        };
        let lists = self.lists.iter().filter(|(key, _)| !self.forgotten.contains(key));
        let lists = lists.map(|(key, list)| (key.clone(), list.to_saved())).collect();
        let saved = Saved { version: VERSION, settings: self.settings, state, lists };
        let bytes = serde_json::to_vec(&saved).map_err(|error| Fault::state("damaged", &error));
        self.assembler = Assembler::restore(config, saved.state)
            .map_err(|error| Fault::state("unknown_version", &error))?;
        bytes
    }

    pub(crate) fn from_bytes(data: &[u8]) -> Result<Self, Fault> {
        check_version(data, VERSION)?;
        let saved: Saved<'_> = serde_json::from_slice(data).map_err(|_| Fault::damaged())?;
        let assembler = Assembler::restore(saved.settings.config(), saved.state)
            .map_err(|error| Fault::state("unknown_version", &error))?;
        let list = |(key, list): &(PullKey, Vec<_>)| {
            let fold = assembler.fold(key).ok_or_else(Fault::damaged)?;
            Ok((key.clone(), Winners::from_saved(key, fold, list)?))
        };
        let lists = saved.lists.iter().map(list).collect::<Result<_, Fault>>()?;
        Ok(Self { settings: saved.settings, assembler, lists, forgotten: Vec::new() })
    }
}

/// A page's digest, from the text that `Page` and `Unreadable` show.
pub(crate) fn digest_of(text: &str) -> Option<PageDigest> {
    text.parse::<qopen_types::Digest>().ok().map(PageDigest::from)
}
