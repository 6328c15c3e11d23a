//! The robots of a schedule.

use std::collections::BTreeSet;

use qopen::types::RobotId;

use crate::app_robots::names;
use crate::lang::{Phrase, Text, phrase};
use crate::robots;
use crate::settings::schedule::{ALL, Entry, RobotNames};

/// Maximum number of robots in a text.
const SHOWN: usize = 3;

/// The robots of a schedule.
#[derive(Clone, Debug)]
pub(super) enum Robots {
    /// Each robot once, in the order of the file.
    Listed(Vec<RobotId>),
    /// All robots of the app except these. The platform lists them at each due time.
    AllExcept(BTreeSet<RobotId>),
}

impl Robots {
    /// Reads the robots of an entry.
    ///
    /// # Errors
    /// An id is invalid, or no robot is named.
    pub(super) fn of(entry: &Entry) -> Result<Self, Phrase> {
        match &entry.robots {
            RobotNames::AllExcept(names) => {
                Ok(Self::AllExcept(ids("except", names)?.into_iter().collect()))
            }
            RobotNames::Listed(names) if names.is_empty() => Err(phrase!(
                "robots: no robot is named; write robots = [\"ROBOT_ID\"]",
                "robots：没有指定机器人；请写 robots = [\"ROBOT_ID\"]",
            )),
            RobotNames::Listed(names) if names.iter().any(|it| it.trim() == ALL) => Err(phrase!(
                "robots: \"all\" is no id; for all robots of the app write robots = \"all\"",
                "robots：\"all\" 不是 ID；要拉取本应用的全部机器人，请写 robots = \"all\"",
            )),
            RobotNames::Listed(names) => {
                let (mut robots, mut seen) = (ids("robots", names)?, BTreeSet::new());
                robots.retain(|robot| seen.insert(robot.clone()));
                Ok(Self::Listed(robots))
            }
        }
    }

    /// The robots that the file names.
    pub(super) fn listed(&self) -> &[RobotId] {
        match self {
            Self::Listed(robots) => robots,
            Self::AllExcept(_) => &[],
        }
    }

    /// Whether a robot of the app is one of these.
    pub(super) fn has(&self, robot: &RobotId) -> bool {
        match self {
            Self::Listed(robots) => robots.contains(robot),
            Self::AllExcept(except) => !except.contains(robot),
        }
    }

    /// Whether a check of the place for `other` checked it for these, too.
    pub(super) fn are_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Listed(these), Self::Listed(those)) => {
                these.iter().all(|robot| those.contains(robot))
            }
            (Self::AllExcept(_), Self::AllExcept(_)) => true,
            _ => false,
        }
    }

    /// Describes the robots.
    pub(super) fn in_words(&self) -> Phrase {
        match self {
            Self::Listed(robots) => {
                phrase!("robots {names}", "机器人 {names}", names = names(robots.iter(), SHOWN),)
            }
            Self::AllExcept(except) if except.is_empty() => {
                phrase!("all robots of the app", "本应用的全部机器人")
            }
            Self::AllExcept(except) => phrase!(
                "all robots of the app except {names}",
                "本应用的全部机器人，除了 {names}",
                names = names(except.iter(), SHOWN),
            ),
        }
    }
}

fn ids(key: &str, names: &[String]) -> Result<Vec<RobotId>, Phrase> {
    let read = |name: &String| {
        let each = Text::new(
            "write each id in quotes of its own, such as [\"ID_1\", \"ID_2\"]",
            "请为每个 ID 各写一对引号，例如 [\"ID_1\", \"ID_2\"]",
        );
        robots::listed(name, each).map_err(|why| {
            phrase!(
                "{key}: the id {name}: {why}",
                "{key}：ID {name}：{why}",
                key = key,
                name = format!("{name:?}"),
                why = why,
            )
        })
    };
    names.iter().map(read).collect()
}
