//! A kept pull in a line, and its history.

use std::fmt;
use std::net::SocketAddr;

use qopen::journal::{
    Comparison, EndState, Evidence, Note, Noted, PullId, PullState, Report, Store,
};
use qopen::sink::file_name;
use serde::{Deserialize, Serialize};

use super::held::HeldBecause;
use super::listed::Listed;
use crate::app_robots::{SHOWN, names};
use crate::exit::Failure;
use crate::journal::{status, time};
use crate::lang::THE_JOURNAL;
use crate::report::{compared_in_words, count, in_words, kinds_in_words};
use crate::say::{answer, one_line};
use crate::settings::Settings;

/// The result of a check of the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) pulls: u64,
    /// Unreadable places, one sentence each.
    pub(crate) damage: Vec<String>,
}

/// Reads the whole journal.
pub(crate) async fn check(journal: &dyn Store) -> Result<Checked, Failure> {
    let report = journal.check().await;
    let report = report.map_err(|error| Failure::unexpected(THE_JOURNAL, &error))?;
    let Report { segments: files, bytes, records, pulls, ref damage, .. } = report;
    let damage = damage.iter().map(ToString::to_string).collect();
    Ok(Checked { files, bytes, records, pulls, damage })
}

/// A pull's robot and mark, as responses contain them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PullName {
    pub(crate) robot_id: String,
    pub(crate) mark_id: String,
}

impl From<&PullId> for PullName {
    fn from(pull: &PullId) -> Self {
        Self { robot_id: pull.robot_id.to_string(), mark_id: pull.mark_id.to_string() }
    }
}

impl PullName {
    /// Returns the path and query of `what` of this pull in the control API.
    pub(crate) fn path(&self, what: &str) -> String {
        let path = path_of_mark(&self.mark_id, what);
        let link = if path.contains('?') { '&' } else { '?' };
        format!("{path}{link}robot_id={}", file_name(&self.robot_id))
    }
}

/// Returns the path of `what` of a pull in the control API. Clients remove the segments `.` and `..` in any
/// encoding, so these two marks are in the query.
fn path_of_mark(mark: &str, what: &str) -> String {
    // Paths and folders spell names alike.
    let name = file_name(mark);
    match mark {
        "." | ".." => format!("/v1/pulls/-{what}?mark_id={name}"),
        _ => format!("/v1/pulls/{name}{what}"),
    }
}

/// Formats like a pull's id.
impl fmt::Display for PullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { robot_id, mark_id } = self;
        write!(f, "robot {robot_id} mark {mark_id}")
    }
}

/// How to resume a pull of the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resume {
    /// By `qopen pull --resume`, on a journal in a folder.
    Command,
    /// By the control API, on a shared journal.
    Request,
    /// By the control API of the `qopen serve` that holds the journal.
    Beside(SocketAddr),
}

impl Resume {
    pub(crate) fn by(settings: &Settings) -> Result<Self, Failure> {
        Ok(if settings.journal()?.is_shared() { Self::Request } else { Self::Command })
    }

    pub(crate) fn of(self, mark: &str) -> String {
        match self {
            Self::Command => format!("qopen pull --resume {mark}"),
            Self::Request => format!("POST /v1/pulls/{mark}/resume to a `qopen serve`"),
            Self::Beside(address) => {
                let path = path_of_mark(mark, "/resume");
                let quote = if path.contains('?') { "'" } else { "" };
                format!("curl -X POST {quote}http://{address}{path}{quote}")
            }
        }
    }
}

/// A pull on one line: an object of `--json` and of the control API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    r#type: String,
    pub(super) robot_id: String,
    pub(super) mark_id: String,
    pub(super) status: String,
    pub(super) started: Option<String>,
    last_activity: Option<String>,
    pub(super) pages: u64,
    pub(super) accounts: Option<u64>,
    /// Why it ended, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The basis of a complete list, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
    /// The same as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    bytes: u64,
    quarantined: u64,
    /// Unreadable accounts and pages, which the published list lacks.
    set_aside: Option<u64>,
    damaged: usize,
    pub(super) revision: Option<u32>,
    pub(super) output: Option<String>,
    /// When the list was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    /// Its number in the order of lists: of its place, or of the journal if the place gives no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// Its changes since the last list of its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changes: Option<Comparison>,
    /// Whether pages came after the last publication.
    pub(super) newer_pages: bool,
    /// Whether the place holds the list of a later pull.
    pub(super) superseded: bool,
    /// Whether a guard holds the list, which waits to be accepted.
    #[serde(default)]
    pub(super) held: bool,
}

