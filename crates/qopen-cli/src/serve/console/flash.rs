//! Messages that a page shows once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::session::{Random, SessionKey};

/// A message that a page shows once.
#[derive(Clone)]
pub(super) struct Flash {
    pub(super) message: String,
    pub(super) is_problem: bool,
}

/// Maximum number of messages that wait.
const FLASHES: usize = 64;

/// Messages that wait for their page. A message belongs to a session.
#[derive(Default)]
pub(super) struct Flashes(Mutex<VecDeque<(Random, Option<SessionKey>, Flash)>>);

impl Flashes {
    pub(super) fn keep(
        &self,
        flash: Flash,
        of: Option<SessionKey>,
    ) -> Result<Random, getrandom::Error> {
        let id = Random::new()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= FLASHES {
            waiting.pop_front();
        }
        waiting.push_back((id.clone(), of, flash));
        Ok(id)
    }

    pub(super) fn take(&self, id: &str, of: Option<SessionKey>) -> Option<Flash> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(it, session, _)| it.is(id) && *session == of)?;
        waiting.remove(at).map(|(_, _, flash)| flash)
    }
}
