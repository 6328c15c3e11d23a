//! Delivery of what waits: events of the platform to the forwarder, messages to their listeners.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use qopen::ForwardListener;
use qopen::engine::{DeliveryError, EventListener};
use qopen::http::WebhookError;

use super::endpoints::Endpoints;
use super::message::Envelope;
use crate::lang::{Phrase, Text, phrase};
use crate::say::tell;

/// HTTP 410: the listener wants no further messages.
const GONE: u16 = 410;

const MESSAGE: Text = Text::new("a message", "一条消息");

/// The receiver of everything that waits.
pub(crate) struct Delivery {
    pub(crate) forwarder: Option<ForwardListener>,
    pub(crate) endpoints: Endpoints,
    pub(crate) counts: Arc<DeliveryCounts>,
}

/// Counts of events and of messages. The queue counts both as one.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounts {
    forwarded: AtomicU64,
    not_forwarded: AtomicU64,
    delivered: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
}

impl DeliveryCounts {
    /// Events that were forwarded.
    pub(crate) fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Failed attempts to forward an event.
    pub(crate) fn not_forwarded(&self) -> u64 {
        self.not_forwarded.load(Ordering::Relaxed)
    }

    /// Messages that their listeners accepted.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Failed attempts to deliver a message.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts a message that was not queued.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that were not queued.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Messages that no listener wants.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A message that was not delivered.
#[derive(Debug)]
struct NotDelivered {
    title: String,
    error: WebhookError,
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.error)
    }
}

impl Error for NotDelivered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl Delivery {
    async fn send(&self, message: &Envelope) -> Result<(), DeliveryError> {
        let Some(endpoint) = self.endpoints.find(&message.to) else {
            let why = Text::new(
                "its [[webhook]] is no longer in the settings",
                "其 [[webhook]] 已不在设置中",
            );
            self.drop_message(MESSAGE, why);
            return Ok(());
        };
        match endpoint.webhook.send(&message.id, message.body.as_bytes()).await {
            Ok(()) => {
                self.counts.delivered.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(WebhookError::NotAccepted { status: GONE, .. }) => {
                let message = phrase!("a message of {it}", "{it} 的一条消息", it = endpoint.title);
                let why = Text::new(
                    "its listener answered with HTTP status 410",
                    "其监听器以 HTTP 状态 410 应答",
                );
                self.drop_message(message, why);
                Ok(())
            }
            Err(error) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                // Not as unreachable: that would pause the queue for events and for other listeners, too.
                Err(DeliveryError::new(NotDelivered { title: endpoint.title.clone(), error }))
            }
        }
    }

    fn drop_message(&self, message: impl Into<Phrase>, why: Text) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        tell!(
            "{message} was dropped: {why}",
            "已丢弃{message}：{why}",
            message = message.into(),
            why = why,
        );
    }
}

#[async_trait]
impl EventListener for Delivery {
    async fn deliver(&self, event: &[u8]) -> Result<(), DeliveryError> {
        match Envelope::of(event) {
            Some(Ok(message)) => return self.send(&message).await,
            Some(Err(_)) => {
                self.drop_message(MESSAGE, Text::new("it cannot be read", "无法读取"));
                return Ok(());
            }
            None => {}
        }
        let forwarded = match &self.forwarder {
            Some(forwarder) => forwarder.deliver(event).await,
            None => Err(DeliveryError::new("an event waits for --forward URL")),
        };
        let count = match forwarded {
            Ok(()) => &self.counts.forwarded,
            Err(_) => &self.counts.not_forwarded,
        };
        count.fetch_add(1, Ordering::Relaxed);
        forwarded
    }
}
