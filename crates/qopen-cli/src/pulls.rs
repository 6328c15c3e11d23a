//! `qopen pulls`: what the journal knows of pulls.

use qopen::journal::{Note, Noted, PullState};
use serde::Serialize;

use crate::args::PullsVerb;
use crate::exit::{Exit, Failure};
use crate::journal::{all, of_mark, open_existing, status, time};
use crate::output::Place;
use crate::report::in_words;
use crate::say::{answer, say};
use crate::settings::Settings;

pub(crate) async fn run(verb: PullsVerb, settings: Settings) -> Result<Exit, Failure> {
    let journal = open_existing(&settings).await?;
    let hint = Resume::by(&settings)?;
    let unreadable = |error| Failure::unexpected("the journal", &error);
    match verb {
        PullsVerb::List { json } => {
            let pulls = all(&*journal).await?;
            if pulls.is_empty() && !json {
                say!("qopen: the journal has no pulls");
            }
            pulls.iter().map(Line::of).for_each(|line| line.print(json, &hint));
        }
        PullsVerb::Show { mark, json } => {
            for state in of_mark(&*journal, &mark).await? {
                Line::of(&state).print(json, &hint);
                state.notes.iter().for_each(|noted| print_note(noted, json));
            }
        }
        PullsVerb::Purge { mark } => {
            for state in of_mark(&*journal, &mark).await? {
                journal.forget(&state.pull).await.map_err(unreadable)?;
                if let Some(Ok(output)) = Place::of(&state).map(|place| place.output()) {
                    output.sweep(state.pull.robot_id.as_str());
                }
                say!("qopen: {} is deleted", state.pull);
            }
            journal.compact(0).await.map_err(unreadable)?;
        }
        PullsVerb::Check => {
            let report = journal.check().await.map_err(unreadable)?;
            answer!(
                "{} files, {} bytes, {} records, {} pulls",
                report.segments,
                report.bytes,
                report.records,
                report.pulls
            );
            for damage in &report.damage {
                answer!("DAMAGED {damage}");
            }
            if !report.damage.is_empty() {
                return Ok(Exit::Unexpected);
            }
            answer!("everything that was kept can be read");
        }
    }
    Ok(Exit::Complete)
}

/// How to resume a pull of the journal.
pub(crate) enum Resume {
    /// By `qopen pull --resume`, on a journal in a folder.
    Command,
    /// By the control API, on a shared journal.
    Request,
}

impl Resume {
    pub(crate) fn by(settings: &Settings) -> Result<Self, Failure> {
        Ok(if settings.journal()?.is_shared() { Self::Request } else { Self::Command })
    }

    pub(crate) fn of(&self, mark: &str) -> String {
        match self {
            Self::Command => format!("qopen pull --resume {mark}"),
            Self::Request => format!("POST /v1/pulls/{mark}/resume to a `qopen serve`"),
        }
    }
}

