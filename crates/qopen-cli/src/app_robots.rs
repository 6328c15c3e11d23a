//! The robots of the app, as the platform lists them.

use std::collections::BTreeSet;

use qopen::Client;
use qopen::http::{RobotKind, RobotStates, Robots, SendError, Sender};
use qopen::types::RobotId;

use crate::exit::{Exit, Failure, chained};
use crate::lang::{COMMA, Phrase, Text, phrase};
use crate::report::{Noun, ROBOTS, refusal};
use crate::say::{say, tell};
use crate::settings::BASE_URL;

/// Maximum number of ids in a text.
pub(crate) const SHOWN: usize = 10;

/// The robots of the app.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppRobots {
    /// Robots that can be pulled, ordered by id.
    pub(crate) usable: Vec<RobotId>,
    /// Robots that were recycled.
    pub(crate) recycled: BTreeSet<RobotId>,
    /// Number of robots whose id is unreadable.
    unreadable: usize,
    /// Why it is unknown which robots were recycled.
    unknown: Option<Phrase>,
}

impl AppRobots {
    /// Asks the platform for both lists of robots, and for the states of the robots in them.
    ///
    /// # Errors
    /// [`SendError`]: a list cannot be read. Without the states, every robot counts as usable.
    pub(crate) async fn ask(sender: &Sender) -> Result<Self, SendError> {
        let listed = sender.robots().await?;
        Ok(Self::of_listed(sender, &listed).await)
    }

    /// The same of robots that the platform has listed.
    pub(crate) async fn of_listed(sender: &Sender, listed: &Robots) -> Self {
        let states = sender.robot_status(&ids(listed)).await;
        Self::of_answers(listed, states)
    }

    /// The same through a client.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn of(client: &Client) -> Result<Self, SendError> {
        let listed = client.robots().await?;
        let states = client.robot_status(&ids(&listed)).await;
        Ok(Self::of_answers(&listed, states))
    }

    fn of_answers(listed: &Robots, states: Result<RobotStates, SendError>) -> Self {
        let (states, unknown) = match states {
            Ok(states) => (states.states, None),
            Err(error) if error.is_not_offered() => {
                let why = phrase!("the platform does not offer the call", "平台不提供该接口");
                (Default::default(), Some(why))
            }
            Err(error) => (Default::default(), Some(refusal(&error))),
        };
        let is_recycled =
            |robot: &RobotId| states.get(robot).is_some_and(|it| it.enabled == Some(false));
        let (recycled, usable): (Vec<_>, Vec<_>) = ids(listed).into_iter().partition(is_recycled);
        let recycled = recycled.into_iter().collect();
        Self { usable, recycled, unreadable: listed.unreadable, unknown }
    }

    /// Whether the robot can be pulled.
    pub(crate) fn is_usable(&self, robot: &RobotId) -> bool {
        self.usable.binary_search(robot).is_ok()
    }

    /// Whether a list has the robot.
    pub(crate) fn has(&self, robot: &RobotId) -> bool {
        self.recycled.contains(robot) || self.is_usable(robot)
    }

    /// Returns what a person should know about robots that are left out, one sentence each.
    pub(crate) fn remarks(&self) -> Vec<Phrase> {
        let mut all = Vec::new();
        if !self.recycled.is_empty() {
            let recycled = Noun::new("recycled robot", "recycled robots", "个已回收的机器人");
            all.push(phrase!(
                "{robots} left out: {names}",
                "不含 {robots}：{names}",
                robots = recycled.count(self.recycled.len() as u64),
                names = names(self.recycled.iter(), SHOWN),
            ));
        }
        if self.unreadable > 0 {
            all.push(phrase!(
                "{robots} left out: the id in the platform's list is unreadable",
                "不含 {robots}：平台列表中的 ID 无法读取",
                robots = ROBOTS.count(self.unreadable as u64),
            ));
        }
        if let Some(why) = &self.unknown {
            all.push(phrase!(
                "the states of the robots are unknown: {why}; no robot is left out",
                "机器人状态未知：{why}；不排除任何机器人",
                why = why,
            ));
        }
        all
    }

    /// Explains why no robot can be pulled.
    pub(crate) fn why_none(&self) -> Text {
        match (self.recycled.is_empty(), self.unreadable) {
            (true, 0) => {
                Text::new("the platform lists no robot of this app", "平台没有列出本应用的机器人")
            }
            (false, 0) => {
                Text::new("every robot of this app is recycled", "本应用的机器人都已被回收")
            }
            _ => Text::new(
                "the platform lists no robot of this app whose id is readable and that is not recycled",
                "平台没有列出本应用 ID 可读且未被回收的机器人",
            ),
        }
    }
}

