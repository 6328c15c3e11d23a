//! Reads payloads: pages, error reports, other events, and what cannot be read.

use pyo3::prelude::*;
use qopen_assembler::{ContentDigest, PageDigest, PullKey};
use qopen_types::{
    CallbackSkim, EventType, MarkId, PayloadText, Reading, Readings, RobotId, SkimError,
};

use crate::event::{Account, ErrorReport, Event, OtherEvent, Page, Unreadable};

/// From here on, work on bytes takes longer than handing the interpreter to another thread.
const LONG: usize = 32 << 10;

/// Does work on these bytes, away from the interpreter if they are long.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    bytes: &[u8],
    work: impl FnOnce() -> T + Send,
) -> T {
    if bytes.len() > LONG { py.detach(work) } else { work() }
}

/// Reads a payload as an event.
#[pyfunction]
pub(crate) fn read(py: Python<'_>, payload: &[u8]) -> Event {
    detached(py, payload, || classify(payload))
}

/// Reads a payload as far as folding it needs. What may be a page and cannot be read is `Unreadable` (evidence
/// rule E2); what declares another type is another event.
pub(crate) fn classify(payload: &[u8]) -> Event {
    let text = PayloadText::of(payload);
    let declared = EventType::of_payload(text.as_str());
    if !may_be_a_list(&declared) && is_json(&text) {
        let suspect = contains(payload, b"\"mark_id\"").then(|| {
            let (robot, mark) = SkimError::names(text.as_str());
            let reason = format!("event {declared}, with the mark of a pull");
            Unreadable::new(payload, robot, mark, reason)
        });
        return Event::Other(OtherEvent { event_type: declared, suspect });
    }
    text.skim(|text, skim, readings| {
        // What a damaged text says at its beginning may be damaged too.
        let event_type = match (&declared, EventType::of_payload(text)) {
            (&EventType::ROBOT_ACCOUNT_LIST, _) => EventType::ROBOT_ACCOUNT_LIST,
            (EventType::Absent, event_type) if event_type != EventType::Absent => event_type,
            _ => EventType::scan(text),
        };
        match skim {
            // A repaired text, well formed.
            Ok(skim) if skim.event_type == event_type && !may_be_a_list(&event_type) => {
                Event::Other(OtherEvent { event_type, suspect: None })
            }
            Ok(skim) => of_skim(payload, skim, readings, event_type),
            Err(SkimError::Shape { robot_id, mark_id, reason }) => {
                Unreadable::new(payload, robot_id, mark_id, reason).or_other(event_type)
            }
            // Damaged. No page is without this word.
            Err(_) => {
                let (robot, mark) = SkimError::names(text);
                let reason = "the payload is not JSON".to_owned();
                let unreadable = Unreadable::new(payload, robot, mark, reason).damaged();
                match contains(payload, b"account_list") {
                    true => Event::Unreadable(unreadable),
                    false => unreadable.or_other(event_type),
                }
            }
        }
    })
}

fn of_skim(
    payload: &[u8],
    skim: CallbackSkim<'_>,
    mut readings: Readings,
    event_type: EventType,
) -> Event {
    let CallbackSkim { err_code, err_msg, robot_id, page, .. } = skim;
    let mark_id = page.as_ref().and_then(|page| page.mark_id.clone());
    if err_code != 0 {
        let [robot, mark] = [robot_id.map(text_of), mark_id.map(text_of)];
        return Event::Report(ErrorReport { robot, mark, code: err_code, message: err_msg.into() });
    }
    let (Some(robot), Some(mark), Some(page)) = (&robot_id, &mark_id, page) else {
        let missing = if robot_id.is_none() { "robot_id" } else { "data or its mark_id" };
        let unreadable = Unreadable::new(payload, robot_id, mark_id, format!("{missing}: missing"));
        return unreadable.or_other(event_type);
    };
    let (mut accounts, mut nameless) = (Vec::with_capacity(page.accounts.len()), Vec::new());
    for account in &page.accounts {
        match &account.id {
            Ok(id) => accounts.push(Account::new(id, account.raw)),
            Err(_) => nameless.push(ContentDigest::from(account.digest())),
        }
    }
    if event_type != EventType::ROBOT_ACCOUNT_LIST {
        readings.insert(Reading::NoEventType);
    }
    Event::Page(Page {
        key: PullKey::new(robot.as_str(), mark.as_str()),
        page_digest: PageDigest::of(payload),
        has_more: page.has_more,
        accounts,
        nameless,
        readings: readings.iter().map(|it| it.as_str()).collect(),
    })
}

impl Unreadable {
    fn new(payload: &[u8], robot: Option<RobotId>, mark: Option<MarkId>, reason: String) -> Self {
        let [robot, mark] = [robot.map(text_of), mark.map(text_of)];
        Self { robot, mark, reason, page_digest: PageDigest::of(payload), is_damaged: false }
    }

    fn damaged(self) -> Self {
        Self { is_damaged: true, ..self }
    }

    /// Another event, if it says so.
    fn or_other(self, event_type: EventType) -> Event {
        match may_be_a_list(&event_type) {
            true => Event::Unreadable(self),
            false => Event::Other(OtherEvent { event_type, suspect: Some(self) }),
        }
    }
}

fn may_be_a_list(event_type: &EventType) -> bool {
    matches!(*event_type, EventType::ROBOT_ACCOUNT_LIST | EventType::Absent)
}

fn text_of(id: impl ToString) -> String {
    id.to_string()
}

fn is_json(text: &PayloadText<'_>) -> bool {
    let json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    json(text.as_str()) || text.repaired().is_some_and(|text| json(text.as_str()))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}
