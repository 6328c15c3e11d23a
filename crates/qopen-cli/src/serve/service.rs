//! The parts of a running service.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use qopen::callback::listener::Listener;
use qopen::engine::{PullService, ServiceOptions};
use qopen::journal::{JournalError, PullId, PullState, Store};
use qopen::types::{MarkId, RobotId};
use qopen::{Client, ForwardQueue, PublishOptions, PullError, PullRequest, WorkerOptions};
use tokio::sync::watch;

use super::arrivals::Arrivals;
use super::destination::Lists;
use super::schedule::Counts;
use super::tasks::Tasks;
use super::texts::Texts;
use crate::format::Layout;
use crate::output::place::Place;
use crate::output::{Output, too_long};
use crate::report::News;
use crate::robot_events::RobotEvents;
use crate::say::say;
use crate::wiring;

/// Interval of the checks of the listener's findings.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) journal: Arc<dyn Store>,
    pub(crate) pulls: PullService,
    /// The default place of lists.
    output: Option<Output>,
    layout: Layout,
    arrivals: Arrivals,
    pub(crate) forward: Option<ForwardQueue>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Callbacks that came while the process was stopping.
    pub(crate) turned_away: AtomicU64,
    /// The folder of temporary data.
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) tasks: Tasks,
    /// Held while the journal is checked.
    pub(crate) checking: tokio::sync::Mutex<()>,
    pub(crate) schedules: Counts,
    /// Events about robots.
    pub(crate) events: Arc<RobotEvents>,
}

/// Options of lists, and the source of callbacks.
pub(crate) struct Guards {
    /// The form of lists in the default place.
    pub(crate) layout: Layout,
    /// The flag of a guard that compares lists.
    pub(crate) guard: Option<&'static str>,
    pub(crate) allow_unidentified: u64,
    pub(crate) options: PublishOptions,
    pub(crate) path: String,
    pub(crate) listener: Listener,
    /// Whether no other process receives callbacks while this one is away.
    pub(crate) is_alone: bool,
    pub(crate) events: Arc<RobotEvents>,
}

impl Service {
    pub(crate) fn new(
        client: Client,
        journal: Arc<dyn Store>,
        output: Option<Output>,
        forward: Option<ForwardQueue>,
        stopping: watch::Receiver<bool>,
        scratch: Option<PathBuf>,
        guards: Guards,
    ) -> Self {
        let Guards { layout, guard, allow_unidentified, options, path, listener, is_alone, events } =
            guards;
        let arrivals = Arrivals { stats: client.stats().clone(), listener, path };
        let lists = Lists { default: output.clone(), scratch: scratch.clone(), guard };
        let options = ServiceOptions::default()
            .publish(options)
            .allow_unidentified(allow_unidentified)
            .lone_receiver(is_alone)
            .observer(Texts {
                arrivals: arrivals.clone(),
                client: client.clone(),
                events: Arc::clone(&events),
                stopping: stopping.clone(),
            });
        let engine = client.engine().clone();
        let pulls = PullService::new(engine, Arc::clone(&journal), Arc::new(lists), options);
        Self {
            client,
            journal,
            pulls,
            output,
            layout,
            arrivals,
            forward,
            stopping,
            turned_away: AtomicU64::new(0),
            scratch,
            tasks: Tasks::default(),
            checking: tokio::sync::Mutex::default(),
            schedules: Counts::default(),
            events,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Explains why the default output cannot have a list of the robot.
    pub(crate) fn cannot_name(&self, robot: &RobotId) -> Option<String> {
        let output = self.output.as_ref()?;
        tokio::task::block_in_place(|| output.cannot_name(robot.as_str()))
    }

    /// Explains why the next list of a robot will not fit into its place.
    pub(crate) async fn too_long(
        &self,
        robot: &RobotId,
        place: Option<&Place>,
    ) -> Result<Option<String>, JournalError> {
        let placed = match place {
            Some(place) => place.output().ok().map(|output| (output, place.layout())),
            None => self.output.clone().map(|output| (output, self.layout)),
        };
        let Some((output, layout)) = placed.filter(|it| it.1.has_limit()) else { return Ok(None) };
        let states = self.journal.pulls().await?;
        let robots = [robot.as_str()];
        Ok(tokio::task::block_in_place(|| too_long(&output, layout, &robots, &states)))
    }

    /// Works on pulls until the process stops.
    pub(crate) async fn work(self: Arc<Self>, options: WorkerOptions) {
        self.pulls.run(options, wiring::told(self.stopping.clone())).await;
    }

    /// Journals a pull, with the place of its list.
    pub(crate) async fn start(
        &self,
        request: PullRequest,
        place: Option<&Place>,
    ) -> Result<PullId, PullError> {
        let request = match place {
            Some(place) => request.label(place.label()),
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

    /// Prints findings of the listener, the first of each kind.
    pub(crate) async fn tell_of_troubles(&self) {
        let mut news = News::default();
        loop {
            let came = self.arrivals.came();
            news.of(&came, Instant::now()).iter().for_each(|it| say!("qopen: {it}"));
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = wiring::told(self.stopping.clone()) => return,
            }
        }
    }
}
