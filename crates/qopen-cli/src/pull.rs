//! `qopen pull`: from request to file.

use std::collections::BTreeSet;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use qopen::callback::listener::Listener;
use qopen::journal::{PullId, PullState, Store};
use qopen::sink::ListKind;
use qopen::types::RobotId;
use qopen::{
    Client, ForwardTo, Outcome, Progress, PublishOptions, Pull, PullError, PullRequest, Status,
};
use tokio::sync::watch;

use crate::args::PullArgs;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output, Place, Unpublished};
use crate::report::{Came, Reporter, Summary};
use crate::say::say;
use crate::settings::Settings;
use crate::wiring;

pub(crate) async fn run(args: PullArgs, settings: Settings) -> Result<Exit, Failure> {
    let location = settings.journal()?;
    if location.is_shared() {
        return Err(Failure::usage(format!(
            "the journal in {location} is shared: ask a `qopen serve` that uses it for a pull (POST /v1/pulls), or pull by a journal in a folder, without --journal"
        )));
    }
    let journal = crate::journal::open_at(&location).await?;
    let wanted = Wanted::of(&args, &*journal).await?;
    let place = wanted.place(&args)?;
    let output = place.output()?.in_folder(location.as_folder());
    let receiving = &args.receiving;
    let (listener, _) = settings.listener()?;
    let socket = wiring::listen(settings.listen()?, "callbacks", "--listen").await?;
    let mut builder = wiring::client(receiving, &settings, &journal)?;
    if let Some(url) = &receiving.forward {
        // It ends when the list is there: what another listener has not taken by then must not wait
        // here, but with the platform.
        let forward = ForwardTo::new(url).map_err(|error| wiring::not_forwarded(&error))?;
        builder = builder.foreign_handler(Arc::new(forward));
    }
    let client = builder.build().map_err(|error| Failure::unexpected("the client", &error))?;
    output.check(&wanted.robots())?;
    let spare = wanted.resumed.iter().map(|it| it.pull.clone()).collect();
    crate::journal::expire(&*journal, receiving.retain, &spare).await;
    let router = wiring::router(&client);
    let listener = listener.refusals(client.stats().refusals().clone());
    let serving = listener.clone();
    tokio::spawn(async move { serving.serve(socket, router, pending()).await });
    let mut begun = Vec::new();
    for state in wanted.resumed {
        begun.push(Begun::take_up(&client, &state).await?);
    }
    begun.extend(wanted.new.into_iter().map(Begun::New));
    let reporter = Arc::new(Reporter::new(args.json, output.is_stdout()));
    let label = place.label();
    let (reporting, interrupted) = (Arc::clone(&reporter), wiring::interruption());
    let path = settings.callback_path()?;
    let work = Work { client, output, reporter: reporting, interrupted, label, listener, path };
    let tick = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            reporter.tick();
        }
    };
    tokio::select! {
        exit = work.run(begun, &args) => Ok(exit),
        () = tick => Ok(Exit::Unexpected),
    }
}

/// Time limit for a publication in flight after a signal.
const LAST_LIST: Duration = Duration::from_secs(3);

/// What is to be pulled: some anew, some taken up again.
struct Wanted {
    new: Vec<RobotId>,
    resumed: Vec<PullState>,
}

