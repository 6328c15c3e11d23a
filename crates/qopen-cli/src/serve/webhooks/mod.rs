//! Webhooks: signed messages about lists and robots, through the durable queue of events.

mod delivery;
mod endpoints;
mod message;

use std::sync::Arc;

use qopen::ForwardQueue;
use qopen::engine::ServiceEvent;
use qopen::types::Digest;

use super::arrivals::Arrivals;
use crate::exit::chained;
use crate::lang::phrase;
use crate::robot_events::RobotLogout;
use crate::say::say;
use crate::settings::webhook::Topic;
pub(super) use delivery::{Delivery, DeliveryCounts};
pub(super) use endpoints::Endpoints;
pub(crate) use endpoints::examine_webhooks;
use message::{Body, Envelope, ListMessage};

/// Queues messages.
#[derive(Clone)]
pub(super) struct Webhooks {
    pub(super) endpoints: Endpoints,
    pub(super) queue: ForwardQueue,
    /// The control API's URL, without a path.
    pub(super) control: String,
    pub(super) counts: Arc<DeliveryCounts>,
}

impl Webhooks {
    /// Queues the message of an event of the service, if it has one.
    pub(super) fn of_list(&self, event: &ServiceEvent<'_>, arrivals: &Arrivals) {
        let message = ListMessage::of(event, &arrivals.came(), &self.control);
        if let Some(ListMessage { topic, id, body }) = message {
            self.queue(topic, &id, body);
        }
    }

    /// Queues the message of a logout.
    pub(super) fn of_logout(&self, logout: &RobotLogout) {
        let body = message::of_logout(logout);
        // Each logout is another one.
        let id = Digest::of(body.to_json().as_bytes()).to_string();
        self.queue(Topic::LoggedOut, &id, body);
    }

    /// Queues a message for each listener of its topic, in a task of its own.
    fn queue(&self, topic: Topic, id: &str, body: Body) {
        let body = body.to_json();
        for name in self.endpoints.of_topic(topic) {
            let envelope = Envelope::new(name, id, &body).to_bytes();
            let Self { queue, counts, .. } = self.clone();
            tokio::spawn(async move {
                if let Err(error) = queue.put(&envelope).await {
                    counts.lose();
                    let what = phrase!(
                        "a message {topic} is lost",
                        "丢失了一条 {topic} 消息",
                        topic = topic,
                    );
                    say!("qopen: {}", chained(what, &error).shown());
                }
            });
        }
    }
}
