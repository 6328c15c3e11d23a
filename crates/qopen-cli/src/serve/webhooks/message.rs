//! Messages: what they say, and how they wait.

use std::time::SystemTime;

use qopen::engine::ServiceEvent;
use qopen::journal::{EndState, Note, PullId, PullState};
use qopen::sink::ListKind;
use qopen::types::Digest;
use qopen::{Outcome, PublishError, Published};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::journal::time;
use crate::kept::pull::PullName;
use crate::lang::Phrase;
use crate::pull::add_written;
use crate::report::{Came, Summary};
use crate::robot_events::RobotLogout;
use crate::settings::webhook::Topic;
use crate::topics::lists;

/// What a message in the queue begins with. No callback does: its envelope is JSON.
const MAGIC: &[u8] = b"\0qopen webhook\n";

/// A message with its listener, as it waits.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) to: String,
    pub(super) id: String,
    /// JSON.
    pub(super) body: String,
}

impl Envelope {
    pub(super) fn new(to: &str, id: &str, body: &str) -> Self {
        Self { to: to.to_owned(), id: format!("msg_{id}"), body: body.to_owned() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        // Plain data always encodes.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes
    }

    /// Reads what waits; `None` if it is an event of the platform.
    pub(super) fn of(bytes: &[u8]) -> Option<serde_json::Result<Self>> {
        bytes.strip_prefix(MAGIC).map(serde_json::from_slice)
    }
}

/// The body of a message.
pub(super) struct Body(Value);

impl Body {
    fn new(topic: Topic, data: Value) -> Self {
        let now = time(SystemTime::now());
        Self(json!({ "type": topic.as_str(), "timestamp": now, "data": data }))
    }

    pub(super) fn to_json(&self) -> String {
        self.0.to_string()
    }
}

/// The message of a list.
pub(super) struct ListMessage {
    pub(super) topic: Topic,
    /// The same message has the same id in every process.
    pub(super) id: String,
    pub(super) body: Body,
}

impl ListMessage {
    /// Returns the message of an event of the service.
    pub(super) fn of(event: &ServiceEvent<'_>, came: &Came, control: &str) -> Option<Self> {
        if let ServiceEvent::StillHeld { held, .. } = event {
            return Self::of_held(held, control);
        }
        let (topic, outcome, written) = topic_of(event)?;
        let mut summary = Summary::of(outcome, came);
        let kind = match outcome.status.is_complete() {
            true => ListKind::Complete,
            false => ListKind::Partial,
        };
        if let Some(written) = written {
            add_written(&mut summary, outcome, kind, written);
        }
        if matches!(event, ServiceEvent::NotConfirmed { .. }) {
            let why = Phrase::same("no two consecutive lists have the same customers");
            summary.keep_back_decided(&lists::NOT_CONFIRMED, why);
        }
        let mut data = json!({
            "status": summary.status,
            "accounts": summary.accounts,
            "pages": summary.pages,
            "revision": summary.revision,
        });
        let optional = [
            ("basis", summary.basis.map(Value::from)),
            ("evidence", summary.evidence.and_then(|it| serde_json::to_value(it).ok())),
            ("changes", summary.changes.and_then(|it| serde_json::to_value(it).ok())),
            ("why", summary.error.map(|it| it.english().into())),
            ("explain", summary.topic.map(|it| it.name.into())),
            ("output", summary.output.map(Value::from)),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                data[key] = value;
            }
        }
        let list = &outcome.list;
        Some(Self::new(topic, list.id(), list.revision(), data, control))
    }

    /// Returns the message of a list that no pull confirmed.
    fn of_held(held: &PullState, control: &str) -> Option<Self> {
        let Note::Held { revision, pages, .. } = held.held()?.note else { return None };
        let Note::Ended { accounts, .. } = held.ended()?.note else { return None };
        let data = json!({
            "status": EndState::Incomplete,
            "accounts": accounts,
            "pages": pages,
            "revision": revision,
            "why": "no pull confirmed the list",
        });
        Some(Self::new(Topic::Held, &held.pull, revision, data, control))
    }

    fn new(topic: Topic, pull: &PullId, revision: u32, mut data: Value, control: &str) -> Self {
        let PullId { robot_id, mark_id } = pull;
        let id = format!("{topic} {robot_id} {mark_id} {revision}");
        data["robot_id"] = robot_id.as_str().into();
        data["mark_id"] = mark_id.as_str().into();
        let list = PullName::from(pull).path("/accounts");
        data["list_url"] = format!("{control}{list}").into();
        Self { topic, id: Digest::of(id.as_bytes()).to_string(), body: Body::new(topic, data) }
    }
}

/// A written list, or the reason why it was not written.
type Written<'a> = Result<&'a Published, &'a PublishError>;

/// Returns what an event is about; `None` if no message tells it.
fn topic_of<'a>(event: &ServiceEvent<'a>) -> Option<(Topic, &'a Outcome, Option<Written<'a>>)> {
    match *event {
        ServiceEvent::Published { outcome, published } => {
            let topic = match outcome.status.is_complete() {
                true => Topic::Published,
                false => Topic::Incomplete,
            };
            Some((topic, outcome, Some(Ok(published))))
        }
        ServiceEvent::Ended { outcome } if !outcome.status.is_complete() => {
            Some((Topic::Incomplete, outcome, None))
        }
        ServiceEvent::NotConfirmed { outcome, .. } => Some((Topic::Held, outcome, None)),
        // The last list stays until a person acts.
        ServiceEvent::NotPublished { outcome, error } => match error {
            PublishError::Superseded { .. } => None,
            error if error.is_final() => Some((Topic::Held, outcome, Some(Err(error)))),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the message of a logout.
pub(super) fn of_logout(logout: &RobotLogout) -> Body {
    let RobotLogout { robot, reason } = logout;
    let robot = robot.as_ref().map(ToString::to_string);
    Body::new(Topic::LoggedOut, json!({ "robot_id": robot, "why": reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waits_is_told_from_every_event() {
        let envelope = Envelope::new("to", "1", "{\"type\":\"list.held\"}");
        let read = Envelope::of(&envelope.to_bytes()).unwrap().unwrap();
        assert_eq!(
            (&*read.to, &*read.id, &*read.body),
            ("to", "msg_1", "{\"type\":\"list.held\"}")
        );
        for event in [&b"{\"encoding_content\":\"x\"}"[..], b"", b"\0", b"qopen webhook\n{}"] {
            assert!(Envelope::of(event).is_none());
        }
        assert!(Envelope::of(b"\0qopen webhook\n{").unwrap().is_err());
    }
}
