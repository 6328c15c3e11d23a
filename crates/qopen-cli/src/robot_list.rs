//! `qopen robots`: the robots of the app, with their states and their last complete lists.

use std::collections::BTreeMap;

use console::{Alignment, measure_text_width, pad_str};
use qopen::http::{Robot, RobotKind, RobotState, Robots, SendError, Sender};
use qopen::types::RobotId;
use serde::Serialize;

use crate::args::RobotsVerb;
use crate::exit::{Exit, Failure};
use crate::kept::Kept;
use crate::kept::last::LastList;
use crate::report::{count, refusal};
use crate::say::{answer, caution, one_line, say};
use crate::settings::{BASE_URL, Settings};

/// Columns of a robot's name, at most.
const NAME: usize = 40;

pub(crate) async fn run(verb: RobotsVerb, settings: Settings) -> Result<Exit, Failure> {
    let RobotsVerb::List { json } = verb;
    // A wrong setting is found before a request.
    settings.journal()?;
    let sender = settings.sender(|it| it)?;
    let Robots { robots, unreadable, .. } =
        sender.robots().await.map_err(|error| failure("the robots cannot be listed", &error))?;
    let (states, failed) = states(&sender, &robots).await;
    let lists = lists(&settings).await;
    let lines: Vec<Line<'_>> = robots
        .iter()
        .map(|robot| {
            let state = states.get(&robot.robot_id).copied().unwrap_or_default();
            Line::of(robot, state, lists.get(robot.robot_id.as_str()))
        })
        .collect();
    print(&lines, json);
    if let Some(failure) = failed {
        return Err(failure);
    }
    if unreadable > 0 {
        let entries = count(unreadable as u64, "robot has", "robots have");
        return Err(Failure::new(
            Exit::Incomplete,
            format!(
                "{entries} no readable id and cannot be listed; give the platform's support the time of this request"
            ),
        ));
    }
    Ok(Exit::Complete)
}

/// Returns the states of the robots that the platform tells, and the failure that ends the command.
async fn states(
    sender: &Sender,
    robots: &[Robot],
) -> (BTreeMap<RobotId, RobotState>, Option<Failure>) {
    let ids: Vec<RobotId> = robots.iter().map(|it| it.robot_id.clone()).collect();
    match sender.robot_status(&ids).await {
        Ok(states) => (states.states, None),
        Err(error) if error.is_not_offered() => {
            caution!(
                "qopen: the platform does not offer the states of robots; ENABLED is not known"
            );
            (BTreeMap::new(), None)
        }
        Err(error) => {
            (BTreeMap::new(), Some(failure("the states of the robots cannot be listed", &error)))
        }
    }
}

fn failure(what: &str, error: &SendError) -> Failure {
    if error.is_not_offered() {
        let why = crate::exit::chain("", error);
        let message = format!(
            "{what}: the platform does not offer that ({why}); check {}, or name each robot by `qopen pull --robot ID`",
            BASE_URL.env
        );
        return Failure::new(Exit::Refused, message);
    }
    match error.is_refusal() {
        true => Failure::new(Exit::Refused, format!("{what}: {}", refusal(error))),
        false if error.is_retryable() => {
            let why = crate::exit::chain(what, error);
            let advice = format!("try again, or check {}", BASE_URL.env);
            Failure::new(Exit::Unexpected, format!("{why}; {advice}"))
        }
        false => Failure::unexpected(what, error),
    }
}

/// Returns the last complete list of each robot in the journal, if there is one that can be read.
async fn lists(settings: &Settings) -> BTreeMap<String, LastList> {
    let lists = async {
        match Kept::open_existing(settings).await? {
            Some(kept) => kept.last_complete().await,
            None => Ok(BTreeMap::new()),
        }
    };
    lists.await.unwrap_or_else(|failure| {
        caution!("qopen: the last complete lists are not shown: {failure}");
        BTreeMap::new()
    })
}

/// A robot on one line: an object of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    name: &'a str,
    kind: &'static str,
    is_online: Option<bool>,
    enabled: Option<bool>,
    last_complete: Option<&'a LastList>,
}

impl<'a> Line<'a> {
    fn of(robot: &'a Robot, state: RobotState, list: Option<&'a LastList>) -> Self {
        Self {
            r#type: "robot",
            robot_id: robot.robot_id.as_str(),
            name: &robot.name,
            kind: match robot.kind {
                RobotKind::Host => "host",
                RobotKind::Platform => "platform",
                RobotKind::Both => "both",
                _ => "other",
            },
            // The state is younger than the list.
            is_online: state.is_online.or(robot.is_online),
            enabled: state.enabled,
            last_complete: list,
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let flag = |it: Option<bool>| match it {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let name = console::truncate_str(&one_line(self.name), NAME, "…").into_owned();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let list = self.last_complete;
        [
            one_line(self.robot_id),
            if name.is_empty() { "-".to_owned() } else { name },
            self.kind.to_owned(),
            flag(self.is_online).to_owned(),
            flag(self.enabled).to_owned(),
            or_dash(list.and_then(|it| it.accounts).map(|it| it.to_string())),
            or_dash(list.and_then(|it| it.started.clone())),
            or_dash(list.and_then(|it| it.age_s).map(age)),
            or_dash(list.map(|it| one_line(&it.mark_id))),
        ]
    }
}

/// An age in its largest unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

const COLUMNS: usize = 9;

const TITLES: [&str; COLUMNS] = [
    "ROBOT",
    "NAME",
    "KIND",
    "ONLINE",
    "ENABLED",
    "CUSTOMERS",
    "LAST COMPLETE LIST",
    "AGE",
    "MARK",
];

fn print(lines: &[Line<'_>], json: bool) {
    if json {
        for line in lines {
            // Plain data always encodes.
            answer!("{}", serde_json::to_string(line).unwrap_or_default());
        }
        return;
    }
    if lines.is_empty() {
        say!("qopen: the app has no robots");
        return;
    }
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths);
        let padded: Vec<_> =
            cells.map(|(cell, width)| pad_str(cell, width, Alignment::Left, None)).collect();
        answer!("{}", padded.join("  ").trim_end());
    }
}