impl Line {
    pub(crate) fn of(state: &PullState) -> Self {
        let ended = state.ended().and_then(|noted| match &noted.note {
            Note::Ended { accounts, why, .. } => Some((*accounts, why.clone())),
            _ => None,
        });
        let (ended, why) = ended.unzip();
        let list = Listed::of(state);
        let list = list.as_ref();
        Self {
            r#type: "pull".to_owned(),
            robot_id: state.pull.robot_id.to_string(),
            mark_id: state.pull.mark_id.to_string(),
            status: status(state).to_owned(),
            started: state.started().map(|(at, _)| time(at)),
            last_activity: state.last_activity().map(time),
            pages: state.pages,
            accounts: list.map(|it| it.accounts).or(ended),
            why,
            basis: state.basis(),
            evidence: state.evidence(),
            bytes: state.bytes,
            quarantined: state.quarantined + state.doubts().len() as u64,
            set_aside: list.map(|it| it.set_aside),
            damaged: state.damaged.len(),
            revision: list.map(|it| it.revision),
            output: list.map(|it| it.location.to_owned()),
            published: list.map(|it| time(it.at)),
            sequence: list.map(|it| it.sequence),
            changes: list.and_then(|it| it.changes.cloned()),
            newer_pages: state.has_newer_pages(),
            superseded: state.is_superseded(),
            held: state.held().is_some(),
        }
    }

    pub(crate) fn robot(&self) -> &str {
        &self.robot_id
    }

    pub(crate) fn mark(&self) -> &str {
        &self.mark_id
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.status == EndState::Complete.as_str()
    }

    pub(crate) fn started(&self) -> Option<&str> {
        self.started.as_deref()
    }

    pub(crate) fn accounts(&self) -> Option<u64> {
        self.accounts
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Returns the place of the published list.
    pub(crate) fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    pub(crate) fn name(&self) -> PullName {
        PullName { robot_id: self.robot_id.clone(), mark_id: self.mark_id.clone() }
    }

    pub(crate) fn print(&self, json: bool, hint: Resume) {
        if json {
            return print_json(self);
        }
        let Self { robot_id, mark_id, status, pages, .. } = self;
        let pages = count(*pages, "page", "pages");
        let mut parts = vec![format!("{mark_id}  robot {robot_id}  {status}  {pages}")];
        parts.extend(self.accounts.map(|it| count(it, "customer", "customers")));
        parts.extend(self.losses());
        parts.extend(self.started.as_ref().map(|it| format!("started {it}")));
        if let (Some(revision), Some(output)) = (self.revision, &self.output) {
            parts.push(format!("revision {revision} in {output}"));
        }
        parts.extend(
            self.changes
                .as_ref()
                .and_then(|it| kinds_in_words(&it.counts))
                .map(|it| it.english().to_owned()),
        );
        parts.extend(self.waits(hint));
        answer!("{}", parts.join(", "));
    }

    /// Returns what needs attention, in a sentence each.
    pub(super) fn notes(&self, hint: Resume) -> Vec<String> {
        [self.losses(), self.waits(hint)].concat()
    }

    /// Counts what the list lacks or may lack.
    fn losses(&self) -> Vec<String> {
        let Self { quarantined, set_aside, damaged, .. } = self;
        let mut parts = Vec::new();
        if *quarantined > 0 {
            parts.push(format!("{quarantined} in quarantine"));
        }
        if let Some(set_aside @ 1..) = set_aside {
            parts.push(format!("{set_aside} could not be read"));
        }
        if *damaged > 0 {
            parts.push(format!("{damaged} lost in the journal"));
        }
        parts
    }

    /// Says what waits to be published, and how.
    fn waits(&self, hint: Resume) -> Vec<String> {
        let mark = &self.mark_id;
        let mut parts = Vec::new();
        if self.newer_pages {
            parts.push(format!("pages came after that: {} publishes them", hint.of(mark)));
        }
        if self.held {
            parts.push(format!("held: `qopen pulls accept {mark}` publishes its list"));
        }
        if self.superseded {
            parts.push("superseded by the list of a later pull".to_owned());
        }
        parts
    }
}

/// A note on one line: an object of `--json` and of the control API.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoteLine {
    r#type: String,
    at: String,
    #[serde(flatten)]
    note: Note,
    /// The basis of a published list, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
}

