//! Classifies payloads: live callbacks, kept pages and captured ones share this one reading.

use qopen_assembler::{ContentDigest, Entry, PageDigest, PullKey, Seed};
use qopen_journal::{Layer, PullId};
use qopen_types::{
    CallbackSkim, EventType, MarkId, PayloadText, Reading, Readings, RobotId, SkimError,
};

use crate::whose::Names;

/// The content of an opened payload.
#[derive(Debug)]
#[non_exhaustive]
pub enum Classified {
    /// A page of a pull.
    Page(ClassifiedPage),
    /// The platform reports an error.
    Report {
        /// The robot that the report is about.
        robot_id: Option<RobotId>,
        /// The mark, if the report names one.
        mark_id: Option<MarkId>,
        /// The platform's code; not 0.
        code: i64,
        /// The platform's message.
        message: String,
    },
    /// A payload that is no page and may hold one: a person must look at it.
    Unreadable(Unreadable),
    /// Another event, by its type.
    Other(EventType),
}

/// A page of a pull.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClassifiedPage {
    /// The pull it names.
    pub pull: PullId,
    /// Whether the page says that more follow; `None` if it does not say.
    pub has_more: Option<bool>,
    /// Its accounts that have an id, each as 32 bytes.
    pub accounts: Vec<Entry>,
    /// The contents of its accounts that have no readable id.
    pub unidentified: Vec<ContentDigest>,
    /// Tolerated spellings that reading it needed.
    pub readings: Readings,
    /// Whether the payload declares its event type. Otherwise only its pull's name marks it as a
    /// page.
    pub declared: bool,
}

impl ClassifiedPage {
    /// The page as a fact for an assembler.
    #[must_use]
    pub fn into_page(self, digest: PageDigest) -> qopen_assembler::Page<Vec<Entry>> {
        qopen_assembler::Page::new(PullKey::from(&self.pull), digest, self.has_more, self.accounts)
            .unidentified(self.unidentified)
    }
}

/// An unreadable payload, with as much of its pull's name as can be found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unreadable {
    /// The layer at which reading it ended.
    pub layer: Layer,
    /// The reason; never quotes the payload.
    pub reason: String,
    /// The robot, if it is readable.
    pub robot_id: Option<RobotId>,
    /// The mark, if it is readable.
    pub mark_id: Option<MarkId>,
    /// The declared event type, as far as it is readable.
    pub event_type: EventType,
}

impl Unreadable {
    /// The names that it carries.
    pub(crate) fn names(&self) -> Names<'_> {
        Names { robot_id: self.robot_id.as_ref(), mark_id: self.mark_id.as_ref() }
    }

    /// Whether its text is damaged, and with it perhaps its names.
    pub(crate) fn is_damaged(&self) -> bool {
        self.layer < Layer::Shape
    }

    /// Whether it is another event, unless it names an open pull: it declares another type and, if
    /// damaged, has no list of accounts.
    pub(crate) fn says_other(&self, payload: &[u8]) -> bool {
        let has_accounts = || memchr::memmem::find(payload, b"account_list").is_some();
        match self.event_type {
            EventType::ROBOT_ACCOUNT_LIST | EventType::Absent => false,
            _ => !self.is_damaged() || !has_accounts(),
        }
    }
}

/// Reads a payload as far as folding it needs.
#[must_use]
pub fn classify(payload: &[u8]) -> Classified {
    let text = PayloadText::of(payload);
    let declared = EventType::of_payload(text.as_str());
    match declared {
        EventType::ROBOT_ACCOUNT_LIST => text.skim(|text, skim, readings| {
            of_skim(text, skim, readings, &EventType::ROBOT_ACCOUNT_LIST)
        }),
        EventType::Absent => text.skim(undeclared),
        other => match is_json(&text) {
            true => Classified::Other(other),
            // Damaged, as what it says that it is may be.
            false => text
                .skim(|text, skim, readings| of_skim(text, skim, readings, &EventType::scan(text))),
        },
    }
}

fn is_json(text: &PayloadText<'_>) -> bool {
    let json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    json(text.as_str()) || text.repaired().is_some_and(|text| json(text.as_str()))
}

