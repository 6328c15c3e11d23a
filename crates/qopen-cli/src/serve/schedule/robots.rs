//! The robots of a schedule.

use std::collections::BTreeSet;
use std::fmt;

use qopen::types::RobotId;

use crate::app_robots::names;
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
    pub(super) fn of(entry: &Entry) -> Result<Self, String> {
        match &entry.robots {
            RobotNames::AllExcept(names) => {
                Ok(Self::AllExcept(ids("except", names)?.into_iter().collect()))
            }
            RobotNames::Listed(names) if names.is_empty() => {
                Err("robots: no robot is named; write robots = [\"ROBOT_ID\"]".to_owned())
            }
            RobotNames::Listed(names) if names.iter().any(|it| it.trim() == ALL) => {
                Err("robots: \"all\" is no id; for all robots of the app write robots = \"all\""
                    .to_owned())
            }
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
}

impl fmt::Display for Robots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(robots) => write!(f, "robots {}", names(robots.iter(), SHOWN)),
            Self::AllExcept(except) if except.is_empty() => f.write_str("all robots of the app"),
            Self::AllExcept(except) => {
                write!(f, "all robots of the app except {}", names(except.iter(), SHOWN))
            }
        }
    }
}

fn ids(key: &str, names: &[String]) -> Result<Vec<RobotId>, String> {
    let read = |name: &String| {
        robots::listed(name, "write each id in quotes of its own, such as [\"ID_1\", \"ID_2\"]")
            .map_err(|why| format!("{key}: the id {name:?}: {why}"))
    };
    names.iter().map(read).collect()
}
