//! Keeps callbacks before they are answered.

use std::sync::Arc;

use async_trait::async_trait;
use qopen::callback::Keyring;
use qopen::callback::receiver::{Handler, HandlerError, Received, ReceivedBody, Undecrypted};
use qopen::engine::{Accepted, Incoming, Intake, NotKept};
use qopen::journal::{Payload, Store};
use qopen::types::EventType;
use tokio::sync::mpsc;

use crate::exit::chain;
use crate::explain::Steps;
use crate::lang::Text;

/// Events that wait to be forwarded, at most: the default of `serve --forward-queue`.
const EVENTS: u64 = 10_000;

/// Keeps what `qopen serve` keeps, and other events for its `--forward`.
#[derive(Clone)]
pub(super) struct Keeper {
    intake: Intake,
    journal: Arc<dyn Store>,
    tell: mpsc::Sender<Genuine>,
}

/// A callback whose signature holds, and which was kept.
pub(super) struct Genuine {
    content: Content,
    place: Text,
}

enum Content {
    Body(ReceivedBody),
    /// The steps of one that no key decrypts.
    Undecrypted(Steps),
}

impl Keeper {
    pub(super) fn new(
        intake: Intake,
        journal: Arc<dyn Store>,
        tell: mpsc::Sender<Genuine>,
    ) -> Self {
        Self { intake, journal, tell }
    }

    async fn keep(self, received: Received) -> Result<(), HandlerError> {
        let (callback, body) = received.into_callback_and_body();
        let signed_at = callback.signed_at();
        let incoming = Incoming::new(Payload::new(callback.into_payload())).signed_at(signed_at);
        let place = match self.intake.accept(incoming).await.map_err(refusal)? {
            Accepted::Page => Text::new(
                "kept with its pull, which the journal knows",
                "已归入其拉取，持久化存储中有该拉取",
            ),
            Accepted::Report => Text::new(
                "noted with its pull, if the journal knows that",
                "已记入其拉取（如果持久化存储中有该拉取）",
            ),
            Accepted::Quarantined => Text::new(
                "kept in quarantine; `qopen quarantine list` shows it, and why",
                "已隔离；`qopen quarantine list` 显示该项及原因",
            ),
            _ => {
                self.put(body.as_bytes()).await?;
                Text::new(
                    "kept to be forwarded; `qopen serve --forward URL` does that",
                    "已保存待转发；由 `qopen serve --forward URL` 转发",
                )
            }
        };
        self.tell(Content::Body(body), place);
        Ok(())
    }

    async fn keep_undecrypted(self, callback: Undecrypted) -> Result<(), HandlerError> {
        let content = Payload::new(callback.encoding_content());
        let kept = self.intake.accept_undecrypted(content, chain("", callback.error())).await;
        kept.map_err(refusal)?;
        let mut steps = Steps::default();
        steps.opening_failed(callback.error());
        let place = Text::new(
            "kept in quarantine; correct the key, then `qopen quarantine retry` reads it",
            "已隔离；更正密钥后，用 `qopen quarantine retry` 读取",
        );
        self.tell(Content::Undecrypted(steps), place);
        Ok(())
    }

    /// Keeps another event with the envelope in which it came.
    async fn put(&self, event: &[u8]) -> Result<(), HandlerError> {
        let waiting = self.journal.backlog().await.map_err(|_| HandlerError::Unavailable)?;
        if waiting.events >= EVENTS {
            return Err(HandlerError::Declined);
        }
        let put = self.journal.put(Payload::new(event)).await;
        put.map(drop).map_err(|_| HandlerError::Unavailable)
    }

    fn tell(&self, content: Content, place: Text) {
        // No answer waits for an explanation.
        let _ = self.tell.try_send(Genuine { content, place });
    }
}

#[async_trait]
impl Handler for Keeper {
    async fn account_list(&self, received: Received) -> Result<(), HandlerError> {
        apart(self.clone().keep(received)).await
    }

    async fn other(&self, _: EventType, received: Received) -> Result<(), HandlerError> {
        apart(self.clone().keep(received)).await
    }

    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), HandlerError> {
        apart(self.clone().keep_undecrypted(callback)).await
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
fn refusal(error: NotKept) -> HandlerError {
    match error {
        NotKept::Declined => HandlerError::Declined,
        _ => HandlerError::Unavailable,
    }
}

impl Genuine {
    /// Returns the lines of its explanation, and whether a step of it failed.
    pub(super) fn explanation(self, ring: &Keyring) -> (Vec<String>, bool) {
        let mut steps = match self.content {
            Content::Body(body) => Steps::of(body.as_bytes(), ring),
            Content::Undecrypted(steps) => steps,
        };
        let failed = steps.failed();
        steps.kept(self.place);
        (steps.into_lines(), failed)
    }
}
