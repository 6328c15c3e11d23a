//! The parts of a running service.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use qopen::callback::listener::Listener;
use qopen::engine::{AccountLookup, PullService, ServiceOptions};
use qopen::journal::{JournalError, PullId, PullState, Store};
use qopen::types::{MarkId, RobotId};
use qopen::{Client, ForwardQueue, PullError, PullPolicy, PullRequest, WorkerOptions};
use tokio::sync::{Semaphore, watch};
use tracing::Level;

use super::arrivals::Arrivals;
use super::arrivals::history::{Bar, CallbackHistory, Span};
use super::destination::Lists;
use super::metrics::{LastLists, Publications};
use super::schedule::Counts;
use super::tasks::{RECEIVING, Tasks};
use super::texts::Texts;
use super::webhooks::{DeliveryCounts, Webhooks};
use crate::format::Layout;
use crate::guards::Guards;
use crate::kept::remains::Remains;
use crate::lang::Phrase;
use crate::output::Output;
use crate::output::place::Place;
use crate::output::room::too_long;
use crate::report::News;
use crate::robot_events::RobotEvents;
use crate::say;
use crate::wiring;

/// Interval of the checks of the listener's findings.
const LOOK: Duration = Duration::from_secs(1);

/// The pulls that schedules start.
pub(super) trait Planned: Send + Sync {
    /// Returns the next time of a schedule of a robot.
    fn next_of(&self, robot: &RobotId, now: Timestamp) -> Option<Timestamp>;

    /// Returns the robots that the schedules name.
    fn named(&self) -> BTreeSet<RobotId>;
}

/// Readers of changes in a database at the same time. Each takes a connection.
pub(crate) const CHANGE_READERS: usize = 4;

pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) journal: Arc<dyn Store>,
    pub(crate) pulls: PullService,
    /// The places of lists.
    pub(super) lists: Lists,
    arrivals: Arrivals,
    callbacks: CallbackHistory,
    pub(crate) forward: Option<ForwardQueue>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Callbacks that came while the process was stopping.
    pub(crate) turned_away: AtomicU64,
    /// The folder of temporary data.
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) tasks: Tasks,
    /// Held while the journal is checked.
    pub(crate) checking: tokio::sync::Mutex<()>,
    /// Held by readers of changes in a database.
    pub(crate) change_readers: Arc<Semaphore>,
    pub(crate) schedules: Counts,
    /// Events about robots.
    pub(crate) events: Arc<RobotEvents>,
    /// The schedules; `None` if this process starts no pull.
    pub(super) planned: Option<Arc<dyn Planned>>,
    /// Counts of messages to webhooks.
    pub(super) messages: Arc<DeliveryCounts>,
    /// Counts of publications.
    pub(super) publications: Arc<Publications>,
    /// The last complete list of each robot.
    pub(super) last_lists: LastLists,
    /// When the process began.
    pub(super) began: SystemTime,
}

/// Why a person's decision about a pull has no effect.
#[derive(Debug)]
pub(crate) enum ActError {
    /// No list of the pull is held.
    NotHeld,
    /// The list of a later pull was published.
    Superseded,
    /// The list of the pull is held.
    Held,
    Pull(PullError),
}

impl From<PullError> for ActError {
    fn from(error: PullError) -> Self {
        Self::Pull(error)
    }
}

/// Options of lists, and the source of callbacks.
pub(crate) struct Wiring {
    /// The form of lists in the default place.
    pub(crate) layout: Layout,
    /// Conditions of a publication, for places that an earlier process noted.
    pub(crate) guards: Guards,
    pub(crate) allow_unidentified: u64,
    pub(crate) policy: PullPolicy,
    pub(crate) lookup: Arc<dyn AccountLookup>,
    pub(crate) path: String,
    pub(crate) listener: Listener,
    /// Whether no other process receives callbacks while this one is away.
    pub(crate) is_alone: bool,
    pub(crate) events: Arc<RobotEvents>,
    pub(super) planned: Option<Arc<dyn Planned>>,
    pub(super) webhooks: Option<Webhooks>,
    pub(super) messages: Arc<DeliveryCounts>,
}

