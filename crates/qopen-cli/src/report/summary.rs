//! The summary of a pull, for programs and for people.

use std::collections::BTreeMap;
use std::time::Duration;

use qopen::http::{SendError, TokenError};
use qopen::journal::{Changes, Comparison, EndState, Evidence, PullId};
use qopen::types::{ChangeCounts, MarkId, Reading};
use qopen::{Outcome, Progress, Status, send_error};
use serde::Serialize;

use super::came::Came;
use super::next::{Commands, Step};
use super::words::count;
use crate::exit::{Exit, chain};
use crate::say::one_line;
use crate::settings::BASE_URL;

/// The summary of a pull. Its names are a contract.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    r#type: &'static str,
    pub(crate) robot_id: String,
    pub(crate) mark_id: String,
    pub(crate) status: EndState,
    /// The basis of a complete list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) basis: Option<String>,
    /// The same as data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Evidence>,
    pub(crate) accounts: u64,
    pub(crate) pages: usize,
    pub(crate) duplicate_pages: u64,
    pub(crate) conflicts: usize,
    pub(crate) unread_fields: u64,
    pub(crate) unidentified: usize,
    pub(crate) quarantined: u64,
    pub(crate) rejected_callbacks: u64,
    /// Tolerated spellings, by reading.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) readings: BTreeMap<&'static str, u64>,
    pub(crate) revision: u32,
    /// Changes since the earlier revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revised: Option<Changes>,
    /// Changes since the place's last complete list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changes: Option<Comparison>,
    /// Customers who are gone and whom no answer of the platform covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gone_unverified: Option<u64>,
    pub(crate) elapsed_ms: u64,
    pub(crate) output: Option<String>,
    /// Whether the list is kept beside the complete one of the same place.
    #[serde(skip)]
    pub(crate) is_kept_apart: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why a complete list was not written: the place holds a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) superseded: Option<String>,
    /// What to do next, with the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip)]
    pub(crate) step: Option<Step>,
    /// The marks of all lists that are published with this one, if its command needs them.
    #[serde(skip)]
    pub(crate) marks: Vec<MarkId>,
    /// Whether another pull would not change that the list is kept back.
    #[serde(skip)]
    is_decided: bool,
    #[serde(skip)]
    pub(crate) why: String,
    /// Findings of the listener that need attention, unless `why` has them.
    #[serde(skip)]
    troubles: Vec<String>,
    #[serde(skip)]
    pub(crate) quarantine_file: Option<String>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

impl Summary {
    pub(crate) fn new(status: &Status, progress: &Progress, came: &Came) -> Self {
        let exit = match status {
            Status::Complete(_) => Exit::Complete,
            Status::Incomplete(_) => Exit::Incomplete,
            Status::NoCallback => Exit::NoCallback,
            Status::Refused(_) => Exit::Refused,
            Status::Reported { .. } => Exit::Reported,
            Status::Cancelled => Exit::Interrupted,
            _ => Exit::Unexpected,
        };
        let silent = matches!(status, Status::NoCallback | Status::Incomplete(_));
        let instead = (silent && progress.figures.pages == 0).then(|| came.instead()).flatten();
        let troubles = match (&instead, exit) {
            (Some(_), _) => Vec::new(),
            (None, Exit::Complete) => came.rejections_in_words().into_iter().collect(),
            (None, _) => came.troubles(),
        };
        let why = match (status, instead) {
            (_, Some(instead)) => format!("no page of this pull came, but {instead}"),
            (Status::Refused(error), _) => match send_error(error) {
                Some(error) => refusal(error),
                None => status.to_string(),
            },
            (Status::Reported { code, message }, _) => {
                format!("the platform reported error {code}: {}", one_line(message))
            }
            (status, _) => status.to_string(),
        };
        let why = match hint(status) {
            Some(hint) => format!("{why}; {hint}"),
            None => why,
        };
        Self {
            r#type: "summary",
            robot_id: progress.pull.robot_id.to_string(),
            mark_id: progress.pull.mark_id.to_string(),
            status: status.end_state(),
            basis: (exit == Exit::Complete).then(|| status.to_string()),
            evidence: status.evidence(),
            accounts: progress.figures.accounts as u64,
            pages: progress.figures.pages,
            duplicate_pages: progress.figures.duplicate_pages,
            conflicts: progress.figures.conflicts,
            unread_fields: 0,
            unidentified: progress.figures.unidentified,
            quarantined: progress.figures.unreadable_pages as u64,
            rejected_callbacks: came.rejected(),
            readings: came.readings.iter().map(|(it, count)| (it.as_str(), *count)).collect(),
            revision: progress.figures.revision,
            revised: None,
            changes: None,
            gone_unverified: None,
            elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            output: None,
            is_kept_apart: false,
            error: (exit != Exit::Complete).then(|| why.clone()),
            superseded: None,
            next: None,
            step: Step::of(status),
            marks: Vec::new(),
            is_decided: false,
            why,
            troubles,
            quarantine_file: None,
            exit,
        }
    }

