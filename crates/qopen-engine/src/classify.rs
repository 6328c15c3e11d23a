//! Classifies payloads: live callbacks, kept pages and captured ones share this one reading.

use qopen_assembler::{ContentDigest, Entry, PageDigest, PullKey, Seed};
use qopen_journal::{Layer, PullId};
use qopen_types::{
    CallbackSkim, EventType, MarkId, PayloadText, QuotedTexts, Reading, Readings, RobotId,
    SkimError,
};

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
    /// An event of another kind.
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
        qopen_assembler::Page::new(key_of(&self.pull), digest, self.has_more, self.accounts)
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
    /// The pull that it names in full.
    pub(crate) fn names(&self) -> Option<PullId> {
        let (robot_id, mark_id) = (self.robot_id.clone()?, self.mark_id.clone()?);
        Some(PullId { robot_id, mark_id })
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
        // Well formed, and an event of another kind.
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
    let seed = Seed::of(&key_of(&pull));
    let mut accounts = Vec::with_capacity(page.accounts.len());
    let mut unidentified = Vec::new();
    for account in &page.accounts {
        match &account.id {
            Ok(id) => {
                let fingerprint = seed.fingerprint(id);
                accounts.push(Entry { fingerprint, content: content_of(account) });
            }
            Err(_) => unidentified.push(content_of(account)),
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

/// An event of another kind that may be a page after all: it has a mark where a page has one.
pub(crate) fn with_a_mark(event_type: &EventType, payload: &[u8]) -> Option<Unreadable> {
    memchr::memmem::find(payload, b"\"mark_id\"")?;
    let (robot_id, mark_id) = SkimError::names(PayloadText::of(payload).as_str());
    let reason = format!("event {event_type}, with the mark of a pull");
    let event_type = event_type.clone();
    Some(Unreadable { layer: Layer::Shape, reason, robot_id, mark_id, event_type })
}

/// The pulls that an unreadable payload counts against.
pub(crate) struct Against {
    pub(crate) pulls: Vec<PullId>,
    /// Whether it names them by their mark, and not by less.
    pub(crate) by_mark: bool,
}

/// The open pulls that an unreadable payload counts against (evidence rule E2): those whose mark it
/// names; without a mark, those of its robot; without a robot, all of them.
///
/// A mark that differs from a pull's only in the case of its letters names that pull. Names in a
/// `damaged` text may be damaged too. A name that resembles a pull's counts as that pull's, and a
/// mark that resembles none does not outweigh a robot that does.
pub(crate) fn stands_against<'a>(
    payload: &[u8],
    robot_id: Option<&RobotId>,
    mark_id: Option<&MarkId>,
    damaged: bool,
    open: impl IntoIterator<Item = &'a PullId>,
) -> Against {
    let open: Vec<&PullId> = open.into_iter().collect();
    let texts = QuotedTexts::of(payload);
    let resembles =
        |named: &str, name: &str, of: (usize, usize)| damaged && resembles(named, name, of);
    let marked = |pull: &&&PullId| is_near(payload, &texts, mark_id, &pull.mark_id);
    let almost = |pull: &&&PullId| {
        mark_id.is_some_and(|mark| resembles(mark.as_str(), pull.mark_id.as_str(), MARK))
    };
    let mut named: Vec<&PullId> = open.iter().filter(marked).copied().collect();
    if named.is_empty() {
        named = open.iter().filter(almost).copied().collect();
    }
    let by_mark = !named.is_empty();
    let exactly = |pull: &&PullId| robot_id == Some(&pull.robot_id);
    let any_exactly = open.iter().any(exactly);
    let of_robot = |pull: &&PullId| {
        let robot = |robot: &RobotId| resembles(robot.as_str(), pull.robot_id.as_str(), ROBOT);
        exactly(pull) || !any_exactly && robot_id.is_some_and(robot)
    };
    // The rest of a name may come from any name.
    let remnant = |name: &str, least: usize| damaged && name.len() < least;
    let against: Vec<&PullId> = match (robot_id, mark_id) {
        // Of pulls that share a mark, the one of the robot that it names.
        _ if named.iter().any(exactly) => named.into_iter().filter(exactly).collect(),
        _ if by_mark => named,
        (None, None) => open,
        (None, Some(mark)) if remnant(mark.as_str(), TELLING) => open,
        (Some(robot), None) if !any_exactly && remnant(robot.as_str(), RESEMBLING) => open,
        (Some(_), None) => open.into_iter().filter(of_robot).collect(),
        (_, Some(_)) if damaged => open.into_iter().filter(of_robot).collect(),
        // It names a pull that is not one of these.
        (_, Some(_)) => Vec::new(),
    };
    Against { pulls: against.into_iter().cloned().collect(), by_mark }
}

/// How much of a mark and of a shorter robot name must remain.
const MARK: (usize, usize) = (5, 6);
const ROBOT: (usize, usize) = (1, 2);

/// Whether a name may be the rest of another, or another that was damaged: that part of the shorter
/// name occurs in the longer one, in the same order.
fn resembles(named: &str, name: &str, (part, whole): (usize, usize)) -> bool {
    let (named, name) = (named.to_ascii_lowercase(), name.to_ascii_lowercase());
    let shorter = named.len().min(name.len());
    // The longest common subsequence with each beginning of the name.
    let mut common = vec![0_usize; name.len() + 1];
    for a in named.bytes() {
        let mut before = 0;
        for (at, b) in name.bytes().enumerate() {
            let above = common[at + 1];
            common[at + 1] = if a == b { before + 1 } else { above.max(common[at]) };
            before = above;
        }
    }
    shorter >= RESEMBLING && common[name.len()] * whole >= shorter * part
}

/// Names shorter than this resemble nothing.
const RESEMBLING: usize = 3;

/// Shorter marks are looked for only in the place of a mark: as a word they may be anything.
const TELLING: usize = 8;

fn is_near(payload: &[u8], texts: &QuotedTexts, named: Option<&MarkId>, mark: &MarkId) -> bool {
    let mark = mark.as_str();
    named.is_some_and(|it| it.as_str().trim().eq_ignore_ascii_case(mark.trim()))
        // If quotes are damaged, the bare mark is looked for.
        || mark.len() >= TELLING
            && (memchr::memmem::find(payload, mark.as_bytes()).is_some()
                || texts.contains_ignoring_case(mark))
}

/// The assembler's name for a pull.
pub(crate) fn key_of(pull: &PullId) -> PullKey {
    PullKey::new(pull.robot_id.as_str(), pull.mark_id.as_str())
}

/// The digest of an account's content.
pub(crate) fn content_of(account: &qopen_types::AccountSkim<'_>) -> ContentDigest {
    ContentDigest::from_u128(account.digest().to_u128())
}