impl Wanted {
    async fn of(args: &PullArgs, journal: &dyn Store) -> Result<Self, Failure> {
        let mut wanted = Self { new: Vec::new(), resumed: Vec::new() };
        if !args.resume.is_empty() {
            let marks: BTreeSet<&String> = args.resume.iter().collect();
            for mark in marks {
                wanted.resumed.extend(crate::journal::of_mark(journal, mark).await?);
            }
            // Two beginnings may be of one mark.
            wanted.resumed.sort_by(|one, other| one.pull.cmp(&other.pull));
            wanted.resumed.dedup_by(|one, other| one.pull == other.pull);
            wanted.check()?;
            return Ok(wanted);
        }
        let robots = robots(args)?;
        let known = match args.new {
            true => Vec::new(),
            false => crate::journal::all(journal).await?,
        };
        for robot in robots {
            // Of several the youngest: marks made by us are in the order of time.
            let ours = |it: &&PullState| it.pull.robot_id == robot && is_interrupted(it);
            match known.iter().filter(ours).max_by_key(|it| it.started().map(|it| it.0)) {
                Some(state) if !is_as_asked(state, args) => {
                    let mark = &state.pull.mark_id;
                    say!(
                        "qopen: the interrupted pull {mark} of robot {robot} was asked for something else; beginning anew"
                    );
                    wanted.new.push(robot);
                }
                Some(state) => {
                    let (mark, pages) = (&state.pull.mark_id, state.pages);
                    say!(
                        "qopen: taking up the interrupted pull {mark} of robot {robot}, {pages} pages so far (--new begins anew)"
                    );
                    wanted.resumed.push(state.clone());
                }
                None => wanted.new.push(robot),
            }
        }
        Ok(wanted)
    }

    /// One list a robot, and all of them to one place.
    fn check(&self) -> Result<(), Failure> {
        let mut robots = BTreeSet::new();
        for state in &self.resumed {
            if !robots.insert(&state.pull.robot_id) {
                let robot = &state.pull.robot_id;
                return Err(Failure::usage(format!(
                    "two of these pulls are of robot {robot}: take them up one by one"
                )));
            }
        }
        Ok(())
    }

    /// Where the lists go: as the arguments say, else as it was said when they were started.
    fn place(&self, args: &PullArgs) -> Result<Place, Failure> {
        let mut before = None;
        if !args.resume.is_empty() {
            let places: Vec<_> = self.resumed.iter().map(Place::of).collect();
            if args.out.is_none() && places.windows(2).any(|pair| pair[0] != pair[1]) {
                let message = "these pulls' lists were to go to different places; give --out PATH, or take them up one by one";
                return Err(Failure::usage(message));
            }
            before = places.into_iter().next().flatten();
        }
        let format = args.format.or(before.as_ref().map(|it| it.format)).unwrap_or_default();
        if let Some(url) = args.out.as_deref().and_then(output::database) {
            output::refuse_password("--out", url)?;
        }
        let out = args.out.clone().or(before.map(|it| it.out));
        let unknown = "nobody has said where this pull's list goes; give --out PATH";
        let out = out.ok_or_else(|| Failure::usage(unknown))?;
        let folder = out.is_dir();
        Ok(Place { out, format, folder })
    }

    fn robots(&self) -> Vec<&str> {
        let resumed = self.resumed.iter().map(|it| &it.pull.robot_id);
        self.new.iter().chain(resumed).map(RobotId::as_str).collect()
    }
}

/// Whether a pull was left under way, or complete and not published, and is not too old.
fn is_interrupted(state: &PullState) -> bool {
    let Some((at, started)) = state.started() else { return false };
    let age = SystemTime::now().duration_since(at).unwrap_or_default();
    let left = state.ended().is_none() || crate::journal::is_unpublished(state);
    left && age < started.deadline
}

/// Whether an interrupted pull is what these arguments ask for.
fn is_as_asked(state: &PullState, args: &PullArgs) -> bool {
    state.started().is_some_and(|(_, started)| {
        started.need_tag_info == args.need_tags && started.expect_accounts == args.expect_accounts
    })
}

/// A pull to be started, or one that goes on already.
enum Begun {
    New(RobotId),
    GoingOn(Box<Pull>),
}

impl Begun {
    async fn take_up(client: &Client, state: &PullState) -> Result<Self, Failure> {
        let pull = client.resume(&state.pull).await;
        let what = || format!("{} cannot be taken up", state.pull);
        pull.map(|it| Self::GoingOn(Box::new(it)))
            .map_err(|error| Failure::unexpected(&what(), &error))
    }
}

