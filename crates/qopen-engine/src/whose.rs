//! Which pull something belongs to, by the names that it carries.

use qopen_journal::{Journal, JournalError, PullId, PullState};
use qopen_types::{Digest, MarkId, QuotedTexts, RobotId};

/// The names that something carries, as far as they can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) robot_id: Option<&'a RobotId>,
    pub(crate) mark_id: Option<&'a MarkId>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(pull: &'a PullId) -> Self {
        Self { robot_id: Some(&pull.robot_id), mark_id: Some(&pull.mark_id) }
    }

    /// The pull that is named in full.
    pub(crate) fn pull(&self) -> Option<PullId> {
        let (robot_id, mark_id) = (self.robot_id?.clone(), self.mark_id?.clone());
        Some(PullId { robot_id, mark_id })
    }

    fn fit(&self, pull: &PullId) -> bool {
        self.robot_id.is_none_or(|robot| *robot == pull.robot_id)
            && self.mark_id.is_none_or(|mark| *mark == pull.mark_id)
    }

    /// The only one of these pulls that the names fit.
    pub(crate) fn only<T>(
        &self,
        pulls: impl IntoIterator<Item = T>,
        id: impl Fn(&T) -> &PullId,
    ) -> Option<T> {
        let mut fitting = pulls.into_iter().filter(|pull| self.fit(id(pull)));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// The journal's pulls that the names fit; none without a name.
    pub(crate) async fn among(
        &self,
        journal: &dyn Journal,
    ) -> Result<Vec<PullState>, JournalError> {
        if let Some(pull) = self.pull() {
            return Ok(journal.pull(&pull).await?.into_iter().collect());
        }
        match (self.robot_id, self.mark_id) {
            (Some(robot), _) => journal.pulls_of(robot).await,
            (None, Some(mark)) => journal.pulls_marked(mark).await,
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// What something unreadable counts against.
pub(crate) struct Against {
    pub(crate) pulls: Vec<PullId>,
    /// Whether it names them by their mark, and not by less.
    pub(crate) by_mark: bool,
}

/// The pulls that something unreadable counts against, of those that are open (evidence rule E2): those
/// whose mark it names; else, where it names no mark, those of its robot; else all of them.
///
/// A mark that differs from a pull's only in the case of its letters names that pull. Names in a text
/// that is `damaged` may be damaged too: one that resembles a pull's is that pull's, and a mark that
/// resembles none does not outweigh a robot that does.
pub(crate) fn counts_against<'a>(
    payload: &[u8],
    Names { robot_id, mark_id }: Names<'_>,
    damaged: bool,
    open: impl IntoIterator<Item = &'a PullId>,
) -> Against {
    let open: Vec<&PullId> = open.into_iter().collect();
    let texts = QuotedTexts::of(payload);
    let resembles =
        |named: &str, name: &str, of: (usize, usize)| damaged && resembles(named, name, of);
    let marked = |pull: &&&PullId| is_near(payload, &texts, mark_id, &pull.mark_id);
    let almost = |pull: &&&PullId| {
        mark_id.is_some_and(|mark| resembles(mark.as_str(), pull.mark_id.as_str(), MARK))
    };
    let mut named: Vec<&PullId> = open.iter().filter(marked).copied().collect();
    if named.is_empty() {
        named = open.iter().filter(almost).copied().collect();
    }
    let by_mark = !named.is_empty();
    let exactly = |pull: &&PullId| robot_id == Some(&pull.robot_id);
    let any_exactly = open.iter().any(exactly);
    let of_robot = |pull: &&PullId| {
        let robot = |robot: &RobotId| resembles(robot.as_str(), pull.robot_id.as_str(), ROBOT);
        exactly(pull) || !any_exactly && robot_id.is_some_and(robot)
    };
    // A remnant of a name may be a part of any name.
    let remnant = |name: &str, least: usize| damaged && name.len() < least;
    let against: Vec<&PullId> = match (robot_id, mark_id) {
        // Of pulls that share a mark, the one of the robot that it names.
        _ if named.iter().any(exactly) => named.into_iter().filter(exactly).collect(),
        _ if by_mark => named,
        (None, None) => open,
        (None, Some(mark)) if remnant(mark.as_str(), TELLING) => open,
        (Some(robot), None) if !any_exactly && remnant(robot.as_str(), RESEMBLING) => open,
        (Some(_), None) => open.into_iter().filter(of_robot).collect(),
        (_, Some(_)) if damaged => open.into_iter().filter(of_robot).collect(),
        // It names a pull that is not one of these.
        (_, Some(_)) => Vec::new(),
    };
    Against { pulls: against.into_iter().cloned().collect(), by_mark }
}

/// Items without an owner that are noted against one pull; one more represents all later ones.
const DOUBTS: usize = 256;

/// What is noted for an item against a pull with that number of doubts.
pub(crate) fn doubt_of(item: Digest, doubts: usize) -> Digest {
    if doubts < DOUBTS { item } else { Digest::of(b"more items than are noted") }
}

/// The part of a mark, and of a robot, which is shorter, that must be left.
const MARK: (usize, usize) = (5, 6);
const ROBOT: (usize, usize) = (1, 2);

/// Whether a name is what may be left of another, or what damage has made of it: that part of the
/// shorter one occurs in the longer one, in the same order.
fn resembles(named: &str, name: &str, (part, whole): (usize, usize)) -> bool {
    let (named, name) = (named.to_ascii_lowercase(), name.to_ascii_lowercase());
    let shorter = named.len().min(name.len());
    // The longest common subsequence with each beginning of the name.
    let mut common = vec![0_usize; name.len() + 1];
    for a in named.bytes() {
        let mut before = 0;
        for (at, b) in name.bytes().enumerate() {
            let above = common[at + 1];
            common[at + 1] = if a == b { before + 1 } else { above.max(common[at]) };
            before = above;
        }
    }
    shorter >= RESEMBLING && common[name.len()] * whole >= shorter * part
}

/// Names shorter than this resemble nothing.
const RESEMBLING: usize = 3;

/// Shorter marks are looked for only in the place of a mark: as a word they may be anything.
const TELLING: usize = 8;

fn is_near(payload: &[u8], texts: &QuotedTexts, named: Option<&MarkId>, mark: &MarkId) -> bool {
    let mark = mark.as_str();
    named.is_some_and(|it| it.as_str().trim().eq_ignore_ascii_case(mark.trim()))
        // Damaged quotes leave the mark itself unchanged.
        || mark.len() >= TELLING
            && (memchr::memmem::find(payload, mark.as_bytes()).is_some()
                || texts.contains_ignoring_case(mark))
}
