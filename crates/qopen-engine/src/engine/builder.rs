//! The builder of an engine.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Config, Timing};
use qopen_journal::{Journal, MemoryJournal};
use tokio::sync::mpsc;

use super::state::{Engine, Inner};
use crate::adoption::Adoption;
use crate::counts::EngineStats;
use crate::driver::Driver;
use crate::handle::DriverHandle;
use crate::intake::{ExternalPages, Intake};
use crate::known::KnownPulls;
use crate::refusals::{RefusalCount, RefusalSource};
use crate::requester::Requester;

/// Adopted pulls that wait for a caller.
const ADOPTED: usize = 256;

/// The error of building an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// `build` was called outside a tokio runtime, which the engine's driver needs.
    #[error("the engine cannot start: no tokio runtime; build it inside one")]
    NoRuntime,
}

/// Settings of an [`Engine`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct EngineBuilder {
    requester: Arc<dyn Requester>,
    journal: Option<Arc<dyn Journal>>,
    timing: Timing,
    retention: Duration,
    refusals: Option<Arc<dyn RefusalSource>>,
    external: ExternalPages,
}

impl EngineBuilder {
    /// Keeps pages in this journal. Default: in memory, which is not durable.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets when pulls end that have no timing of their own.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets how long ended pulls are remembered, so that late pages find them. Default 10 min.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the counter of refusals that pages may have suffered. Default: none.
    pub fn refusals(mut self, refusals: Arc<dyn RefusalSource>) -> Self {
        self.refusals = Some(refusals);
        self
    }

    /// Collects external pulls, which another system requested. One that the journal knows from an earlier
    /// process is collected when it is [resumed](Engine::resume). Pages may have come before the engine began: until
    /// one idle timeout later, an external pull settles with what is left of it. What another process keeps in the same
    /// journal does not reach an adopted pull: there, use [`keep_external_pages`](Self::keep_external_pages). Default:
    /// their pages go into quarantine.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.external.adopt = adopt;
        self
    }

    /// Keeps the pages of external pulls, which another system requested, for the
    /// [`Worker`](crate::Worker) that shares the journal. Default: as with [`adopt`](Self::adopt).
    pub fn keep_external_pages(mut self, keep: bool) -> Self {
        self.external.keep = keep;
        self
    }

    /// Returns the pages of external pulls, which another system requested, as
    /// [`Accepted::External`](crate::Accepted::External), unless a page may belong to an open pull.
    /// Default: as with [`adopt`](Self::adopt).
    pub fn return_external_pages(mut self, yes: bool) -> Self {
        self.external.return_to_caller = yes;
        self
    }

    /// Makes the engine and starts its driver.
    ///
    /// # Errors
    /// [`EngineError::NoRuntime`], outside a tokio runtime.
    pub fn build(self) -> Result<Engine, EngineError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| EngineError::NoRuntime)?;
        let journal = self.journal.unwrap_or_else(|| Arc::new(MemoryJournal::default()));
        let (driver, inbox) = DriverHandle::new();
        let (adopted, adoptions) = mpsc::channel(ADOPTED);
        let known = Arc::new(KnownPulls::default());
        let mut config = Config::default();
        config.retention = self.retention;
        let refusals = self.refusals.unwrap_or_else(|| Arc::new(RefusalCount::default()));
        let stats = EngineStats::default();
        runtime.spawn(Driver::run(
            config,
            Arc::clone(&journal),
            Arc::clone(&known),
            adopted,
            inbox,
            refusals,
            stats.clone(),
        ));
        let adoption = Adoption::new(self.timing);
        if self.external.adopt || self.external.keep {
            runtime.spawn(adoption.clone().look(Arc::clone(&journal)));
        }
        let intake = Intake::new(
            Arc::clone(&journal),
            driver.facts(),
            known,
            stats.clone(),
            self.external,
            adoption.clone(),
        );
        Ok(Engine::new(Inner {
            driver,
            intake,
            journal,
            requester: self.requester,
            stats,
            timing: self.timing,
            adoption,
            adoptions: tokio::sync::Mutex::new(adoptions),
        }))
    }
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder").field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts with the requester of lists.
    pub fn builder(requester: Arc<dyn Requester>) -> EngineBuilder {
        EngineBuilder {
            requester,
            journal: None,
            timing: Timing::default(),
            retention: Duration::from_secs(600),
            refusals: None,
            external: ExternalPages::default(),
        }
    }
}