fn robots(args: &PullArgs) -> Result<Vec<RobotId>, Failure> {
    let mut names = args.robots.clone();
    if let Some(file) = &args.robots_file {
        names.extend(robots_in(file)?);
    }
    let mut seen = BTreeSet::new();
    let mut robots = Vec::new();
    for name in names {
        let robot = RobotId::new(&name)
            .map_err(|error| Failure::usage_of(&format!("the robot id {name:?}"), &error))?;
        if seen.insert(robot.clone()) {
            robots.push(robot);
        }
    }
    if robots.is_empty() {
        return Err(Failure::usage("no robot was named; give --robot ID or --robots-file FILE"));
    }
    Ok(robots)
}

fn robots_in(file: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage_of(&format!("the robots file {}", file.display()), &error)
    })?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// How the pulling of a list ended.
enum Ended {
    Outcome(Outcome),
    /// Interrupted by a signal. The pull stays open in the journal.
    Interrupted(PullId, Option<Progress>),
}

struct Work {
    client: Client,
    output: Output,
    reporter: Arc<Reporter>,
    interrupted: watch::Receiver<bool>,
    label: String,
    listener: Listener,
    path: String,
}

impl Work {
    async fn run(&self, begun: Vec<Begun>, args: &PullArgs) -> Exit {
        // After an interruption no further request is sent.
        let begun = stream::iter(begun).take_while(|_| async { !*self.interrupted.borrow() });
        if !self.output.is_per_robot() {
            let ended = begun.map(|it| self.pull(it, args)).buffered(args.concurrency);
            return self.publish(ended.collect().await, args).await.1;
        }
        let each = begun.map(|it| async {
            let ended = self.pull(it, args).await;
            self.publish(vec![ended], args).await
        });
        let each: Vec<_> = each.buffered(args.concurrency).collect().await;
        let (published, mut exits): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        // Pages may have come after a list was published, while others were still being pulled.
        for (outcome, revision) in published.into_iter().flatten() {
            outcome.list.settled().await;
            if outcome.list.revision() > revision {
                let refreshed = Ok(Ended::Outcome(outcome.refreshed()));
                exits.push(self.publish(vec![refreshed], args).await.1);
            }
        }
        Exit::worst(exits)
    }

    /// Pulls one robot's list to its end, whatever that is.
    async fn pull(&self, begun: Begun, args: &PullArgs) -> Result<Ended, Failure> {
        let fails = |error: &dyn std::error::Error| Failure::unexpected("", error);
        let mut pull = match begun {
            Begun::GoingOn(pull) => *pull,
            Begun::New(robot) => {
                // The place of the list among those of the robot is taken before the request is sent.
                let sink = self.output.sink(robot.as_str());
                let request = PullRequest::new(robot).need_tag_info(args.need_tags);
                let mut request = request.label(&self.label);
                request.expect_accounts = args.expect_accounts;
                request.allow_unidentified = args.receiving.allow_unidentified;
                let pulled = self.client.pull_in_order(request, sink).await;
                pulled.map_err(|error| match &error {
                    PullError::Place(_) => Failure::output("", &error),
                    error => fails(error),
                })?
            }
        };
        let mut interrupted = self.interrupted.clone();
        let mut last = None;
        loop {
            tokio::select! {
                progress = pull.next() => match progress {
                    Some(progress) => {
                        last = Some(progress.clone());
                        self.reporter.progress(progress);
                    }
                    None => break,
                },
                Ok(_) = interrupted.wait_for(|it| *it) => {
                    // The same command resumes it.
                    let id = pull.id().clone();
                    pull.leave();
                    return Ok(Ended::Interrupted(id, last));
                }
            }
        }
        pull.await.map(Ended::Outcome).map_err(|error| fails(&error))
    }

