//! Webhooks: signed messages about lists and robots, through the durable queue of events.

mod delivery;
mod message;

use std::collections::BTreeSet;
use std::sync::Arc;

use qopen::engine::ServiceEvent;
use qopen::http::Webhook;
use qopen::types::Digest;
use qopen::{ForwardQueue, Outcome};

use super::arrivals::Arrivals;
use crate::exit::{Failure, chain};
use crate::robot_events::RobotLogout;
use crate::say::say;
use crate::settings::Settings;
use crate::settings::webhook::Topic;
pub(super) use delivery::{Delivery, DeliveryCounts};
use message::{Body, Envelope};

/// The listeners of the settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints(Arc<Vec<Endpoint>>);

#[derive(Debug)]
struct Endpoint {
    /// A digest of the URL, which may have a password: messages that wait name their listener by it.
    name: String,
    topics: BTreeSet<Topic>,
    webhook: Webhook,
}

impl Endpoints {
    /// Reads the listeners of the settings.
    ///
    /// # Errors
    /// An entry cannot be used.
    pub(super) fn of(settings: &Settings) -> Result<Self, Failure> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (title, entry) in examine(settings) {
            let endpoint = entry.map_err(|why| Failure::usage(format!("{title}: {why}")))?;
            if endpoints.iter().any(|it| it.name == endpoint.name) {
                return Err(Failure::usage(format!(
                    "{title}: an earlier [[webhook]] has the same url; name all its events there"
                )));
            }
            endpoints.push(endpoint);
        }
        Ok(Self(Arc::new(endpoints)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Endpoint> {
        self.0.iter().find(|it| it.name == name)
    }
}

/// Returns each webhook of the settings with its title.
fn examine(settings: &Settings) -> Vec<(String, Result<Endpoint, String>)> {
    let endpoint = |entry: &crate::settings::webhook::Entry| {
        let webhook = settings.webhook(entry).map_err(|failure| failure.to_string())?;
        let name = Digest::of(entry.url.expose().as_bytes()).to_string();
        Ok(Endpoint { name, topics: entry.topics.clone(), webhook })
    };
    let examined = settings.webhooks.iter().map(|found| {
        let entry = found.entry.as_ref().map_err(Clone::clone).and_then(endpoint);
        (format!("[[webhook]] {}", found.number), entry)
    });
    examined.collect()
}

/// Checks each webhook for `qopen doctor`.
pub(crate) fn examine_webhooks(settings: &Settings) -> Vec<(String, Result<String, Failure>)> {
    let described = |endpoint: Endpoint| {
        let topics: Vec<_> = endpoint.topics.iter().map(|it| it.as_str()).collect();
        format!("URL and secret are valid; {}", topics.join(", "))
    };
    let examined = examine(settings).into_iter();
    examined.map(|(title, it)| (title, it.map(described).map_err(Failure::usage))).collect()
}

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
        if let Some((topic, outcome, body)) =
            message::of_list(event, &arrivals.came(), &self.control)
        {
            self.queue(topic, &id(topic, outcome), body);
        }
    }

    /// Queues the message of a logout.
    pub(super) fn of_logout(&self, logout: &RobotLogout) {
        let body = message::of_logout(logout);
        // Each logout is another one.
        let id = Digest::of(&body.to_bytes()).to_string();
        self.queue(Topic::LoggedOut, &id, body);
    }

    /// Queues a message for each listener of its topic, in a task of its own.
    fn queue(&self, topic: Topic, id: &str, body: Body) {
        let body = body.to_bytes();
        let wanted = self.names(topic);
        for name in wanted {
            let envelope = Envelope::new(name, id, &body).to_bytes();
            let Self { queue, counts, .. } = self.clone();
            tokio::spawn(async move {
                if let Err(error) = queue.put(&envelope).await {
                    counts.lose();
                    say!("qopen: {}", chain(&format!("a message {topic} is lost"), &error));
                }
            });
        }
    }

    fn names(&self, topic: Topic) -> Vec<String> {
        let wanted = self.endpoints.0.iter().filter(|it| it.topics.contains(&topic));
        wanted.map(|it| it.name.clone()).collect()
    }
}

/// The id of a message: the same message has the same id in every process.
fn id(topic: Topic, outcome: &Outcome) -> String {
    let pull = outcome.list.id();
    let revision = outcome.list.revision();
    Digest::of(format!("{topic} {} {} {revision}", pull.robot_id, pull.mark_id).as_bytes())
        .to_string()
}