    pub(crate) fn of(outcome: &Outcome, came: &Came) -> Self {
        Self::new(&outcome.status, &outcome.progress, came)
    }

    /// Whether the list lacks pages, so that another pull may bring the whole.
    pub(crate) fn is_short(&self) -> bool {
        self.exit == Exit::Incomplete && !self.is_decided
    }

    /// Marks a complete list as kept back until a person, or another option, decides.
    pub(crate) fn keep_back_decided(&mut self, why: String) {
        self.keep_back(why);
        self.is_decided = true;
        self.step = Some(Step::Accept);
    }

    /// Records that the place already holds a later list, so nothing is written.
    pub(crate) fn superseded(&mut self, why: String) {
        self.superseded = Some(why);
        self.step = None;
    }

    /// Adds the pull that confirmed the list to its basis.
    pub(crate) fn confirmed(&mut self, by: &MarkId) {
        let mut found = Evidence::default();
        found.confirmed_by = Some(by.clone());
        self.why.push_str(&found.additions(0));
        self.evidence.get_or_insert_default().confirmed_by = Some(by.clone());
        self.basis = Some(self.why.clone());
    }

    /// Replaces the basis by the one that was published with the list.
    pub(crate) fn based_on(&mut self, evidence: Option<&Evidence>, basis: Option<&String>) {
        let Some(basis) = basis.filter(|_| self.exit == Exit::Complete) else { return };
        if let Some(evidence) = evidence {
            let mut found = evidence.clone();
            // It is there already.
            found.confirmed_by = None;
            let gone = self.changes.as_ref().map_or(0, |it| it.counts.gone);
            self.why.push_str(&found.additions(gone));
            self.evidence = Some(evidence.clone());
        }
        self.basis = Some(basis.clone());
    }

    /// Puts what is known of the robot's state before the reason.
    pub(crate) fn explain(&mut self, state: &str) {
        for reason in std::iter::once(&mut self.why).chain(&mut self.error) {
            *reason = format!("{state}; {reason}");
        }
    }

    /// Marks the list as incomplete for a reason outside the pull.
    pub(crate) fn keep_back(&mut self, why: String) {
        (self.status, self.exit) = (EndState::Incomplete, Exit::Incomplete);
        (self.basis, self.evidence) = (None, None);
        self.step = Some(Step::Again);
        (self.error, self.why) = (Some(why.clone()), why);
    }

    /// Adds the tolerated spellings of the list itself.
    pub(crate) fn count_reading(&mut self, reading: Reading) {
        *self.readings.entry(reading.as_str()).or_default() += 1;
    }

    /// Adds the command to type next, if the list is not complete or not published.
    pub(super) fn advise(&mut self, commands: &Commands, pull: &PullId) {
        self.next = self.step.map(|step| commands.sentence(step, pull, &self.marks));
    }

