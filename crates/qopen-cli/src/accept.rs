//! `qopen pulls accept`: publishes a list that a guard held.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use qopen::journal::{Journal, JournalError, Note, PullState, Store};
use qopen::sink::{ListKind, Sink as _};
use qopen::types::RobotId;
use qopen::{PublishError, PublishOptions};

use crate::exit::{Exit, Failure, chained};
use crate::format::singer::{self, SingerArgs};
use crate::journal;
use crate::kept::pull::{Line, PullName, Resume};
use crate::kept::{Kept, id};
use crate::lang::{Phrase, THE_JOURNAL, phrase};
use crate::output::place::Place;
use crate::pull::say_left_out;
use crate::report::{CUSTOMERS, compared_in_words};
use crate::say::tell;
use crate::settings::Settings;
use crate::typed;

pub(crate) async fn run(mark: &str, settings: &Settings) -> Result<Exit, Failure> {
    let location = settings.journal()?;
    let kept = Kept::open(settings).await?;
    let mut lines = kept.marked(mark).await?;
    let is_superseded = lines.iter().any(Line::is_superseded);
    lines.retain(Line::is_held);
    if lines.is_empty() {
        let why = if is_superseded { journal::SUPERSEDED } else { journal::NOT_HELD };
        let what = phrase!("mark {mark}", "标记 {mark}", mark = mark);
        return Err(Failure::usage(Phrase::about(what, why)));
    }
    let names = lines.iter().map(Line::name);
    match kept {
        Kept::Served(remote) => {
            for pull in names {
                remote.accept_held(&pull).await?;
                tell!(
                    "{pull} is accepted; `qopen serve` publishes its list",
                    "已接受 {pull}；`qopen serve` 会发布其列表",
                    pull = Phrase::from(&pull),
                );
            }
        }
        Kept::Journal(journal, Resume::Request) => {
            for pull in names {
                accept(&*journal, &pull).await?;
                tell!(
                    "{pull} is accepted; a `qopen serve` that uses the journal publishes it",
                    "已接受 {pull}；使用该持久化存储的 `qopen serve` 会发布它",
                    pull = Phrase::from(&pull),
                );
            }
        }
        Kept::Journal(journal, _) => {
            for pull in names {
                publish(&journal, &pull, location.as_folder()).await?;
            }
        }
    }
    Ok(Exit::Complete)
}

async fn accept(journal: &dyn Store, pull: &PullName) -> Result<(), Failure> {
    journal.note(&id(pull)?, Note::HeldAccepted).await.map_err(failed)
}

/// Publishes a held list, together with the lists of other robots that wait for the same file. A list stays
/// held until it is published.
async fn publish(
    journal: &Arc<dyn Store>,
    pull: &PullName,
    scratch: Option<&Path>,
) -> Result<(), Failure> {
    let id = id(pull)?;
    let all = journal::all(&**journal).await?;
    let Some(state) = all.iter().find(|it| it.pull == id && it.held().is_some()) else {
        // Published together with another one.
        return Ok(());
    };
    let Some(place) = Place::of(state) else {
        return Err(Failure::usage(phrase!(
            "{pull} was pulled by `qopen serve`; start it, and accept the list again",
            "{pull} 由 `qopen serve` 拉取；请启动它，再接受该列表",
            pull = Phrase::from(pull),
        )));
    };
    singer::prepare(&SingerArgs::default(), place.layout().is_singer(), &all, false)?;
    let output = place.output()?.in_folder(scratch);
    let mut together = vec![state];
    if !output.is_per_robot() {
        together.extend(others(&all, state, &place));
    }
    // A person has seen the held lists alone.
    let allow_empty = together.iter().all(|it| it.held().is_some());
    let leave_out: BTreeSet<RobotId> = together.iter().flat_map(|it| left_out(it)).collect();
    let as_journal: Arc<dyn Journal> = Arc::clone(journal) as _;
    let mut lists = Vec::new();
    for state in together {
        lists.extend(qopen::kept_list(&as_journal, &state.pull).await.map_err(failed)?);
    }
    if !output.is_per_robot() {
        let is_left = |robot: &&RobotId| !lists.iter().any(|it| it.id().robot_id == **robot);
        let robots: BTreeSet<&RobotId> = all.iter().map(|it| &it.pull.robot_id).collect();
        let is_lost = |robot: &&RobotId| is_left(robot) && !leave_out.contains(*robot);
        for robot in robots.into_iter().filter(is_lost) {
            let file = output.file(robot.as_str());
            let holds = tokio::task::block_in_place(|| file.holds(robot));
            if holds.map_err(|error| Failure::output("", &error))? {
                return Err(Failure::usage(phrase!(
                    "{pull}: the file of its list has customers of robot {robot}, too, of which no list is held; pull both robots again",
                    "{pull}：其列表的文件还含有机器人 {robot} 的客户，而该机器人没有被拦下的列表；请重新拉取两个机器人",
                    pull = Phrase::from(pull),
                    robot = robot,
                )));
            }
        }
    }
    let options = PublishOptions::default().leave_out(leave_out).allow_empty(allow_empty);
    let published = output.publish(lists, ListKind::Complete, options).await;
    let published = published.map_err(|error| match &error {
        PublishError::Superseded { .. } => {
            Failure::usage_of(phrase!("nothing is left to accept", "没有可接受的列表"), &error)
        }
        PublishError::RobotsLeftOut { .. } => Failure::new(Exit::Incomplete, chained("", &error)),
        error => {
            let mark = Some(pull.mark_id.as_str());
            let again = typed::of_journal(&["pulls", "accept"], mark);
            let message = phrase!(
                "{why}\n  next: `{again}` publishes the list, once its place can be written",
                "{why}\n  下一步：目标位置可写之后，`{again}` 发布列表",
                why = chained("", error),
                again = again,
            );
            Failure::new(Exit::Output, message)
        }
    })?;
    say_left_out(&published);
    for list in &published.lists {
        let changes = list.comparison().map(|it| compared_in_words(&it));
        let changes = changes.map(|it| phrase!("; {it}", "；{it}", it = it));
        tell!(
            "{pull}: {customers} published in {location}{changes}",
            "{pull}：已将 {customers}发布到 {location}{changes}",
            pull = Phrase::from(&list.id),
            customers = CUSTOMERS.count(list.accounts),
            location = published.location,
            changes = changes.unwrap_or_default(),
        );
    }
    Ok(())
}

/// Returns the robots that a held list leaves out, which a person who accepts it knows.
fn left_out(held: &PullState) -> Vec<RobotId> {
    match held.held().map(|it| &it.note) {
        Some(Note::Held { left_out, .. }) => left_out.clone(),
        _ => Vec::new(),
    }
}

/// Returns the last pull of each other robot for the same place, if its list waits to be published.
fn others<'a>(
    all: &'a [PullState],
    accepted: &PullState,
    place: &Place,
) -> impl Iterator<Item = &'a PullState> {
    let mut last: BTreeMap<&RobotId, &PullState> = BTreeMap::new();
    for state in all.iter().filter(|it| Place::of(it).as_ref() == Some(place)) {
        let last = last.entry(&state.pull.robot_id).or_insert(state);
        if state.order > last.order {
            *last = state;
        }
    }
    last.remove(&accepted.pull.robot_id);
    let waits = |it: &&PullState| it.held().is_some() || journal::is_unpublished(it);
    last.into_values().filter(waits)
}

fn failed(error: JournalError) -> Failure {
    Failure::unexpected(THE_JOURNAL, &error)
}
