//! A service on a paused clock, with a sink in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use qopen_engine::{
    Destination, Engine, PullRequest, PullService, ServiceEvent, ServiceOptions, Target,
    WorkerOptions,
};
use qopen_journal::{Journal as _, Note, PullId, PullState};
use qopen_sink::{Committed, ListInfo, ListKind, ListWriter, Record, Sink, SinkError};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::kept::Kept;
use crate::support::{Answer, Platform, ROBOT, builder_on, incoming, page_of};

/// What a [`Shelf`] does with the next list.
#[derive(Debug)]
pub(super) enum Next {
    Fails,
    /// The sink says that a list is begun, and blocks until the test drops the other sender.
    Hangs {
        begun: mpsc::Sender<()>,
        released: mpsc::Receiver<()>,
    },
}

/// A list that was committed: its mark, its revision, whether it is complete, and its customers.
pub(super) type List = (String, u32, bool, usize);

/// A place that keeps lists in memory, and fails or hangs on command.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    lists: Arc<Mutex<Vec<List>>>,
    next: Arc<Mutex<VecDeque<Next>>>,
}

impl Shelf {
    pub(super) fn lists(&self) -> Vec<List> {
        self.lists.lock().unwrap().clone()
    }

    pub(super) fn then(&self, next: Next) {
        self.next.lock().unwrap().push_back(next);
    }
}

impl Sink for Shelf {
    fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn place(&self) -> Option<String> {
        Some("shelf".into())
    }

    fn is_at(&self, location: &str) -> bool {
        location == "shelf"
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let next = self.next.lock().unwrap().pop_front();
        match next {
            Some(Next::Fails) => {
                return Err(SinkError::TimedOut { step: "waiting", limit: Duration::ZERO });
            }
            Some(Next::Hangs { begun, released }) => {
                begun.send(()).unwrap();
                // An error says that the sender was dropped.
                let _ = released.recv();
            }
            None => {}
        }
        let list = (String::new(), 0, kind == ListKind::Complete, 0);
        Ok(Box::new(ShelfWriter(list, Arc::clone(&self.lists))))
    }
}

struct ShelfWriter(List, Arc<Mutex<Vec<List>>>);

impl ListWriter for ShelfWriter {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        (self.0.0, self.0.1) = (list.mark_id.to_string(), list.revision);
        Ok(())
    }

    fn write(&mut self, _: &Record<'_>) -> Result<(), SinkError> {
        self.0.3 += 1;
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        self.1.lock().unwrap().push(self.0);
        Ok(Committed::new("shelf"))
    }
}

impl Destination for Shelf {
    fn target(&self, pull: &PullState) -> Target {
        match pull.started().and_then(|(_, started)| started.label.as_deref()) {
            Some("nowhere") => Target::Nowhere,
            Some("refused") => Target::Refused("the shelf is too short".into()),
            _ => Target::sink(self.clone()),
        }
    }
}

/// What the service told, when.
#[derive(Clone)]
pub(super) struct Told {
    events: watch::Sender<Vec<(Instant, String)>>,
    /// Dropping it lets the clock advance again.
    clock: Arc<Mutex<Option<mpsc::Sender<()>>>>,
}

impl Told {
    /// Publications run on a thread of their own, which a paused clock does not wait for. So the clock
    /// stops while one runs.
    fn observe(&self, event: ServiceEvent<'_>) {
        match event {
            ServiceEvent::Publishing { .. } => self.stop_the_clock(),
            _ => self.let_the_clock_advance(),
        }
        let text = text_of(event);
        self.events.send_modify(|events| events.push((Instant::now(), text)));
    }

    /// The clock does not advance while a blocking task runs.
    pub(super) fn stop_the_clock(&self) {
        let (go, stopped) = mpsc::channel();
        tokio::task::spawn_blocking(move || stopped.recv());
        self.clock.lock().unwrap().replace(go);
    }

    pub(super) fn let_the_clock_advance(&self) {
        self.clock.lock().unwrap().take();
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.events.borrow().iter().map(|(_, text)| text.clone()).collect()
    }

    /// When each event with that text was told.
    pub(super) fn times_of(&self, text: &str) -> Vec<Instant> {
        self.events.borrow().iter().filter(|it| it.1 == text).map(|it| it.0).collect()
    }

    /// Waits until an event was told that often.
    pub(super) async fn wait_for(&self, text: &str, times: usize) {
        let mut events = self.events.subscribe();
        let told = |events: &Vec<(Instant, String)>| {
            events.iter().filter(|it| it.1 == text).count() >= times
        };
        let waiting = tokio::time::timeout(Duration::from_secs(3600), events.wait_for(told));
        assert!(waiting.await.is_ok(), "{text:?} was not told {times} times: {:?}", self.texts());
    }
}