impl Service {
    pub(crate) fn new(
        client: Client,
        journal: Arc<dyn Store>,
        output: Option<Output>,
        forward: Option<ForwardQueue>,
        stopping: watch::Receiver<bool>,
        scratch: Option<PathBuf>,
        wiring: Wiring,
    ) -> Self {
        let Wiring {
            layout,
            guards,
            allow_unidentified,
            policy,
            lookup,
            path,
            listener,
            is_alone,
            events,
            planned,
            webhooks,
            messages,
        } = wiring;
        let arrivals = Arrivals { stats: client.stats().clone(), listener, path };
        let lists = Lists { default: output, layout, guards, scratch: scratch.clone(), lookup };
        let publications = Arc::<Publications>::default();
        let options = ServiceOptions::default()
            .policy(policy)
            .allow_unidentified(allow_unidentified)
            .lone_receiver(is_alone)
            .observer(Texts {
                publications: Arc::clone(&publications),
                arrivals: arrivals.clone(),
                client: client.clone(),
                events: Arc::clone(&events),
                stopping: stopping.clone(),
                webhooks,
            });
        let engine = client.engine().clone();
        let pulls =
            PullService::new(engine, Arc::clone(&journal), Arc::new(lists.clone()), options);
        Self {
            client,
            journal,
            pulls,
            lists,
            arrivals,
            callbacks: CallbackHistory::new(Instant::now(), SystemTime::now()),
            forward,
            stopping,
            turned_away: AtomicU64::new(0),
            scratch,
            tasks: Tasks::default(),
            checking: tokio::sync::Mutex::default(),
            change_readers: Arc::new(Semaphore::new(CHANGE_READERS)),
            schedules: Counts::default(),
            events,
            planned,
            messages,
            publications,
            last_lists: LastLists::new(!is_alone),
            began: SystemTime::now(),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Explains why the default output cannot have a list of the robot.
    pub(crate) fn cannot_name(&self, robot: &RobotId) -> Option<Phrase> {
        let output = self.lists.default.as_ref()?;
        tokio::task::block_in_place(|| output.cannot_name(robot.as_str()))
    }

    /// Returns the files that an unpublished list of the pull may have left.
    ///
    /// # Errors
    /// [`JournalError`]: the journal cannot be read.
    pub(crate) async fn remains(&self, pull: &PullId) -> Result<Option<Remains>, JournalError> {
        let of_robot = self.journal.pulls_of(&pull.robot_id).await?;
        let Some(state) = of_robot.iter().find(|it| it.pull == *pull) else { return Ok(None) };
        let output = self.lists.output_of(state).ok().flatten();
        Ok(Some(Remains::of(state, &of_robot, output.as_ref())))
    }

    /// Explains why the next list of a robot will not fit into its place.
    pub(crate) async fn too_long(
        &self,
        robot: &RobotId,
        place: Option<&Place>,
    ) -> Result<Option<Phrase>, JournalError> {
        let placed = self.lists.place_for(place).ok().flatten();
        let Some((output, layout)) = placed.filter(|it| it.1.has_limit()) else { return Ok(None) };
        let states = self.journal.pulls_of(robot).await?;
        let robots = [robot.as_str()];
        Ok(tokio::task::block_in_place(|| too_long(&output, layout, &robots, &states)))
    }

    /// Works on pulls until the process stops.
    pub(crate) async fn work(self: Arc<Self>, options: WorkerOptions) {
        self.pulls.run(options, wiring::told(self.stopping.clone())).await;
    }

    /// Journals a pull, with the place of its list and its own guards.
    pub(crate) async fn start(
        &self,
        request: PullRequest,
        place: Option<&Place>,
        guards: &Guards,
    ) -> Result<PullId, PullError> {
        let request = match guards.label(place) {
            Some(label) => request.label(label),
            None => request,
        };
        self.pulls.enqueue(request).await
    }

    /// Returns the pulls of a mark in the journal, of one robot or all.
    pub(crate) async fn of_mark(
        &self,
        mark: &MarkId,
        robot: Option<&str>,
    ) -> Result<Vec<PullState>, JournalError> {
        let found = self.journal.pulls_marked(mark).await?;
        let is_wanted =
            |it: &PullState| robot.is_none_or(|robot| it.pull.robot_id.as_str() == robot);
        Ok(found.into_iter().filter(is_wanted).collect())
    }

    /// Accepts the held list of a pull: the service publishes it.
    ///
    /// # Errors
    /// No list of the pull is held, or the journal does not note it.
    pub(crate) async fn accept(&self, state: &PullState) -> Result<(), ActError> {
        if state.held().is_none() {
            return Err(match state.is_superseded() {
                true => ActError::Superseded,
                false => ActError::NotHeld,
            });
        }
        Ok(self.pulls.accept(&state.pull).await?)
    }

    /// Resumes an ended pull. An open pull continues.
    ///
    /// # Errors
    /// The list of the pull is held, or the journal does not note it.
    pub(crate) async fn resume(&self, state: &PullState) -> Result<(), ActError> {
        if state.held().is_some() {
            return Err(ActError::Held);
        }
        Ok(self.pulls.resume(state).await?)
    }

    /// Whether this process receives callbacks.
    pub(super) fn receives(&self) -> bool {
        self.tasks.all().contains_key(RECEIVING)
    }

    /// Returns the callbacks of a span that ends now.
    pub(super) fn callbacks(&self, span: Span) -> Vec<Bar> {
        let now = Instant::now();
        self.callbacks.sample(&self.arrivals, now);
        self.callbacks.bars(span, now, SystemTime::now())
    }

    /// Prints findings of the listener, the first of each kind.
    pub(crate) async fn tell_of_troubles(&self) {
        let mut news = News::default();
        loop {
            self.callbacks.sample(&self.arrivals, Instant::now());
            let came = self.arrivals.came();
            let due = news.of(&came, Instant::now());
            due.iter().for_each(|it| say::remark(Level::INFO, it.topic, &it.sentence()));
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = wiring::told(self.stopping.clone()) => return,
            }
        }
    }
}
