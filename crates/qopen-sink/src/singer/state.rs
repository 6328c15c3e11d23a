//! The state of earlier messages.

use qopen_types::PullId;
use serde_json::{Map, Value, json};

/// The stream of all robots' customers. No name from outside chooses a table of a target.
pub(super) const STREAM: &str = "robot_account";

/// What earlier messages told a target: the greatest version, and the robots with their last lists.
///
/// As JSON it is the value of a `STATE` message: `{"bookmarks": {"robot_account": {"version": …, "robots": {ROBOT:
/// {"mark_id": …, "version": …, "revision": …, "accounts": …}}}}}`. Other bookmarks are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SingerState(Map<String, Value>);

impl SingerState {
    /// Reads the value of a `STATE` message, or the message itself. `None` if the text is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Ok(Value::Object(mut state)) = serde_json::from_str(text) else { return None };
        if state.get("type").is_some_and(|it| it == "STATE") {
            let Some(Value::Object(value)) = state.remove("value") else { return None };
            state = value;
        }
        let is_object = |it: Option<&Value>| it.is_none_or(Value::is_object);
        let bookmarks = state.get("bookmarks");
        let own = bookmarks.and_then(|it| it.get(STREAM));
        let robots = own.and_then(|it| it.get("robots"));
        let is_ours = [bookmarks, own, robots].into_iter().all(is_object);
        is_ours.then_some(Self(state))
    }

    /// The greatest version of the messages; 0 without any.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.own().and_then(|it| it.get("version")).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Adds the last list of a robot, unless the state has a later one.
    pub fn add(&mut self, pull: &PullId, version: u64, revision: u32, accounts: u64) {
        let mut robots = self.robots();
        let known = robots.get(pull.robot_id.as_str()).and_then(|it| it.get("version"));
        if known.and_then(Value::as_u64).is_some_and(|known| known >= version) {
            return;
        }
        let bookmark = bookmark(pull.mark_id.as_str(), version, revision, accounts);
        robots.insert(pull.robot_id.to_string(), bookmark);
        let greatest = self.version().max(version);
        if let Value::Object(state) = std::mem::take(self).with(greatest, robots) {
            self.0 = state;
        }
    }

    fn own(&self) -> Option<&Map<String, Value>> {
        self.0.get("bookmarks")?.get(STREAM)?.as_object()
    }

    pub(super) fn robots(&self) -> Map<String, Value> {
        let robots = self.own().and_then(|it| it.get("robots")).and_then(Value::as_object);
        robots.cloned().unwrap_or_default()
    }

    pub(super) fn with(mut self, version: u64, robots: Map<String, Value>) -> Value {
        let bookmarks = self.0.entry("bookmarks").or_insert_with(|| json!({}));
        // Parsing refuses bookmarks that are no object.
        if let Some(bookmarks) = bookmarks.as_object_mut() {
            bookmarks.insert(STREAM.to_owned(), json!({ "version": version, "robots": robots }));
        }
        Value::Object(self.0)
    }
}

/// A robot's last list.
pub(super) fn bookmark(mark_id: &str, version: u64, revision: u32, accounts: u64) -> Value {
    json!({ "mark_id": mark_id, "version": version, "revision": revision, "accounts": accounts })
}
