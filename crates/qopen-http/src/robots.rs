//! All robots of the app: the union of GetHostAccountList and GetPlatformRobotList.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use qopen_types::{
    Digest, Endpoint, GetHostAccountList, GetPlatformRobotList, HostAccountListRequest, Item,
    PlatformRobotListRequest, RobotId, TolerantVec,
};

use crate::content_error::ContentError;
use crate::{SendError, Sender};

/// Robots that a page may have, by the platform's limit.
const PAGE: i64 = 100;

/// Most pages of a list.
const PAGES: usize = 10_000;

/// The lists that have a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RobotKind {
    /// A scan-code robot, which has an online state.
    Host,
    /// A platform robot.
    Platform,
    /// Both lists have the robot.
    Both,
}

/// A robot of the app. `Debug` does not show the name.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Robot {
    /// The robot's id on the platform.
    pub robot_id: RobotId,
    /// The lists that have it.
    pub kind: RobotKind,
    /// Display name, empty if the platform gave none.
    pub name: String,
    /// Whether a scan-code robot is logged in, if the platform said so.
    pub is_online: Option<bool>,
}

impl fmt::Debug for Robot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Robot")
            .field("robot_id", &self.robot_id)
            .field("kind", &self.kind)
            .field("is_online", &self.is_online)
            .finish_non_exhaustive()
    }
}

impl Robot {
    /// The robot that two lists, or two pages, have.
    fn merge(&mut self, other: Self) {
        // The host list is the one that knows names and states as the member sees them.
        let (host, platform) = match (self.kind, other.kind) {
            (RobotKind::Platform, RobotKind::Host) => (other, self.clone()),
            _ => (self.clone(), other),
        };
        *self = Self {
            kind: if host.kind == platform.kind { host.kind } else { RobotKind::Both },
            name: if host.name.is_empty() { platform.name } else { host.name },
            is_online: host.is_online.or(platform.is_online),
            robot_id: host.robot_id,
        };
    }
}

/// The robots of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Robots {
    /// The robots, each once, ordered by id.
    pub robots: Vec<Robot>,
    /// Entries of the lists whose id is unreadable, each different one once.
    pub unreadable: usize,
}

impl Sender {
    /// Lists all robots of the app: scan-code robots and platform robots (protocol section 6).
    ///
    /// Reads both lists in pages of 100 robots, each page with the retries, the token and the rate limit
    /// of [`call`](Self::call). The platform may add or remove a robot between two pages.
    ///
    /// # Errors
    /// [`SendError`]. [`is_not_offered`](SendError::is_not_offered) tells that the platform does not
    /// offer one of the lists. [`SendError::Content`], if a list does not end: a page has no new robot
    /// although more pages should follow, or there are more than 10,000 pages.
    pub async fn robots(&self) -> Result<Robots, SendError> {
        let mut union = Union::default();
        self.all_pages::<GetHostAccountList>(&mut union).await?;
        self.all_pages::<GetPlatformRobotList>(&mut union).await?;
        Ok(Robots {
            robots: union.robots.into_values().collect(),
            unreadable: union.unreadable.len(),
        })
    }

    async fn all_pages<E: RobotPages>(&self, union: &mut Union) -> Result<(), SendError> {
        let wrong = |source| SendError::Content { endpoint: E::NAME, source };
        // A robot of the other list is new to this one.
        let mut seen = BTreeSet::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            let answer = self.call::<E>(&E::request(offset, PAGE)).await?;
            let page = E::page(answer).unwrap_or_default();
            if page.has_more.is_none() && page.entries.is_none() {
                return Err(wrong(ContentError::Absent { field: E::LIST }));
            }
            let entries = page.entries.unwrap_or_default();
            let length = i64::try_from(entries.len()).unwrap_or(PAGE);
            let before = seen.len();
            for entry in entries {
                seen.insert(union.add(entry));
            }
            // Encoders that leave out `false` leave out the end of the list.
            if !page.has_more.unwrap_or(length >= PAGE) {
                return Ok(());
            }
            if seen.len() == before {
                return match page.has_more {
                    Some(_) => Err(wrong(ContentError::NothingNew { offset })),
                    None => Ok(()),
                };
            }
            offset += length;
        }
        Err(wrong(ContentError::TooManyPages { pages: PAGES }))
    }
}

/// The robots of all pages so far.
#[derive(Default)]
struct Union {
    robots: BTreeMap<RobotId, Robot>,
    unreadable: BTreeSet<Digest>,
}

impl Union {
    /// Adds an entry, and returns what tells it from others.
    fn add(&mut self, entry: Entry) -> Result<RobotId, Digest> {
        match entry {
            Ok(robot) => {
                let id = robot.robot_id.clone();
                match self.robots.get_mut(&id) {
                    Some(known) => known.merge(robot),
                    None => drop(self.robots.insert(id.clone(), robot)),
                }
                Ok(id)
            }
            Err(digest) => {
                self.unreadable.insert(digest);
                Err(digest)
            }
        }
    }
}

/// A robot, or the digest of an unreadable entry.
type Entry = Result<Robot, Digest>;

#[derive(Default)]
struct Page {
    has_more: Option<bool>,
    /// `None` if the answer has no list.
    entries: Option<Vec<Entry>>,
}

/// A list of robots with pages.
trait RobotPages: Endpoint {
    /// The field of the list, for messages.
    const LIST: &'static str;

    fn request(offset: i64, limit: i64) -> Self::Request;

    fn page(answer: Self::Response) -> Option<Page>;
}

impl RobotPages for GetHostAccountList {
    const LIST: &'static str = "host_account_list";

    fn request(offset: i64, limit: i64) -> HostAccountListRequest {
        let mut request = HostAccountListRequest::default();
        (request.offset, request.limit) = (offset, limit);
        request
    }

    fn page(answer: Self::Response) -> Option<Page> {
        let page = answer.data?;
        let entries = entries(page.host_account_list, |it| Robot {
            robot_id: it.robot_id,
            kind: RobotKind::Host,
            name: it.name,
            is_online: it.is_online,
        });
        Some(Page { has_more: page.has_more, entries })
    }
}

impl RobotPages for GetPlatformRobotList {
    const LIST: &'static str = "robot_list";

    fn request(offset: i64, limit: i64) -> PlatformRobotListRequest {
        let mut request = PlatformRobotListRequest::default();
        (request.offset, request.limit) = (offset, limit);
        request
    }

    fn page(answer: Self::Response) -> Option<Page> {
        let page = answer.data?;
        let entries = entries(page.robot_list, |it| Robot {
            robot_id: it.robot_id,
            kind: RobotKind::Platform,
            name: it.name,
            is_online: None,
        });
        Some(Page { has_more: page.has_more, entries })
    }
}

fn entries<T>(list: Option<TolerantVec<T>>, robot: impl Fn(T) -> Robot) -> Option<Vec<Entry>> {
    let entry = |item| match item {
        Item::Valid(it) => Ok(robot(it)),
        Item::Invalid(it) => Err(Digest::of(it.raw.as_str().as_bytes())),
    };
    list.map(|list| list.into_iter().map(entry).collect())
}