/// A payload that does not state its event type at its beginning: the beginning is damaged or
/// spelled otherwise, or the payload has no type.
fn undeclared(
    text: &str,
    skim: Result<CallbackSkim<'_>, SkimError>,
    readings: Readings,
) -> Classified {
    // A repaired text may declare its type.
    let event_type = match EventType::of_payload(text) {
        EventType::Absent => EventType::scan(text),
        event_type => event_type,
    };
    match (&skim, &event_type) {
        // Well formed, and another event.
        (Ok(skim), EventType::Code(_) | EventType::Name(_))
            if skim.event_type == event_type && event_type != EventType::ROBOT_ACCOUNT_LIST =>
        {
            Classified::Other(event_type)
        }
        _ => of_skim(text, skim, readings, &event_type),
    }
}

fn of_skim(
    text: &str,
    skim: Result<CallbackSkim<'_>, SkimError>,
    mut readings: Readings,
    event_type: &EventType,
) -> Classified {
    let unreadable = |layer, reason: String, robot_id, mark_id| {
        let event_type = event_type.clone();
        Classified::Unreadable(Unreadable { layer, reason, robot_id, mark_id, event_type })
    };
    let skim = match skim {
        Ok(skim) => skim,
        Err(SkimError::Shape { reason, robot_id, mark_id }) => {
            return unreadable(Layer::Shape, reason, robot_id, mark_id);
        }
        Err(error) => {
            let (layer, reason) = not_json(text, readings, &error);
            let whose = SkimError::names(text);
            return unreadable(layer, reason, whose.0, whose.1);
        }
    };
    let CallbackSkim { err_code, err_msg, robot_id, page, .. } = skim;
    if err_code != 0 {
        let mark_id = page.and_then(|page| page.mark_id);
        let message = err_msg.into_owned();
        return Classified::Report { robot_id, mark_id, code: err_code, message };
    }
    let missing = |what: &str, robot_id, mark_id| {
        unreadable(Layer::Shape, format!("{what}: missing"), robot_id, mark_id)
    };
    let Some(page) = page else { return missing("data", robot_id, None) };
    let (robot_id, mark_id) = match (robot_id, page.mark_id) {
        (Some(robot_id), Some(mark_id)) => (robot_id, mark_id),
        (None, mark_id) => return missing("robot_id", None, mark_id),
        (robot_id, None) => return missing("mark_id", robot_id, None),
    };
    let pull = PullId { robot_id, mark_id };
    let seed = Seed::of(&PullKey::from(&pull));
    let mut accounts = Vec::with_capacity(page.accounts.len());
    let mut unidentified = Vec::new();
    for account in &page.accounts {
        match &account.id {
            Ok(id) => {
                let fingerprint = seed.fingerprint(id);
                accounts
                    .push(Entry { fingerprint, content: ContentDigest::from(account.digest()) });
            }
            Err(_) => unidentified.push(ContentDigest::from(account.digest())),
        }
    }
    let declared = *event_type == EventType::ROBOT_ACCOUNT_LIST;
    if !declared {
        readings.insert(Reading::NoEventType);
    }
    let has_more = page.has_more;
    Classified::Page(ClassifiedPage { pull, has_more, accounts, unidentified, readings, declared })
}

/// The layer at which a text that is not JSON fails, and why.
fn not_json(text: &str, readings: Readings, error: &SkimError) -> (Layer, String) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let nulls = text.chars().take(64).filter(|c| *c == '\0').count();
    let hint = if nulls > 8 {
        "; it looks like UTF-16"
    } else if looks_like_base64(text) {
        "; it looks like base64"
    } else if text.contains("%7B") || text.starts_with("data=") {
        "; it looks like a form"
    } else {
        ""
    };
    match readings.contains(Reading::CutText) {
        true => (Layer::Text, format!("not UTF-8, and not JSON with its holes filled{hint}")),
        false => (Layer::Json, format!("not JSON: {cause}{hint}")),
    }
}

fn looks_like_base64(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 16 && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/=-_".contains(&it))
}

/// Another event that may be a page after all: it has a mark where a page has one.
pub(crate) fn with_a_mark(event_type: &EventType, payload: &[u8]) -> Option<Unreadable> {
    memchr::memmem::find(payload, b"\"mark_id\"")?;
    let (robot_id, mark_id) = SkimError::names(PayloadText::of(payload).as_str());
    let reason = format!("event {event_type}, with the mark of a pull");
    let event_type = event_type.clone();
    Some(Unreadable { layer: Layer::Shape, reason, robot_id, mark_id, event_type })
}
