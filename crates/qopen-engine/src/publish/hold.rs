//! Lists that are held: too many customers are gone, one of them is still there, or a robot is left out.

use qopen_journal::{Note, PullState};
use qopen_sink::{Compared, ListWriter, Predecessor};
use qopen_types::RobotId;

use super::compare::compare;
use super::gone::Gone;
use super::guard::MaxGone;
use super::lookup::GoneCheck;
use super::options::PublishOptions;
use super::published::{LeftOutRobot, PublishError, PublishedList};
use super::work::Work;

/// Why lists are held.
pub(super) enum Hold {
    TooManyGone(Compared, MaxGone),
    PagesLost(RobotId, GoneCheck),
    RobotsLeftOut(Vec<LeftOutRobot>),
}

/// What a comparison found: what holds the lists, and robots of the last list that they leave out.
pub(super) type Checked = (Option<Hold>, Vec<Compared>);

/// Maximum number of robots in the note of a held list.
const NOTED: usize = 1000;

impl Work<'_> {
    /// Compares the lists with the last ones, and returns what holds them: the guard, a customer who is still
    /// there, or a robot of the last list that they leave out. If a person accepted one of them, none is held, and
    /// the platform is not asked about customers.
    ///
    /// Other publications to the place may go on while the platform is asked. If they change who is gone, the
    /// platform is asked again.
    pub(super) fn compare_and_check(
        &self,
        writer: &mut dyn ListWriter,
        options: &PublishOptions,
        lists: &mut [PublishedList],
        moved: &dyn Fn(),
    ) -> Result<Checked, PublishError> {
        let mut verified = None;
        loop {
            let mut gone = match &options.verify_gone {
                Some(_) => Some(Gone::in_folder(self.sink.scratch()).map_err(PublishError::Sink)?),
                None => None,
            };
            let left_out = compare(writer, options.compare, &mut gone, lists)?;
            moved();
            let lost = options.lost_robots(&left_out);
            if options.max_gone.is_none() && gone.is_none() && lost.is_empty() {
                return Ok((None, left_out));
            }
            let states = self.lists.iter().map(|list| self.facts(list));
            let states = states.collect::<Result<Vec<_>, _>>()?;
            if states.iter().flatten().any(PullState::is_held_list_accepted) {
                return Ok((None, left_out));
            }
            if !lost.is_empty() {
                return Ok((Some(Hold::RobotsLeftOut(lost)), left_out));
            }
            if let Some(limit) = options.max_gone
                && let Some(over) = lists.iter().find_map(|it| exceeding(it, limit))
            {
                return Ok((Some(Hold::TooManyGone(over.clone(), limit)), left_out));
            }
            if let Some((lookup, gone)) = options.verify_gone.as_deref().zip(gone) {
                let all = gone.of_all();
                if verified.as_ref() != Some(&all) {
                    let is_released =
                        !all.is_empty() && writer.release().map_err(PublishError::Sink)?;
                    self.verify(lookup, gone, &states, lists, moved)?;
                    verified = Some(all);
                    if is_released {
                        continue;
                    }
                }
            }
            let still_there = |it: &PublishedList| {
                let check = it.gone_check.filter(|check| check.present > 0)?;
                Some(Hold::PagesLost(it.id.robot_id.clone(), check))
            };
            return Ok((lists.iter().find_map(still_there), left_out));
        }
    }

    /// Keeps the lists beside the last ones, and notes that. Returns the error of the publication.
    pub(super) fn hold(
        &self,
        writer: Box<dyn ListWriter>,
        hold: Hold,
        lists: &[PublishedList],
    ) -> Result<PublishError, PublishError> {
        let committed = writer.commit_held().map_err(PublishError::Sink)?;
        let location = committed.map(|it| it.location);
        let left_out: Vec<RobotId> = match &hold {
            Hold::RobotsLeftOut(robots) => {
                robots.iter().take(NOTED).map(|it| it.robot_id.clone()).collect()
            }
            _ => Vec::new(),
        };
        for (list, it) in self.lists.iter().zip(lists) {
            let PublishedList { revision, pages, compared, gone_check, .. } = it;
            let (gone, before) =
                compared.as_ref().map_or((0, 0), |it| (it.counts.gone, it.accounts_before));
            let note = Note::Held {
                revision: *revision,
                pages: *pages,
                gone,
                before,
                present: gone_check.map_or(0, |it| it.present),
                unconfirmed: false,
                left_out: left_out.clone(),
                location: location.clone(),
            };
            self.note(list, note)?;
        }
        Ok(match hold {
            Hold::TooManyGone(Compared { robot_id: robot, accounts_before, counts, .. }, limit) => {
                let (gone, before) = (counts.gone, accounts_before);
                PublishError::Held { robot, gone, before, limit, location }
            }
            Hold::PagesLost(robot, GoneCheck { asked, present, .. }) => {
                PublishError::PagesLost { robot, asked, present, location }
            }
            Hold::RobotsLeftOut(robots) => PublishError::RobotsLeftOut { robots, location },
        })
    }
}

/// The comparison of a list that lacks more customers of the last one than the guard allows.
fn exceeding(list: &PublishedList, limit: MaxGone) -> Option<&Compared> {
    let compared = list.compared.as_ref()?;
    let is_list = !matches!(compared.since, Predecessor::Baseline);
    let is_over = limit.is_exceeded(compared.counts.gone, compared.accounts_before);
    (is_list && is_over).then_some(compared)
}