    /// Returns the summary for a person, one fact per line.
    pub(crate) fn to_text(&self) -> String {
        let Self { robot_id, mark_id, status, .. } = self;
        let mut text = format!("robot {robot_id}: {status} (mark {mark_id})\n");
        for fact in self.facts() {
            text.push_str(&format!("  {fact}\n"));
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("  next: {next}\n"));
        }
        text
    }

    /// Returns the summary on one line, for the log of a service.
    pub(crate) fn to_line(&self) -> String {
        let Self { robot_id, mark_id, status, .. } = self;
        format!("robot {robot_id}, mark {mark_id}: {status}; {}", self.facts().join("; "))
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if self.pages > 0 || self.accounts > 0 {
            facts.push(self.figures());
        }
        facts.push(self.why.clone());
        if self.revision > 1 {
            let changes = self.revised.map(|it| format!(": {}", in_words(it))).unwrap_or_default();
            let revision = self.revision;
            facts.push(format!(
                "revision {revision}: pages came after the list was complete{changes}"
            ));
        }
        facts.extend_from_slice(&self.troubles);
        if !self.readings.is_empty() {
            let readings: Vec<_> =
                self.readings.iter().map(|(name, count)| format!("{count} {name}")).collect();
            facts.push(format!("tolerated spellings: {}", readings.join(", ")));
        }
        if self.unread_fields > 0 {
            let fields = count(self.unread_fields, "field", "fields");
            facts.push(format!("{fields} could not be read, kept under _unread"));
        }
        if self.quarantined > 0 {
            let file = self.quarantine_file.as_deref();
            let place = file.map(|it| format!(", kept in {it}")).unwrap_or_default();
            facts.push(format!("{} could not be read{place}", self.quarantined));
        }
        facts.push(match (self.output.as_deref(), &self.superseded) {
            (Some("-"), _) => "written to standard output".into(),
            (Some(output), _) if self.is_kept_apart => {
                format!("kept apart in {output}; the last complete list is unchanged")
            }
            (Some(output), _) => format!("written to {output}"),
            (None, Some(why)) => format!("nothing was written: {why}"),
            (None, None) => "nothing was written".into(),
        });
        facts.extend(self.changes.as_ref().map(compared_in_words));
        facts
    }

    fn figures(&self) -> String {
        let customers = count(self.accounts, "customer", "customers");
        let pages = count(self.pages as u64, "page", "pages");
        let seconds = Duration::from_millis(self.elapsed_ms).as_secs_f64();
        let mut figures = format!("{customers} on {pages} in {seconds:.1} s");
        if self.duplicate_pages > 0 {
            figures.push_str(&format!(", {}", count(self.duplicate_pages, "copy", "copies")));
        }
        if self.conflicts > 0 {
            let conflicts = count(self.conflicts as u64, "customer", "customers");
            figures.push_str(&format!(", {conflicts} with conflicting contents"));
        }
        figures
    }
}

/// Describes the changes since the previous revision.
pub(crate) fn in_words(changes: Changes) -> String {
    let Changes { added, changed } = changes;
    format!("{} more, {changed} with other contents", count(added, "customer", "customers"))
}

/// Describes the changes since the last complete list.
pub(crate) fn compared_in_words(compared: &Comparison) -> String {
    let Comparison { baseline, since, counts, .. } = compared;
    if *baseline {
        return "first list: later changes count from it".to_owned();
    }
    let since =
        since.as_ref().map_or("the last list".to_owned(), |mark| format!("the list of {mark}"));
    match kinds_in_words(counts) {
        None => format!("no changes since {since}"),
        Some(kinds) => format!("since {since}: {kinds}"),
    }
}

/// Counts the changes of each kind that has any. `None` without changes.
pub(crate) fn kinds_in_words(counts: &ChangeCounts) -> Option<String> {
    let named = counts.named().into_iter().filter(|(_, count)| *count > 0);
    let named: Vec<_> = named.map(|(name, count)| format!("{count} {name}")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Describes a refusal by the platform in one sentence, with the setting to check.
pub(crate) fn refusal(error: &SendError) -> String {
    let of_token = matches!(error, SendError::Token(_));
    match (error.refusal(), error) {
        (Some(refusal), _) => {
            let what = if of_token { "the app key or secret" } else { "the request" };
            let hint = match refusal.hint.as_str() {
                "" => String::new(),
                hint => format!(", hint {}", one_line(hint)),
            };
            let said = match refusal.message.as_str() {
                "" => String::new(),
                message => format!(": {}", one_line(message)),
            };
            let advice = match of_token {
                true => "; check QOPEN_APP_SECRET and QOPEN_APP_KEY",
                false
                    if refusal.names_token() || matches!(error, SendError::Unauthorized { .. }) =>
                {
                    "; check QOPEN_ACCESS_TOKEN"
                }
                false => "",
            };
            format!("the platform refused {what} ({}{hint}){said}{advice}", refusal.code)
        }
        (None, SendError::Unauthorized { status, .. }) => {
            format!(
                "the platform refused the access token (HTTP {status}); check QOPEN_ACCESS_TOKEN"
            )
        }
        (None, SendError::Token(TokenError::Request(_) | TokenError::Shared(_))) => {
            format!(
                "{}; check QOPEN_APP_SECRET, QOPEN_APP_KEY and QOPEN_BASE_URL",
                chain("", error)
            )
        }
        (None, error) => chain("", error),
    }
}

/// Returns the setting to check if a request was not sent.
fn hint(status: &Status) -> Option<String> {
    let Status::NotSent(error) = status else { return None };
    let error = send_error(error)?;
    if let SendError::Transport { connected: false, .. } | SendError::Status { status: 404, .. } =
        error
    {
        return Some(format!("check {}", BASE_URL.env));
    }
    let target = error.redirected_to()?;
    let end = target.match_indices('/').nth(2).map_or(target.len(), |it| it.0);
    let host = target.starts_with("http").then(|| &target[..end])?;
    Some(format!("set {} to {host} if the gateway is there", BASE_URL.env))
}
