//! The list of one pull so far, to be sent to another process and merged there.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use qopen_assembler::{Fingerprint, Fold, Keyed as _, PullKey, Seed};
use serde::{Deserialize, Serialize};

use crate::errors::{self, Fault};
use crate::event::Account;

/// The winning content of each account.
#[derive(Clone, Debug)]
pub(crate) struct Winners {
    seed: Seed,
    accounts: HashMap<Fingerprint, Account>,
}

impl Winners {
    pub(crate) fn new(key: &PullKey) -> Self {
        Self { seed: Seed::of(key), accounts: HashMap::new() }
    }

    /// Adds accounts. Of two contents of one account the greater digest wins, as in the fold.
    pub(crate) fn extend<'a>(&mut self, accounts: impl IntoIterator<Item = &'a Account>) {
        for account in accounts {
            let id = account.fingerprint(&self.seed);
            let wins = |old: &Account| account.content() > old.content();
            if self.accounts.get(&id).is_none_or(wins) {
                self.accounts.insert(id, account.clone());
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The accounts, sorted by their ids.
    pub(crate) fn sorted(&self) -> Vec<Account> {
        let mut accounts: Vec<Account> = self.iter().cloned().collect();
        accounts.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        accounts
    }

    pub(crate) fn to_saved(&self) -> Vec<SavedAccount<'_>> {
        self.iter().map(|it| (it.id().into(), it.raw().into())).collect()
    }

    /// Restores what was saved with a fold. Fails unless the fold has the same accounts and contents, or there
    /// are none because they were not kept.
    pub(crate) fn from_saved(
        key: &PullKey,
        fold: &Fold,
        saved: &[SavedAccount<'_>],
    ) -> Result<Self, Fault> {
        let mut winners = Self::new(key);
        winners.extend(&saved.iter().map(|(id, raw)| Account::new(id, raw)).collect::<Vec<_>>());
        let wins =
            |(id, account): (&Fingerprint, &Account)| fold.winner(*id) == Some(account.content());
        let all = winners.accounts.len() == fold.accounts();
        let same = saved.is_empty() || all && winners.accounts.iter().all(wins);
        if same && fold.seed() == winners.seed { Ok(winners) } else { Err(Fault::damaged()) }
    }
}

/// An account's id and its JSON.
pub(crate) type SavedAccount<'a> = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>);

/// The list of one pull so far, and its accounts if they were kept.
#[pyclass(frozen, module = "qopen", name = "Fold")]
#[derive(Debug)]
pub(crate) struct SharedFold {
    pub(crate) key: PullKey,
    pub(crate) fold: Arc<Fold>,
    pub(crate) winners: Winners,
}

/// The version of the saved form.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<'a, F> {
    version: u32,
    key: PullKey,
    fold: F,
    #[serde(borrow)]
    accounts: Vec<SavedAccount<'a>>,
}

impl SharedFold {
    fn merged(&self, other: &Self) -> Result<Self, Fault> {
        let mut fold = Fold::clone(&self.fold);
        fold.merge(&other.fold).map_err(|error| Fault::pull("pull_mismatch", &error))?;
        let mut winners = self.winners.clone();
        winners.extend(other.winners.iter());
        Ok(Self { key: self.key.clone(), fold: fold.into(), winners })
    }

    fn restore(data: &[u8]) -> Result<Self, Fault> {
        errors::check_version(data, VERSION)?;
        let saved: Saved<'_, Fold> = serde_json::from_slice(data).map_err(|_| Fault::damaged())?;
        let winners = Winners::from_saved(&saved.key, &saved.fold, &saved.accounts)?;
        Ok(Self { key: saved.key, fold: saved.fold.into(), winners })
    }
}

#[pymethods]
impl SharedFold {
    #[getter]
    fn robot(&self) -> &str {
        self.key.robot()
    }

    #[getter]
    fn mark(&self) -> &str {
        self.key.mark()
    }

    #[getter]
    fn pages(&self) -> usize {
        self.fold.pages()
    }

    /// The accounts so far, sorted by their ids.
    fn accounts(&self, py: Python<'_>) -> Vec<Account> {
        py.detach(|| self.winners.sorted())
    }

    /// Returns the fold of what both have seen.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<Self> {
        let other = other.get();
        py.detach(|| self.merged(other)).map_err(|fault| fault.raise(py))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = || {
            let accounts = self.winners.to_saved();
            let (key, fold) = (self.key.clone(), &*self.fold);
            serde_json::to_vec(&Saved { version: VERSION, key, fold, accounts })
        };
        let saved = py.detach(saved).map_err(|error| errors::value(&error))?;
        Ok(PyBytes::new(py, &saved))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        py.detach(|| Self::restore(data)).map_err(|fault| fault.raise(py))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let Ok(other) = other.cast::<Self>() else { return false };
        let other = other.get();
        // Equal folds have the same accounts and contents, if these were kept.
        self.key == other.key
            && *self.fold == *other.fold
            && self.winners.accounts.len() == other.winners.accounts.len()
    }

    fn __repr__(&self) -> String {
        let (pages, accounts) = (self.fold.pages(), self.fold.accounts());
        format!("<qopen.Fold of {}, {pages} pages, {accounts} accounts>", self.key)
    }
}
