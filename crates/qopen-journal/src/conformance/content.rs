//! A journal's content as text: what it was given, and what it must have then.
//!
//! Journals of earlier formats are kept with such a text, and are opened by every later version.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use serde::Deserialize;

use crate::{Layer, Note, PageRecord, Payload, PullId, Quarantined, Store};

/// The steps by which a journal got its content, each a line of JSON.
#[derive(Clone, Debug)]
pub struct Content(Vec<Step>);

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Step {
    Note { pull: Named, note: Box<Note> },
    Page { pull: Named, payload: String },
    Item { pull: Option<Named>, layer: String, reason: String, payload: String },
    Release { pull: Option<Named>, payload: String },
    Forget { pull: Named },
    Event { payload: String },
    Ack { payload: String },
}

/// A pull by its names.
#[derive(Clone, Debug, Deserialize)]
struct Named {
    robot_id: String,
    mark_id: String,
}

impl Named {
    fn id(&self) -> PullId {
        let (robot_id, mark_id) = (self.robot_id.parse(), self.mark_id.parse());
        PullId { robot_id: robot_id.unwrap(), mark_id: mark_id.unwrap() }
    }
}

/// All that a journal has, without times and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Notes and pages of each pull, in the order in which they came.
    pub pulls: BTreeMap<PullId, (Vec<Note>, Vec<String>)>,
    /// Items in quarantine: pull, layer, reason and payload.
    pub items: BTreeSet<(Option<PullId>, Layer, String, String)>,
    /// Events that wait to be forwarded.
    pub events: Vec<String>,
}

impl Kept {
    /// Reads a journal.
    ///
    /// # Panics
    /// If the journal cannot be read, or if a page is damaged.
    pub async fn of(journal: &dyn Store) -> Self {
        let mut kept = Self::default();
        for state in journal.pulls().await.unwrap() {
            assert!(state.damaged.is_empty(), "{} has lost pages", state.pull);
            let pages = journal.pages(&state.pull).await.unwrap();
            let pages: Vec<PageRecord> = pages.try_collect().await.unwrap();
            assert_eq!(state.pages, pages.len() as u64, "{}", state.pull);
            let notes = state.notes.into_iter().map(|it| it.note).collect();
            let pages = pages.iter().map(|it| text_of(&it.payload)).collect();
            kept.pulls.insert(state.pull, (notes, pages));
        }
        for item in journal.quarantined(None).await.unwrap() {
            let text = text_of(&item.payload);
            kept.items.insert((item.pull, item.layer, item.reason, text));
        }
        let events = journal.waiting(0, usize::MAX).await.unwrap();
        kept.events = events.iter().map(|it| text_of(&it.event)).collect();
        kept
    }
}

impl Content {
    /// Reads the steps of a text.
    ///
    /// # Panics
    /// If a line is no step.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Gives the steps to a journal, in their order.
    ///
    /// # Panics
    /// If the journal refuses one.
    pub async fn write(&self, journal: &dyn Store) {
        for step in &self.0 {
            let payload = |text: &String| Payload::new(text.as_str());
            match step {
                Step::Note { pull, note } => {
                    journal.note(&pull.id(), (**note).clone()).await.unwrap();
                }
                Step::Page { pull, payload: text } => {
                    journal.append(PageRecord::new(pull.id(), payload(text))).await.unwrap();
                }
                Step::Item { pull, layer, reason, payload: text } => {
                    let pull = pull.as_ref().map(Named::id);
                    let item = Quarantined::new(pull, layer_of(layer), reason, payload(text));
                    journal.quarantine(item).await.unwrap();
                }
                Step::Release { pull, payload: text } => {
                    let pull = pull.as_ref().map(Named::id);
                    let item = Quarantined::new(pull, Layer::Shape, "", payload(text));
                    journal.release(&item).await.unwrap();
                }
                Step::Forget { pull } => journal.forget(&pull.id()).await.unwrap(),
                Step::Event { payload: text } => drop(journal.put(payload(text)).await.unwrap()),
                Step::Ack { payload: text } => {
                    let waiting = journal.waiting(0, usize::MAX).await.unwrap();
                    let event = waiting.iter().find(|it| text_of(&it.event) == *text);
                    journal.ack(event.unwrap()).await.unwrap();
                }
            }
        }
    }

    /// What a journal has after these steps.
    ///
    /// # Panics
    /// If a step has a name or a layer that does not exist.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for step in &self.0 {
            match step.clone() {
                Step::Note { pull, note } => {
                    kept.pulls.entry(pull.id()).or_default().0.push(*note);
                }
                Step::Page { pull, payload } => {
                    let pages = &mut kept.pulls.entry(pull.id()).or_default().1;
                    if !pages.contains(&payload) {
                        pages.push(payload);
                    }
                }
                Step::Item { pull, layer, reason, payload } => {
                    let pull = pull.as_ref().map(Named::id);
                    if let Some(pull) = &pull {
                        kept.pulls.entry(pull.clone()).or_default();
                    }
                    kept.items.insert((pull, layer_of(&layer), reason, payload));
                }
                Step::Release { pull, payload } => {
                    let pull = pull.as_ref().map(Named::id);
                    kept.items.retain(|it| (&it.0, &it.3) != (&pull, &payload));
                }
                Step::Forget { pull } => {
                    kept.pulls.remove(&pull.id());
                    kept.items.retain(|it| it.0 != Some(pull.id()));
                }
                Step::Event { payload } => kept.events.push(payload),
                Step::Ack { payload } => kept.events.retain(|it| *it != payload),
            }
        }
        kept
    }
}

fn layer_of(name: &str) -> Layer {
    Layer::ALL.into_iter().find(|it| it.as_str() == name).unwrap()
}

fn text_of(payload: &Payload) -> String {
    String::from_utf8(payload.as_bytes().to_vec()).unwrap()
}