fn text_of(event: ServiceEvent<'_>) -> String {
    match event {
        ServiceEvent::External { pull } => format!("external {}", pull.mark_id),
        ServiceEvent::Refused { pull, why } => format!("refused {}: {why}", pull.mark_id),
        ServiceEvent::NotResumed { pull, error } => {
            format!("not resumed {}: {error}", pull.mark_id)
        }
        ServiceEvent::RequestedAnew { pull, .. } => format!("requested anew {}", pull.mark_id),
        ServiceEvent::Ended { outcome } => {
            format!("ended {}: {}", outcome.list.id().mark_id, outcome.status.end_state())
        }
        ServiceEvent::Publishing { outcome } => format!("publishing {}", outcome.list.id().mark_id),
        ServiceEvent::Published { outcome, .. } => {
            format!("published {}", outcome.list.id().mark_id)
        }
        ServiceEvent::NotPublished { outcome, error } => {
            let mark = &outcome.list.id().mark_id;
            format!("not published {mark}{}", if error.is_final() { " for good" } else { "" })
        }
        other => format!("{other:?}"),
    }
}

/// A process with a service.
pub(super) struct Scene {
    pub platform: Arc<Platform>,
    pub journal: Arc<Kept>,
    pub shelf: Shelf,
    pub engine: Engine,
    pub service: PullService,
    pub told: Told,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::on(Arc::default(), Shelf::default(), ServiceOptions::default())
    }

    /// A process on a journal and a shelf that others may have used before.
    pub(super) fn on(journal: Arc<Kept>, shelf: Shelf, options: ServiceOptions) -> Self {
        let platform = Platform::new(Answer::Accepts);
        let engine = builder_on(&platform).journal(Arc::clone(&journal) as _);
        let engine = engine.keep_external_pages(true).build().unwrap();
        let told = Told { events: watch::Sender::new(Vec::new()), clock: Arc::default() };
        let observer = told.clone();
        let options = options.observer(move |event: ServiceEvent<'_>| observer.observe(event));
        let store = Arc::clone(&journal) as _;
        let service = PullService::new(engine.clone(), store, Arc::new(shelf.clone()), options);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn({
            let service = service.clone();
            async move { service.run(WorkerOptions::default(), async { drop(stopped.await) }).await }
        });
        Self { platform, journal, shelf, engine, service, told, stop, running }
    }

    /// Stops the service, and returns how long that took.
    pub(super) async fn stop(self) -> (Arc<Kept>, Shelf, Duration) {
        let Self { journal, shelf, stop, running, .. } = self;
        let began = Instant::now();
        stop.send(()).unwrap();
        running.await.unwrap();
        (journal, shelf, began.elapsed())
    }

    pub(super) async fn enqueue(&self, mark: &str) -> PullId {
        self.enqueue_with(mark, |request| request).await
    }

    pub(super) async fn enqueue_with(
        &self,
        mark: &str,
        change: impl FnOnce(PullRequest) -> PullRequest,
    ) -> PullId {
        let request = PullRequest::new(ROBOT.parse().unwrap()).mark_id(mark.parse().unwrap());
        self.service.enqueue(change(request)).await.unwrap()
    }

    /// Waits until the service follows a pull.
    pub(super) async fn followed(&self, id: &PullId) {
        let followed = async {
            while self.service.find(id).is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), followed).await.unwrap();
    }

    pub(super) async fn page(&self, mark: &str, account: usize, has_more: bool) {
        self.engine.accept(incoming(page_of(mark, account, has_more))).await.unwrap();
    }

    /// Has a pull's publication hang until the sender is dropped. The clock advances meanwhile.
    pub(super) async fn hang_at(&self, mark: &str) -> (PullId, mpsc::Sender<()>) {
        let ((begun, list), (release, released)) = (mpsc::channel(), mpsc::channel());
        self.shelf.then(Next::Hangs { begun, released });
        let id = self.enqueue(mark).await;
        self.page(mark, 1, false).await;
        self.told.wait_for(&format!("publishing {mark}"), 1).await;
        tokio::task::spawn_blocking(move || list.recv()).await.unwrap().unwrap();
        self.told.let_the_clock_advance();
        (id, release)
    }

    pub(super) async fn state(&self, id: &PullId) -> PullState {
        self.journal.pull(id).await.unwrap().unwrap()
    }

    pub(super) async fn has_noted(&self, id: &PullId, is_it: impl Fn(&Note) -> bool) -> bool {
        self.state(id).await.notes.iter().any(|noted| is_it(&noted.note))
    }

    /// The marks that were requested, in their order.
    pub(super) fn requested(&self) -> Vec<String> {
        self.platform.requests().iter().map(|(pull, _)| pull.mark_id.to_string()).collect()
    }
}
