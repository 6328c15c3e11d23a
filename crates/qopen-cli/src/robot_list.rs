//! `qopen robots`: the robots of the app, with their states and their last complete lists.

use std::collections::BTreeMap;

use qopen::http::{Robot, RobotState, Robots, SendError, Sender};
use qopen::types::RobotId;
use serde::Serialize;

use crate::app_robots::kind;
use crate::args::RobotsVerb;
use crate::exit::{Exit, Failure, chained};
use crate::kept::Kept;
use crate::kept::last::LastList;
use crate::lang::{Phrase, Text, phrase};
use crate::report::{Noun, refusal};
use crate::say::{answer, caution, tell};
use crate::settings::{BASE_URL, Settings};
use crate::table::{self, Cell, Column, Reader, Tint};
use crate::topics::warnings;

pub(crate) async fn run(verb: RobotsVerb, settings: Settings) -> Result<Exit, Failure> {
    let RobotsVerb::List { json } = verb;
    // A wrong setting is found before a request.
    settings.journal()?;
    let sender = settings.sender(|it| it)?;
    let Robots { robots, unreadable, .. } =
        sender.robots().await.map_err(|error| failure(LISTED, &error))?;
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
        let said = phrase!(
            "{entries} no readable id and cannot be listed; give the platform's support the time of this request",
            "{entries}没有可读的 ID，无法列出；请向平台客服提供本次请求的时间",
            entries = Noun::new("robot has", "robots have", "个机器人").count(unreadable as u64),
        );
        return Err(Failure::new(Exit::Incomplete, said));
    }
    Ok(Exit::Complete)
}

const LISTED: Text = Text::new("the robots cannot be listed", "无法列出机器人");

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
                warnings::STATES_NOT_OFFERED,
                "the platform does not offer the states of robots; ENABLED is not known",
                "平台不提供机器人状态；“启用”（ENABLED）未知",
            );
            (BTreeMap::new(), None)
        }
        Err(error) => (
            BTreeMap::new(),
            Some(failure(
                Text::new("the states of the robots cannot be listed", "无法列出机器人的状态"),
                &error,
            )),
        ),
    }
}

fn failure(what: Text, error: &SendError) -> Failure {
    if error.is_not_offered() {
        let message = phrase!(
            "{what}: the platform does not offer that ({why}); check {name}, or name each robot by `qopen pull --robot ID`",
            "{what}：平台不提供该功能（{why}）；请检查 {name}，或用 `qopen pull --robot ID` 指定每个机器人",
            what = what,
            why = chained("", error),
            name = BASE_URL.env,
        );
        return Failure::new(Exit::Refused, message);
    }
    match error.is_refusal() {
        true => Failure::new(Exit::Refused, Phrase::about(what, refusal(error))),
        false if error.is_retryable() => {
            let said = phrase!(
                "{why}; try again, or check {name}",
                "{why}；请重试，或检查 {name}",
                why = chained(what, error),
                name = BASE_URL.env,
            );
            Failure::new(Exit::Unexpected, said)
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
        caution!(
            warnings::LAST_LISTS_UNKNOWN,
            "the last complete lists are not shown: {why}",
            "不显示最近的完整列表：{why}",
            why = failure.message(),
        );
        BTreeMap::new()
    })
}

/// A robot on one line: an object of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    name: &'a str,
    kind: Text,
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
            kind: kind(robot.kind),
            // The state is younger than the list.
            is_online: state.is_online.or(robot.is_online),
            enabled: state.enabled,
            last_complete: list,
        }
    }

    fn row(&self) -> [Cell; 9] {
        let list = self.last_complete;
        let online = flag(self.is_online).tinted(self.is_online.map(well));
        let enabled = flag(self.enabled).tinted(self.enabled.map(well));
        [
            Cell::new(self.robot_id),
            Cell::new(self.kind),
            online,
            enabled,
            Cell::of(list.and_then(|it| it.accounts)),
            Cell::of(list.and_then(|it| it.started.as_ref())),
            Cell::new(list.and_then(|it| it.age_s).map(age).unwrap_or_default()),
            Cell::of(list.map(|it| &it.mark_id)),
            Cell::new(self.name),
        ]
    }
}

fn flag(is: Option<bool>) -> Cell {
    let word = |it| if it { phrase!("yes", "是") } else { phrase!("no", "否") };
    Cell::new(is.map(word).unwrap_or_default())
}

fn well(is: bool) -> Tint {
    if is { Tint::Good } else { Tint::Bad }
}

/// An age in its largest unit, in one word.
fn age(seconds: u64) -> Phrase {
    let (n, unit) = match seconds {
        0..60 => (seconds, Text::new("s", "秒")),
        60..3_600 => (seconds / 60, Text::new("min", "分钟")),
        3_600..86_400 => (seconds / 3_600, Text::new("h", "小时")),
        _ => (seconds / 86_400, Text::new("d", "天")),
    };
    phrase!("{n}{unit}", "{n} {unit}", n = n, unit = unit)
}

const COLUMNS: [Column; 9] = [
    Column::text(table::ROBOT, 0, 8),
    Column::word(table::KIND, 6),
    Column::word(Text::new("ONLINE", "在线"), 4),
    Column::word(Text::new("ENABLED", "启用"), 5),
    Column::number(table::CUSTOMERS, 2),
    Column::word(Text::new("LAST-LIST", "最近列表"), 8),
    Column::number(Text::new("AGE", "距今"), 1),
    Column::text(table::MARK, 7, 14),
    Column::text(table::NAME, 3, 12),
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
        tell!("the app has no robots", "该应用没有机器人");
        return;
    }
    let rows: Vec<_> = lines.iter().map(Line::row).collect();
    table::print(&COLUMNS, &rows, Reader::of_stdout());
}

#[cfg(test)]
mod tests {
    use qopen::http::RobotKind;

    use super::*;

    #[test]
    fn the_table_of_robots() {
        let list = |mark: &str, age_s, accounts| LastList {
            mark_id: mark.to_owned(),
            started: Some("2026-03-01T12:00:00Z".to_owned()),
            age_s: Some(age_s),
            accounts: Some(accounts),
        };
        let lists = [
            list("0193ab12-34cd-7000-8000-000000000001", 59, 3),
            list("manual", 90_000 * 40, 1_234_567),
        ];
        let line = |robot_id, name, of, is_online, enabled, last_complete| Line {
            r#type: "robot",
            robot_id,
            name,
            kind: kind(of),
            is_online,
            enabled,
            last_complete,
        };
        let (yes, no) = (Some(true), Some(false));
        let long = "a very long name ".repeat(20);
        let lines = [
            line("r1", "客服小王", RobotKind::Host, yes, yes, Some(&lists[0])),
            line(
                "wo-robot-客服小王的机器人",
                "odd\u{1b}[31m\nname",
                RobotKind::Both,
                no,
                yes,
                Some(&lists[1]),
            ),
            line("p1", "", RobotKind::Platform, None, no, None),
            line("r3", &long, RobotKind::Platform, None, None, None),
        ];
        let rows: Vec<_> = lines.iter().map(Line::row).collect();
        insta::assert_snapshot!(table::for_each_reader(&COLUMNS, &rows));
    }
}