/// A pull in a line.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    mark_id: &'a str,
    status: &'a str,
    started: Option<String>,
    last_activity: Option<String>,
    pages: u64,
    accounts: Option<u64>,
    bytes: u64,
    quarantined: u64,
    /// Accounts and pages that are not in what was published, because they could not be read.
    set_aside: Option<u64>,
    damaged: usize,
    revision: Option<u32>,
    output: Option<&'a str>,
    /// Pages came after what was published last.
    newer_pages: bool,
    /// The place holds the list of a later pull.
    superseded: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn of(state: &'a PullState) -> Self {
        let ended = state.ended().and_then(|noted| match &noted.note {
            Note::Ended { accounts, .. } => Some(*accounts),
            _ => None,
        });
        let published = state.published().and_then(|noted| match &noted.note {
            Note::Published { revision, accounts, location, set_aside, .. } => {
                Some((*revision, *accounts, location.as_str(), *set_aside))
            }
            _ => None,
        });
        Self {
            r#type: "pull",
            robot_id: state.pull.robot_id.as_str(),
            mark_id: state.pull.mark_id.as_str(),
            status: status(state),
            started: state.started().map(|(at, _)| time(at)),
            last_activity: state.last_activity().map(time),
            pages: state.pages,
            accounts: published.map(|it| it.1).or(ended),
            bytes: state.bytes,
            quarantined: state.quarantined + state.doubts().len() as u64,
            set_aside: published.map(|it| it.3),
            damaged: state.damaged.len(),
            revision: published.map(|it| it.0),
            output: published.map(|it| it.2),
            newer_pages: state.has_newer_pages(),
            superseded: state.is_superseded(),
        }
    }

    fn print(&self, json: bool, hint: &Resume) {
        if json {
            return print_json(self);
        }
        let Self { robot_id, mark_id, status, pages, .. } = self;
        let mut text = format!("{mark_id}  robot {robot_id}  {status}  {pages} pages");
        let mut add = |part: String| {
            text.push_str(", ");
            text.push_str(&part);
        };
        if let Some(accounts) = self.accounts {
            add(format!("{accounts} customers"));
        }
        if self.quarantined > 0 {
            add(format!("{} in quarantine", self.quarantined));
        }
        if let Some(set_aside @ 1..) = self.set_aside {
            add(format!("{set_aside} could not be read"));
        }
        if self.damaged > 0 {
            add(format!("{} lost in the journal", self.damaged));
        }
        if let Some(started) = &self.started {
            add(format!("started {started}"));
        }
        if let (Some(revision), Some(output)) = (self.revision, self.output) {
            add(format!("revision {revision} in {output}"));
        }
        if self.newer_pages {
            add(format!("pages came after that: {} publishes them", hint.of(mark_id)));
        }
        answer!("{text}");
    }
}

fn print_note(noted: &Noted, json: bool) {
    if json {
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'static str,
            at: String,
            #[serde(flatten)]
            note: &'a Note,
        }
        return print_json(&Line { r#type: "note", at: time(noted.at), note: &noted.note });
    }
    let what = match &noted.note {
        Note::Started(started) => match started.need_tag_info {
            true => "started, with tags".to_owned(),
            false => "started".to_owned(),
        },
        Note::Accepted { serial_no: Some(serial_no) } => {
            format!("the request was accepted, serial number {serial_no}")
        }
        Note::Accepted { serial_no: None } => "the request was accepted".to_owned(),
        Note::Reported { code, message, .. } => {
            format!("the platform reported error {code}: {message}")
        }
        Note::Ended { status, why, accounts, pages } => {
            format!("{status}: {accounts} customers on {pages} pages; {why}")
        }
        Note::Doubted { item } => format!("the item {item} in quarantine may be a page of it"),
        Note::Released { item, read: true } => format!("the item {item} was read after all"),
        Note::Released { item, read: false } => format!("the item {item} was released"),
        Note::Resumed => "taken up again".to_owned(),
        Note::Requested => "the request is about to be sent".to_owned(),
        Note::Adopted => "collected, although somebody else requested it".to_owned(),
        Note::CancelRequested => "somebody wants it to end".to_owned(),
        Note::Published { revision, accounts, location, changes, .. } => {
            let changes = changes.map(|it| format!("; {}", in_words(it))).unwrap_or_default();
            format!("revision {revision} published: {accounts} customers in {location}{changes}")
        }
        Note::PublicationRequested => "a publication was requested".to_owned(),
        Note::Ordered { location, order } => format!("its list has place {order} in {location}"),
        Note::Superseded { by, revision } => {
            let later = by.as_ref().map(|mark| format!(", {mark}")).unwrap_or_default();
            format!("revision {revision} not published: a later pull{later} was published before")
        }
        other => format!("{other:?}"),
    };
    answer!("  {}  {what}", time(noted.at));
}

fn print_json(line: &impl Serialize) {
    // Plain data always encodes.
    answer!("{}", serde_json::to_string(line).unwrap_or_default());
}
