//! The listeners of the settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use qopen::http::Webhook;
use qopen::types::Digest;

use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::settings::Settings;
use crate::settings::webhook::{Entry, Topic};

/// The listeners of the settings.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Endpoints(Arc<Vec<Endpoint>>);

#[derive(Debug)]
pub(super) struct Endpoint {
    /// `[[webhook]]` and its number.
    pub(super) title: String,
    /// A digest of the URL, which may have a password: messages that wait name their listener by it.
    name: String,
    topics: BTreeSet<Topic>,
    pub(super) webhook: Webhook,
}

impl Endpoints {
    /// Reads the listeners of the settings.
    ///
    /// # Errors
    /// An entry cannot be used.
    pub(in crate::serve) fn of(settings: &Settings) -> Result<Self, Failure> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (title, entry) in examine(settings) {
            let endpoint =
                entry.map_err(|why| Failure::usage(Phrase::about(title.to_string(), why)))?;
            if endpoints.iter().any(|it| it.name == endpoint.name) {
                return Err(Failure::usage(phrase!(
                    "{title}: an earlier [[webhook]] has the same url; name all its events there",
                    "{title}：之前的 [[webhook]] 已有相同的 url；请在那里写明全部事件",
                    title = title,
                )));
            }
            endpoints.push(endpoint);
        }
        Ok(Self(Arc::new(endpoints)))
    }

    pub(in crate::serve) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Endpoint> {
        self.0.iter().find(|it| it.name == name)
    }

    /// The names of those that want messages of a topic.
    pub(super) fn of_topic(&self, topic: Topic) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |it| it.topics.contains(&topic)).map(|it| &*it.name)
    }
}

/// Returns each webhook of the settings with its title.
fn examine(settings: &Settings) -> Vec<(String, Result<Endpoint, Phrase>)> {
    let endpoint = |title: &str, entry: &Entry| {
        let webhook = settings.webhook(entry).map_err(|failure| failure.message().clone())?;
        let name = Digest::of(entry.url.expose().as_bytes()).to_string();
        Ok(Endpoint { title: title.to_owned(), name, topics: entry.topics.clone(), webhook })
    };
    let examined = settings.webhooks.iter().map(|found| {
        let title = format!("[[webhook]] {}", found.number);
        let entry = found.entry.as_ref().map_err(Clone::clone);
        let entry = entry.and_then(|it| endpoint(&title, it));
        (title, entry)
    });
    examined.collect()
}

/// Checks each webhook for `qopen doctor`.
pub(crate) fn examine_webhooks(settings: &Settings) -> Vec<(String, Result<Phrase, Failure>)> {
    let described = |endpoint: Endpoint| {
        let topics: Vec<_> = endpoint.topics.iter().map(|it| it.as_str()).collect();
        phrase!(
            "URL and secret are valid; {topics}",
            "地址与密钥有效；{topics}",
            topics = topics.join(", "),
        )
    };
    let examined = examine(settings).into_iter();
    examined.map(|(title, it)| (title, it.map(described).map_err(Failure::usage))).collect()
}
