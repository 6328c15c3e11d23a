//! The summary of a pull, for programs and for people.

use std::collections::BTreeMap;

use qopen::journal::{Changes, Comparison, EndState, Evidence, PullId};
use qopen::types::{MarkId, Reading};
use qopen::{Outcome, Progress, Status, send_error};
use serde::Serialize;

use super::came::Came;
use super::next::{Commands, Step};
use super::refusal::{hint, refusal};
use super::status::{additions, ended};
use crate::exit::Exit;
use crate::lang::{Phrase, phrase};
use crate::say::one_line;
use crate::topics::{self, Topic, callbacks, lists};

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
    pub(crate) error: Option<Phrase>,
    /// The name of the entry of `qopen explain` about the error.
    #[serde(rename = "explain", skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<&'static Topic>,
    /// Why a complete list was not written: the place holds a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) superseded: Option<Phrase>,
    /// What to do next, with the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Phrase>,
    #[serde(skip)]
    pub(crate) step: Option<Step>,
    /// The marks of all lists that are published with this one, if its command needs them.
    #[serde(skip)]
    pub(crate) marks: Vec<MarkId>,
    /// Whether another pull would not change that the list is kept back.
    #[serde(skip)]
    is_decided: bool,
    #[serde(skip)]
    pub(crate) why: Phrase,
    /// Findings of the listener that need attention, unless `why` has them.
    #[serde(skip)]
    pub(super) troubles: Vec<(&'static Topic, Phrase)>,
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
            (None, Exit::Complete) => came
                .rejections_in_words()
                .map(|it| (&callbacks::REJECTED, it))
                .into_iter()
                .collect(),
            (None, _) => came.troubles().iter().map(|it| (it.topic, it.sentence())).collect(),
        };
        let topic = match &instead {
            Some((_, topic)) => Some(*topic),
            None => status.reason().map(|it| topics::of_end(&it)),
        };
        let why = match (status, instead) {
            (_, Some((instead, _))) => phrase!(
                "no page of this pull came, but {instead}",
                "没有收到本次拉取的分页，但有 {instead}",
                instead = instead,
            ),
            (Status::Refused(error), _) => match send_error(error) {
                Some(error) => refusal(error),
                None => ended(status),
            },
            (Status::Reported { code, message }, _) => phrase!(
                "the platform reported error {code}: {message}",
                "平台报告了错误 {code}：{message}",
                code = code,
                message = one_line(message),
            ),
            (status, _) => ended(status),
        };
        let why = match hint(status) {
            Some(hint) => phrase!("{why}; {hint}", "{why}；{hint}", why = why, hint = hint),
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
            topic,
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
    pub(crate) fn keep_back_decided(&mut self, topic: &'static Topic, why: Phrase) {
        self.keep_back(topic, why);
        self.is_decided = true;
        self.step = Some(Step::Accept);
    }

    /// Records that the place already holds a later list, so nothing is written.
    pub(crate) fn superseded(&mut self, why: Phrase) {
        self.topic = Some(&lists::SUPERSEDED);
        self.superseded = Some(why);
        self.step = None;
    }

    /// Adds the pull that confirmed the list to its basis.
    pub(crate) fn confirmed(&mut self, by: &MarkId) {
        let mut found = Evidence::default();
        found.confirmed_by = Some(by.clone());
        self.why.push(&additions(&found, 0));
        self.evidence.get_or_insert_default().confirmed_by = Some(by.clone());
        self.basis = Some(self.why.english().to_owned());
    }

    /// Replaces the basis by the one that was published with the list.
    pub(crate) fn based_on(&mut self, evidence: Option<&Evidence>, basis: Option<&String>) {
        let Some(basis) = basis.filter(|_| self.exit == Exit::Complete) else { return };
        if let Some(evidence) = evidence {
            let mut found = evidence.clone();
            // It is there already.
            found.confirmed_by = None;
            let gone = self.changes.as_ref().map_or(0, |it| it.counts.gone);
            self.why.push(&additions(&found, gone));
            self.evidence = Some(evidence.clone());
        }
        self.basis = Some(basis.clone());
    }

    /// Puts what is known of the robot's state before the reason.
    pub(crate) fn explain(&mut self, state: &Phrase) {
        for reason in std::iter::once(&mut self.why).chain(&mut self.error) {
            *reason =
                phrase!("{state}; {reason}", "{state}；{reason}", state = state, reason = *reason);
        }
    }

    /// Marks the list as incomplete for a reason outside the pull.
    pub(crate) fn keep_back(&mut self, topic: &'static Topic, why: Phrase) {
        self.topic = Some(topic);
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
}