fn ids(listed: &Robots) -> Vec<RobotId> {
    listed.robots.iter().map(|it| it.robot_id.clone()).collect()
}

/// Returns the first `most` ids, and the number of further ones.
pub(crate) fn names<'a>(robots: impl ExactSizeIterator<Item = &'a RobotId>, most: usize) -> Phrase {
    let more = robots.len().saturating_sub(most);
    let mut shown: Vec<Phrase> = robots.take(most).map(|it| it.to_string().into()).collect();
    if more > 0 {
        shown.push(phrase!("{n} more", "另外 {n} 个", n = more));
    }
    Phrase::join(&shown, COMMA)
}

/// Returns the word for the kind of a robot.
pub(crate) fn kind(kind: RobotKind) -> Text {
    match kind {
        RobotKind::Host => Text::new("host", "扫码"),
        RobotKind::Platform => Text::new("platform", "平台"),
        RobotKind::Both => Text::new("both", "扫码与平台"),
        _ => Text::new("other", "其他"),
    }
}

/// Describes why the robots cannot be listed.
pub(crate) fn not_listed(error: &SendError) -> Phrase {
    let why = match error.is_not_offered() {
        true => phrase!(
            "{why}; the platform does not offer the list, or {name} is not the gateway's",
            "{why}；平台不提供该列表，或 {name} 不是网关地址",
            why = chained("", error),
            name = BASE_URL.env,
        ),
        false => refusal(error),
    };
    phrase!(
        "the robots of the app cannot be listed: {why}",
        "无法列出本应用的机器人：{why}",
        why = why,
    )
}

/// Returns the robots of `--all-robots`, and prints which ones are left out.
pub(crate) async fn wanted(sender: &Sender) -> Result<Vec<RobotId>, Failure> {
    let found = AppRobots::ask(sender).await.map_err(|error| {
        let exit = if error.is_refusal() { Exit::Refused } else { Exit::Unexpected };
        let unreachable = matches!(error, SendError::Transport { connected: false, .. });
        let advice = match (exit, unreachable) {
            (_, true) => phrase!("; check {name}", "；请检查 {name}", name = BASE_URL.env),
            (Exit::Refused, _) => phrase!(
                "; name the robots with --robot or --robots-file",
                "；请用 --robot 或 --robots-file 指定机器人",
            ),
            _ => Phrase::default(),
        };
        let message = phrase!(
            "--all-robots: {why}{advice}",
            "--all-robots：{why}{advice}",
            why = not_listed(&error),
            advice = advice,
        );
        Failure::new(exit, message)
    })?;
    found.remarks().iter().for_each(|it| say!("qopen: {}", it.shown()));
    if found.usable.is_empty() {
        return Err(Failure::usage(phrase!(
            "--all-robots: {why}; name robots with --robot or --robots-file",
            "--all-robots：{why}；请用 --robot 或 --robots-file 指定机器人",
            why = found.why_none(),
        )));
    }
    let robots = ROBOTS.count(found.usable.len() as u64);
    tell!("pulling {robots}", "正在拉取 {robots}", robots = robots);
    Ok(found.usable)
}

#[cfg(test)]
impl AppRobots {
    /// An app with these robots.
    pub(crate) fn usable(robots: &[&str]) -> Self {
        let usable = robots.iter().map(|it| it.parse().unwrap()).collect();
        Self { usable, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_that_are_left_out_are_said() {
        let id = |n: usize| format!("r{n}").parse::<RobotId>().unwrap();
        let mut found = AppRobots { usable: vec![id(1)], ..AppRobots::default() };
        assert!(found.remarks().is_empty());
        found.recycled = (10..22).map(id).collect();
        found.unreadable = 1;
        found.unknown = Some("why".into());
        let remarks: Vec<_> = found.remarks().iter().map(|it| it.english().to_owned()).collect();
        assert_eq!(
            remarks[0],
            "12 recycled robots left out: r10, r11, r12, r13, r14, r15, r16, r17, r18, r19, 2 more"
        );
        assert!(remarks[1].starts_with("1 robot left out: the id "), "{remarks:?}");
        assert!(remarks[2].ends_with("unknown: why; no robot is left out"), "{remarks:?}");
        assert!(found.has(&id(1)) && found.has(&id(15)) && !found.has(&id(2)));
    }
}
