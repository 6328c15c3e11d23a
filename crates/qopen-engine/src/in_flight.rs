//! A request in flight: cancelled when its caller goes away.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use qopen_journal::{Journal, Note, PullId};
use tokio::task::AbortHandle;
use tracing::{Instrument as _, Span};

use crate::cancel::CancelOnDrop;
use crate::handle::DriverHandle;
use crate::held_claim::{self, Generation, HeldClaim};
use crate::requester::{RequestError, Requester};

/// A pull that is being started. Dropping it cancels the pull.
pub(crate) struct InFlight {
    pub(crate) id: PullId,
    pub(crate) generation: Generation,
    pub(crate) cancel: CancelOnDrop,
    driver: DriverHandle,
    sending: Arc<Mutex<Option<AbortHandle>>>,
}

impl InFlight {
    pub(crate) fn new(driver: DriverHandle, id: PullId, generation: Generation) -> Self {
        let sending = Arc::new(Mutex::new(None));
        let cancel = cancel(driver.clone(), id.clone(), generation, Arc::clone(&sending));
        Self { id, generation, cancel, driver, sending }
    }

    /// Sends the request in the background.
    pub(crate) fn send(
        &self,
        requester: Arc<dyn Requester>,
        journal: Arc<dyn Journal>,
        held_claim: Option<Arc<HeldClaim>>,
        need_tag_info: bool,
        span: Span,
    ) {
        let sending = Sending {
            requester,
            journal,
            held_claim,
            driver: self.driver.clone(),
            id: self.id.clone(),
            generation: self.generation,
        };
        let task = tokio::spawn(sending.run(need_tag_info).instrument(span));
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }
}

/// Cancels the pull, and with it the request, when it is called or dropped.
fn cancel(
    driver: DriverHandle,
    id: PullId,
    generation: Generation,
    sending: Arc<Mutex<Option<AbortHandle>>>,
) -> CancelOnDrop {
    CancelOnDrop::new(move || {
        if let Some(task) = sending.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        driver.cancel(id.clone(), generation);
    })
}

struct Sending {
    requester: Arc<dyn Requester>,
    journal: Arc<dyn Journal>,
    held_claim: Option<Arc<HeldClaim>>,
    driver: DriverHandle,
    id: PullId,
    generation: Generation,
}

impl Sending {
    async fn run(self, need_tag_info: bool) {
        let Self { requester, journal, held_claim, driver, id, generation } = self;
        let asked = async { requester.request(&id, need_tag_info).await };
        let answer = AssertUnwindSafe(asked).catch_unwind().await;
        // Without an answer the pull would wait for one until its deadline.
        let panicked = |_| Err(RequestError::new("the requester panicked").arrived_perhaps(true));
        let serial_no = match answer.unwrap_or_else(panicked) {
            Ok(serial_no) => serial_no,
            Err(error) => {
                let outcome = if error.is_refusal() { "refused" } else { "not_sent" };
                Span::current().record("outcome", outcome);
                return driver.not_sent(id, generation, error);
            }
        };
        Span::current().record("outcome", "accepted");
        tracing::info!(pull = %id, serial_no, "request accepted");
        let note = Note::Accepted { serial_no };
        if let Err(error) = held_claim::note(&*journal, held_claim.as_ref(), &id, note).await {
            // At worst the request is sent again, under the same mark.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(pull = %id, error, "the acceptance was not journaled");
        }
        driver.accepted(id, generation);
    }
}
