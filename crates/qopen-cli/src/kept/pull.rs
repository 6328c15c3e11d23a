//! A kept pull in a line.

use std::fmt;
use std::net::SocketAddr;

use qopen::journal::{Comparison, EndState, Evidence, Note, PullId, PullState, Report, Store};
use qopen::sink::file_name;
use serde::{Deserialize, Serialize};

use super::listed::Listed;
use crate::exit::Failure;
use crate::journal::{status, time};
use crate::lang::{Phrase, THE_JOURNAL, Text, phrase};
use crate::report::{CUSTOMERS, PAGES, kinds_in_words, named, states};
use crate::say::answer;
use crate::settings::Settings;
use crate::table;

/// Between the parts of a line.
pub(crate) const PART: Text = Text::new(", ", "，");

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

impl From<&PullName> for Phrase {
    fn from(pull: &PullName) -> Self {
        named(&pull.robot_id, &pull.mark_id)
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

    pub(crate) fn of(self, mark: &str) -> Phrase {
        match self {
            Self::Command => format!("qopen pull --resume {mark}").into(),
            Self::Request => phrase!(
                "POST /v1/pulls/{mark}/resume to a `qopen serve`",
                "向 `qopen serve` 发送 POST /v1/pulls/{mark}/resume",
                mark = mark,
            ),
            Self::Beside(address) => {
                let path = path_of_mark(mark, "/resume");
                let quote = if path.contains('?') { "'" } else { "" };
                format!("curl -X POST {quote}http://{address}{path}{quote}").into()
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
        let mut parts = vec![phrase!(
            "{mark}  robot {robot}  {status}  {pages}",
            "{mark}  机器人 {robot}  {status}  {pages}",
            mark = self.mark_id,
            robot = self.robot_id,
            status = states::state(&self.status),
            pages = PAGES.count(self.pages),
        )];
        parts.extend(self.accounts.map(|it| CUSTOMERS.count(it)));
        parts.extend(self.losses());
        let started = self.started.as_ref();
        parts.extend(started.map(|it| phrase!("started {it}", "开始于 {it}", it = it)));
        if let (Some(revision), Some(output)) = (self.revision, &self.output) {
            parts.push(phrase!(
                "revision {revision} in {output}",
                "修订 {revision} 位于 {output}",
                revision = revision,
                output = output,
            ));
        }
        parts.extend(self.changes.as_ref().and_then(|it| kinds_in_words(&it.counts)));
        parts.extend(self.waits(hint));
        table::line(&Phrase::join(&parts, PART));
    }

    /// Returns what needs attention, in a sentence each.
    pub(super) fn notes(&self, hint: Resume) -> Vec<Phrase> {
        [self.losses(), self.waits(hint)].concat()
    }

    /// Counts what the list lacks or may lack.
    fn losses(&self) -> Vec<Phrase> {
        let Self { quarantined, set_aside, damaged, .. } = self;
        let mut parts = Vec::new();
        if *quarantined > 0 {
            parts.push(phrase!("{n} in quarantine", "{n} 项在隔离区", n = quarantined));
        }
        if let Some(set_aside @ 1..) = set_aside {
            parts.push(phrase!("{n} could not be read", "{n} 项无法读取", n = set_aside));
        }
        if *damaged > 0 {
            parts.push(phrase!("{n} lost in the journal", "{n} 项在持久化存储中丢失", n = damaged));
        }
        parts
    }

    /// Says what waits to be published, and how.
    fn waits(&self, hint: Resume) -> Vec<Phrase> {
        let mark = &self.mark_id;
        let mut parts = Vec::new();
        if self.newer_pages {
            parts.push(phrase!(
                "pages came after that: {how} publishes them",
                "此后又收到了分页：{how} 可发布它们",
                how = hint.of(mark),
            ));
        }
        if self.held {
            parts.push(phrase!(
                "held: `qopen pulls accept {mark}` publishes its list",
                "被拦下：`qopen pulls accept {mark}` 可发布其列表",
                mark = mark,
            ));
        }
        if self.superseded {
            parts.push(phrase!(
                "superseded by the list of a later pull",
                "已被更晚的拉取的列表取代",
            ));
        }
        parts
    }
}

/// Prints an object of `--json`.
pub(super) fn print_json(line: &impl Serialize) {
    // Plain data always encodes.
    answer!("{}", serde_json::to_string(line).unwrap_or_default());
}
