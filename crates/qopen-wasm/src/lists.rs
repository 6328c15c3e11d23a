//! Lists from the payloads of callbacks.

use std::collections::BTreeMap;

use qopen_assembler::{
    Assembler, Collector, Config, ContentDigest, ErrorReport, Event, Failure, Fingerprint, Keyed,
    Page, PageDigest, PullKey, PullOptions, Seed, Time,
};
use qopen_callback::OpenedCallback;
use qopen_types::{AccountSkim, CallbackSkim, EventType, SkimError};
use serde::Serialize;
use serde_json::value::RawValue;

/// A customer: the JSON as it came, and the id that it has.
struct Customer {
    id: String,
    json: Box<RawValue>,
}

impl Customer {
    fn of(skim: &AccountSkim<'_>) -> Option<Self> {
        let json = RawValue::from_string(skim.raw.to_owned()).ok()?;
        Some(Self { id: skim.account_id()?.to_string(), json })
    }
}

impl Keyed for Customer {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(&self.id)
    }
    fn content(&self) -> ContentDigest {
        ContentDigest::of(self.json.get().as_bytes())
    }
}

/// The list of a pull.
#[derive(Serialize)]
pub(crate) struct List {
    robot_id: String,
    mark_id: String,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    accounts: Vec<Box<RawValue>>,
}

/// All lists of which pages came, under any mark.
pub(crate) struct Lists {
    assembler: Assembler<Customer>,
    customers: BTreeMap<PullKey, Collector<Customer>>,
}

impl Default for Lists {
    fn default() -> Self {
        let mut config = Config::default();
        config.adopt = Some(PullOptions::default());
        config.stream = true;
        Self { assembler: Assembler::new(config), customers: BTreeMap::new() }
    }
}

impl Lists {
    /// Folds a callback. One of another event changes nothing.
    pub(crate) fn add(&mut self, opened: &OpenedCallback) {
        if opened.event_type() == EventType::ROBOT_ACCOUNT_LIST {
            let digest = PageDigest::of(opened.payload());
            opened.text().skim(|_, skim, _| self.fold(digest, skim));
        }
    }

    fn fold(&mut self, digest: PageDigest, skim: Result<CallbackSkim<'_>, SkimError>) {
        let (assembler, now) = (&mut self.assembler, Time::ZERO);
        let key = |robot: Option<_>, mark: Option<_>| Some((robot?, mark?));
        let skim = match skim {
            Ok(skim) => skim,
            Err(SkimError::Shape { robot_id, mark_id, .. }) => {
                return match key(robot_id, mark_id) {
                    Some((robot, mark)) => {
                        let key = PullKey::new(robot.as_str(), mark.as_str());
                        assembler.handle_unreadable_page(now, &key, digest);
                    }
                    None => assembler.handle_refusal(now),
                };
            }
            Err(_) => return assembler.handle_refusal(now),
        };
        let mark = skim.page.as_ref().and_then(|page| page.mark_id.clone());
        if skim.err_code != 0 {
            return assembler.handle_error(
                now,
                ErrorReport {
                    robot: skim.robot_id.map(|it| it.to_string()).unwrap_or_default(),
                    mark: mark.map(|it| it.to_string()),
                    code: skim.err_code,
                    message: skim.err_msg.into_owned(),
                    signed: None,
                },
            );
        }
        let (Some((robot, mark)), Some(page)) = (key(skim.robot_id, mark), skim.page) else {
            return assembler.handle_refusal(now);
        };
        let (mut known, mut unidentified) = (Vec::new(), Vec::new());
        for skim in &page.accounts {
            match Customer::of(skim) {
                Some(customer) => known.push(customer),
                None => unidentified.push(ContentDigest::of(skim.raw.as_bytes())),
            }
        }
        let key = PullKey::new(robot.as_str(), mark.as_str());
        let page = Page::new(key, digest, page.has_more, known).unidentified(unidentified);
        assembler.handle_page(now, page);
        self.poll();
    }

    /// Says that no more pages come. Returns the lists in the order of robots and marks.
    pub(crate) fn finish(mut self) -> Vec<List> {
        let open: Vec<_> = self.assembler.open_pulls().cloned().collect();
        for key in open {
            // It is open.
            let _ = self.assembler.declare_finished(Time::ZERO, &key);
        }
        let ended = self.poll();
        let list = |(key, failure): (PullKey, Option<Failure>)| {
            let customers = self.customers.remove(&key).unwrap_or_else(|| Collector::new(&key));
            let accounts = customers.into_sorted_by_key(|it| it.id.clone());
            List {
                robot_id: key.robot().to_owned(),
                mark_id: key.mark().to_owned(),
                complete: failure.is_none(),
                failure: failure.map(|it| format!("{it:?}")),
                accounts: accounts.into_iter().map(|it| it.json).collect(),
            }
        };
        ended.into_iter().map(list).collect()
    }

    /// The pulls that have ended, and why those failed that did.
    fn poll(&mut self) -> BTreeMap<PullKey, Option<Failure>> {
        let mut ended = BTreeMap::new();
        while let Some(event) = self.assembler.poll_event() {
            match event {
                Event::Fresh { key, accounts } => {
                    let empty = || Collector::new(&key);
                    self.customers.entry(key.clone()).or_insert_with(empty).extend(accounts);
                }
                Event::Completed { key, .. } => drop(ended.insert(key, None)),
                Event::Failed { key, failure, .. } => drop(ended.insert(key, Some(failure))),
                _ => {}
            }
        }
        ended
    }
}