impl NoteLine {
    pub(crate) fn of(noted: &Noted) -> Self {
        let basis = match &noted.note {
            Note::Published { compared, evidence: Some(evidence), .. } => {
                Some(evidence.basis(compared.as_ref().map_or(0, |it| it.counts.gone)))
            }
            _ => None,
        };
        Self { r#type: "note".to_owned(), at: time(noted.at), note: noted.note.clone(), basis }
    }

    pub(crate) fn print(&self, json: bool) {
        match json {
            true => print_json(self),
            false => {
                let basis = self.basis.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
                answer!("  {}  {}{basis}", self.at, words(&self.note));
            }
        }
    }
}

/// Describes a note.
fn words(note: &Note) -> String {
    match note {
        Note::Started(started) => match started.need_tag_info {
            true => "started, with tags".to_owned(),
            false => "started".to_owned(),
        },
        Note::Accepted { serial_no: Some(serial_no) } => {
            format!("the request was accepted, serial number {serial_no}")
        }
        Note::Accepted { serial_no: None } => "the request was accepted".to_owned(),
        Note::Reported { code, message, .. } => {
            format!("the platform reported error {code}: {}", one_line(message))
        }
        Note::Ended { status, why, accounts, pages, .. } => {
            let accounts = count(*accounts, "customer", "customers");
            let pages = count(*pages, "page", "pages");
            format!("{status}: {accounts} on {pages}; {}", one_line(why))
        }
        Note::Doubted { item, lost: false } => {
            format!("the item {item} in quarantine may be a page of it")
        }
        Note::Doubted { item, lost: true } => {
            format!("the journal may have lost pages of it, for which the item {item} stands")
        }
        Note::Released { item, read: true } => format!("the item {item} was read later"),
        Note::Released { item, read: false } => format!("the item {item} was released"),
        Note::Resumed => "resumed".to_owned(),
        Note::Requested => "the request is about to be sent".to_owned(),
        Note::Adopted => "adopted: another system requested it".to_owned(),
        Note::CancelRequested => "its end was requested".to_owned(),
        Note::Published { revision, accounts, location, changes, compared, .. } => {
            let changes =
                changes.map(|it| format!("; {}", in_words(it).english())).unwrap_or_default();
            let compared =
                compared.as_ref().map(|it| format!("; {}", compared_in_words(it).english()));
            let (accounts, compared) =
                (count(*accounts, "customer", "customers"), compared.unwrap_or_default());
            format!("revision {revision} published: {accounts} in {location}{changes}{compared}")
        }
        Note::PublicationRequested => "a publication was requested".to_owned(),
        Note::GoneAsked { asked, present, .. } => {
            let asked = count(*asked, "customer", "customers");
            format!("the platform was asked about {asked} who are gone, and has {present} of them")
        }
        Note::Confirmed { by } => {
            format!("confirmed by pull {by}, which has the same customers")
        }
        Note::HeldAccepted => "its held list was accepted".to_owned(),
        Note::Held { revision, gone, before, location, .. } => {
            let why = match HeldBecause::of(note) {
                Some(HeldBecause::Present(present)) => {
                    let present = count(present, "customer", "customers");
                    format!("it lacks {present} that the platform still has")
                }
                Some(HeldBecause::Unconfirmed) => "no other pull confirmed it".to_owned(),
                Some(HeldBecause::LeftOut(left_out)) => {
                    let robots = count(left_out.len() as u64, "robot", "robots");
                    let names = names(left_out.iter(), SHOWN);
                    format!("it leaves out {robots} of the last list: {names}")
                }
                _ => format!("{gone} of {before} customers are gone"),
            };
            let place = location.as_ref().map(|it| format!(", kept in {it}")).unwrap_or_default();
            format!("revision {revision} held: {why}{place}")
        }
        Note::Ordered { location, order } => format!("its list has place {order} in {location}"),
        Note::Superseded { by, revision } => {
            let later = by.as_ref().map(|mark| format!(", {mark}")).unwrap_or_default();
            format!("revision {revision} not published: a later pull{later} was published before")
        }
        other => format!("{other:?}"),
    }
}

fn print_json(line: &impl Serialize) {
    // Plain data always encodes.
    answer!("{}", serde_json::to_string(line).unwrap_or_default());
}