    /// Publishes lists that go to one place, sums each of them up, and says what counts of it all.
    /// The outcomes come back with the revision that was published.
    async fn publish(
        &self,
        ended: Vec<Result<Ended, Failure>>,
        args: &PullArgs,
    ) -> (Vec<(Outcome, u32)>, Exit) {
        let came = Came::of(self.client.stats(), &self.listener, &self.path);
        let mut exits = Vec::new();
        let mut outcomes = Vec::new();
        let interrupted = ended.iter().any(|it| matches!(it, Ok(Ended::Interrupted(..))));
        for ended in ended {
            match ended {
                Ok(Ended::Outcome(outcome)) => outcomes.push(outcome),
                Ok(Ended::Interrupted(pull, progress)) => {
                    self.reporter.interrupted(&pull, progress.as_ref(), &came);
                    exits.push(Exit::Interrupted);
                }
                Err(failure) => {
                    say!("qopen: {failure}");
                    exits.push(failure.exit);
                }
            }
        }
        let options = PublishOptions::default().allow_empty(args.receiving.allow_empty);
        let summaries = match interrupted {
            // Lists of one file are published together, once the others are resumed.
            true => outcomes.iter().map(|it| Summary::of(it, &came)).collect(),
            false => {
                let mut interrupted = self.interrupted.clone();
                let told = async {
                    // It ends without a word only with the process.
                    let _ = interrupted.wait_for(|it| *it).await;
                    tokio::time::sleep(LAST_LIST).await;
                };
                tokio::select! {
                    done = publish(&self.output, &outcomes, exits.is_empty(), &came, options) => done,
                    () = told => {
                        for outcome in &outcomes {
                            let progress = &outcome.progress;
                            self.reporter.interrupted(&progress.pull, Some(progress), &came);
                        }
                        return (Vec::new(), Exit::Interrupted);
                    }
                }
            }
        };
        let mut published = Vec::new();
        for (summary, outcome) in summaries.into_iter().zip(outcomes) {
            exits.push(summary.exit);
            self.reporter.summary(&summary, &outcome.progress.pull);
            published.push((outcome, summary.revision));
        }
        (published, Exit::worst(exits))
    }
}

/// Publishes lists that go to one place: in its place when all of them are complete, beside it
/// otherwise.
pub(crate) async fn publish(
    output: &Output,
    outcomes: &[Outcome],
    whole: bool,
    came: &Came,
    options: PublishOptions,
) -> Vec<Summary> {
    let complete = |it: &Outcome| matches!(it.status, Status::Complete(_));
    let kind = match whole && outcomes.iter().all(complete) {
        true => ListKind::Complete,
        false => ListKind::Partial,
    };
    let something = |it: &Outcome| it.progress.pages + it.progress.unreadable_pages > 0;
    let worth_keeping = |it: &&Outcome| kind == ListKind::Complete || something(it);
    let lists: Vec<_> = outcomes.iter().filter(worth_keeping).map(|it| it.list.clone()).collect();
    let written = match lists.is_empty() {
        true => None,
        false => Some(output.publish(lists, kind, options).await),
    };
    let summarise = |outcome: &Outcome| {
        let id = &outcome.progress.pull;
        let mut summary = Summary::of(outcome, came);
        match &written {
            Some(Ok(written)) => {
                if let Some(list) = written.lists.iter().find(|list| list.id == *id) {
                    summary.accounts = list.accounts;
                    summary.quarantined = list.quarantined;
                    summary.unread_fields = list.unread_fields;
                    list.readings.iter().for_each(|it| summary.count_reading(it));
                    summary.revision = list.revision;
                    summary.changes = list.changes;
                    summary.output = Some(written.location.clone());
                    summary.quarantine_file.clone_from(&written.quarantine);
                }
            }
            Some(Err(Unpublished::Superseded(pull, why))) if pull == id => {
                summary.superseded(why.clone());
            }
            // Both lists share one file.
            Some(Err(Unpublished::Superseded(_, why))) => {
                summary.exit = Exit::Output;
                (summary.error, summary.why) = (Some(why.clone()), why.clone());
            }
            Some(Err(Unpublished::Failed(failure))) => {
                if failure.exit == Exit::Incomplete {
                    // Complete as far as is known, and kept back.
                    (summary.status, summary.basis) = ("incomplete", None);
                }
                summary.exit = failure.exit;
                summary.error = Some(failure.to_string());
                summary.why = failure.to_string();
            }
            None => {}
        }
        summary
    };
    outcomes.iter().map(summarise).collect()
}
