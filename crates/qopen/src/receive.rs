//! Passes callbacks from the receiver to the engine, and other events to their handler.

use std::sync::Arc;

use async_trait::async_trait;
use qopen_callback::receiver::{self, HandlerError, Received, Undecrypted};
use qopen_engine::{Accepted, Incoming, Intake, NotKept, RefusalSource, Refused};
use qopen_journal::Payload;
use qopen_types::EventType;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::other_events::{EventContent, Observer, OtherEvent, OtherEventHandler};

/// Other events in flight at once. Far fewer than the connections of one peer, so that a listener
/// that hangs leaves connections for pages.
const OTHERS: usize = 32;

/// Passes opened callbacks to the engine, each in a task of its own: the platform may hang up
/// without stopping it half-way. The task holds the body's memory until it is done.
#[derive(Clone)]
pub(crate) struct Handler {
    intake: Intake,
    other_events: Option<Arc<dyn OtherEventHandler>>,
    observer: Option<Observer>,
    others: Arc<Semaphore>,
}

#[async_trait]
impl receiver::Handler for Handler {
    async fn account_list(&self, received: Received) -> Result<(), HandlerError> {
        let handler = self.clone();
        let (callback, body) = received.into_callback_and_body();
        let signed_at = callback.signed_at();
        let payload = Payload::new(callback.into_payload());
        let incoming = Incoming::new(payload.clone()).signed_at(signed_at);
        apart(async move {
            let Some(other_events) = &handler.other_events else {
                let _room = body.into_room();
                let payload = handler.observer.is_some().then_some(payload);
                let accepted = handler.intake.accept(incoming).await.map_err(handler_error)?;
                if let (Accepted::Other(event_type), Some(payload)) = (accepted, payload) {
                    handler.observe(&EventContent::new(event_type, payload));
                }
                return Ok(());
            };
            let (event_type, external) = match handler.intake.accept(incoming).await {
                Ok(Accepted::Other(event_type)) => (event_type, false),
                Ok(Accepted::External(_)) => (EventType::ROBOT_ACCOUNT_LIST, true),
                taken => return taken.map(drop).map_err(handler_error),
            };
            let content = EventContent::new(event_type, payload);
            let event = OtherEvent::new(content.clone(), body);
            handler.hand_on(&**other_events, event).await.map_err(|error| match error {
                HandlerError::Unavailable => HandlerError::Declined,
                _ if external => HandlerError::Declined,
                error => error,
            })?;
            if !external {
                handler.observe(&content);
            }
            Ok(())
        })
        .await
    }

    async fn other(&self, _: EventType, received: Received) -> Result<(), HandlerError> {
        self.account_list(received).await
    }

    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), HandlerError> {
        let intake = self.intake.clone();
        apart(async move {
            let content = Payload::new(callback.encoding_content());
            let reason = chain(callback.error());
            intake.accept_undecrypted(content, reason).await.map(drop).map_err(handler_error)
        })
        .await
    }
}

impl Handler {
    pub(crate) fn new(
        intake: Intake,
        other_events: Option<Arc<dyn OtherEventHandler>>,
        observer: Option<Observer>,
    ) -> Self {
        Self { intake, other_events, observer, others: Arc::new(Semaphore::new(OTHERS)) }
    }

    fn observe(&self, event: &EventContent) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    /// Passes on an event that is no page of a pull here: no list lacks it if the handler refuses
    /// it.
    async fn hand_on(
        &self,
        other_events: &dyn OtherEventHandler,
        event: OtherEvent,
    ) -> Result<(), HandlerError> {
        let Ok(_place) = self.others.try_acquire() else {
            let event_type = event.event_type();
            tracing::debug!(%event_type, "as many events are handed on as may be at once");
            return Err(HandlerError::Declined);
        };
        other_events.handle(event).await
    }
}

/// Runs work in a task of its own, which goes on when the platform hangs up.
async fn apart<W>(work: W) -> Result<(), HandlerError>
where
    W: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    // The task ends early only if the runtime does.
    tokio::spawn(work).await.unwrap_or(Err(HandlerError::Unavailable))
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn handler_error(error: NotKept) -> HandlerError {
    match error {
        NotKept::Declined => HandlerError::Declined,
        _ => HandlerError::Unavailable,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The refusals of the receiver and its listeners, as the engine reads them.
pub(crate) struct Refusals(pub(crate) qopen_callback::Refusals);

#[async_trait]
impl RefusalSource for Refusals {
    fn refused(&self) -> Refused {
        let refused = self.0.get();
        Refused::new(refused.count, refused.last.map(Instant::into_std))
    }

    async fn more_than(&self, count: u64) {
        // `self` holds the sender.
        let _ = self.0.watch().wait_for(|refused| refused.count > count).await;
    }
}
