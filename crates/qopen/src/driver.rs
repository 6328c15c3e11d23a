//! The task that owns the clock and the assembler: facts in, events out to whoever waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use qopen_assembler::{
    Assembler, Config, Entry, ErrorReport, Event, Fold, Page, PageDigest, PullKey, PullOptions,
    StartError, Time,
};
use qopen_http::SendError;
use qopen_journal::{Journal, Note, PullId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::outcome::Status;
use crate::pull::Progress;
use crate::receive::KnownPulls;
use crate::understand::key_of;

/// Something that happened in the world, with the time it did.
pub(crate) enum Fact {
    Page {
        pull: PullId,
        digest: PageDigest,
        has_more: bool,
        accounts: Vec<Entry>,
    },
    Unreadable {
        pull: PullId,
        digest: PageDigest,
    },
    Owed {
        pull: PullId,
        digest: PageDigest,
    },
    Error(ErrorReport),
}

/// Something that this side wants or did. Few: bounded by the number of pulls.
pub(crate) enum Command {
    Start {
        pull: PullId,
        options: PullOptions,
        reply: oneshot::Sender<Result<Watched, StartError>>,
    },
    Accepted(PullId),
    NotSent(PullId, SendError),
    Cancel(PullId),
}

/// What a pull's handle watches.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) progress: Progress,
    pub(crate) ended: Option<Ended>,
}

#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// The fold at the end; its first revision is published from it.
    pub(crate) fold: Arc<Fold>,
}

/// A pull's view, and what keeps its pages from being forgotten.
pub(crate) struct Watched {
    pub(crate) seen: watch::Receiver<Seen>,
    pub(crate) lease: Arc<Lease>,
}

/// As long as anyone holds it, the pull's pages stay in the journal.
#[derive(Debug)]
pub(crate) struct Lease {
    pull: PullId,
    released: mpsc::UnboundedSender<PullId>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without a driver there is nobody left to forget it.
        let _ = self.released.send(self.pull.clone());
    }
}

struct Entered {
    pull: PullId,
    seen: watch::Sender<Seen>,
    /// Held for as long as the assembler remembers the pull.
    _lease: Arc<Lease>,
    not_sent: Option<Arc<SendError>>,
}

pub(crate) struct Driver {
    assembler: Assembler<Entry>,
    epoch: Instant,
    pulls: BTreeMap<PullKey, Entered>,
    journal: Arc<dyn Journal>,
    known: Arc<KnownPulls>,
    released: mpsc::UnboundedSender<PullId>,
}

impl Driver {
    /// Runs until the client is gone: no commands and no facts can come any more.
    pub(crate) async fn run(
        config: Config,
        journal: Arc<dyn Journal>,
        known: Arc<KnownPulls>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut facts: mpsc::Receiver<(Instant, Fact)>,
    ) {
        let (released, mut releases) = mpsc::unbounded_channel();
        let assembler = Assembler::new(config);
        let epoch = Instant::now();
        let mut driver = Self {
            assembler,
            epoch,
            pulls: BTreeMap::new(),
            journal,
            known,
            released,
        };
        loop {
            let due = driver
                .assembler
                .poll_timeout()
                .map(|due| driver.epoch + due.to_duration());
            // What has arrived comes before what is due: a page that waited in the queue is not late.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => driver.obey(command),
                    None => break,
                },
                Some((arrived, fact)) = facts.recv() => driver.take(arrived, fact),
                Some(pull) = releases.recv() => driver.forget(pull).await,
                () = sleep_until(due), if due.is_some() => {
                    let now = driver.now();
                    driver.assembler.handle_timeout(now);
                }
            }
            driver.speak().await;
        }
    }

    fn now(&self) -> Time {
        Time::since_epoch(self.epoch.elapsed())
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Start {
                pull,
                options,
                reply,
            } => {
                let started = self.assembler.start(now, key_of(&pull), options);
                let answer = started.map(|()| self.enter(pull.clone()));
                if reply.send(answer).is_err() {
                    // Whoever asked has gone; nobody waits for it.
                    let _ = self.assembler.cancel(now, &key_of(&pull));
                }
            }
            Command::Accepted(pull) => self.assembler.handle_accepted(now, &key_of(&pull)),
            Command::NotSent(pull, error) => self.not_sent(now, &pull, error),
            Command::Cancel(pull) => {
                // Ended before, most likely: a handle cancels when it is dropped.
                let _ = self.assembler.cancel(now, &key_of(&pull));
            }
        }
    }

    fn enter(&mut self, pull: PullId) -> Watched {
        let key = key_of(&pull);
        let lease = Arc::new(Lease {
            pull: pull.clone(),
            released: self.released.clone(),
        });
        let progress = self.progress(&key, &pull);
        let (seen, watching) = watch::channel(Seen {
            progress,
            ended: None,
        });
        self.known.insert(&pull);
        let entered = Entered {
            pull,
            seen,
            _lease: Arc::clone(&lease),
            not_sent: None,
        };
        self.pulls.insert(key, entered);
        Watched {
            seen: watching,
            lease,
        }
    }

    /// The request failed. The callbacks are the truth: where pages have come, it was taken.
    fn not_sent(&mut self, now: Time, pull: &PullId, error: SendError) {
        let key = key_of(pull);
        let pages = self.assembler.fold(&key).map_or(0, Fold::pages);
        let Some(entered) = self.pulls.get_mut(&key) else {
            return;
        };
        if pages > 0 {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%pull, error, "the request failed, and yet its pages come; going on");
            self.assembler.handle_accepted(now, &key);
        } else {
            entered.not_sent = Some(Arc::new(error));
            // An error that it had ended already stands.
            let _ = self.assembler.cancel(now, &key);
        }
    }

    fn take(&mut self, arrived: Instant, fact: Fact) {
        let now = Time::since_epoch(arrived.saturating_duration_since(self.epoch));
        match fact {
            Fact::Page {
                pull,
                digest,
                has_more,
                accounts,
            } => {
                self.adopt(&pull);
                let page = Page {
                    key: key_of(&pull),
                    digest,
                    has_more,
                    accounts,
                };
                let verdict = self.assembler.handle_page(now, page);
                tracing::debug!(%pull, has_more, ?verdict, "page");
            }
            Fact::Unreadable { pull, digest } => {
                self.assembler
                    .handle_unreadable_page(now, &key_of(&pull), digest);
            }
            Fact::Owed { pull, digest } => {
                self.assembler.handle_owed_page(now, &key_of(&pull), digest);
            }
            Fact::Error(report) => self.assembler.handle_error(now, report),
        }
    }

    /// A page of a pull that nobody started here got this far because pulls are adopted.
    fn adopt(&mut self, pull: &PullId) {
        if !self.pulls.contains_key(&key_of(pull)) {
            drop(self.enter(pull.clone()));
        }
    }

    /// Hands every event to whom it concerns.
    async fn speak(&mut self) {
        while let Some(event) = self.assembler.poll_event() {
            match event {
                Event::Progressed { key } => self.update(&key, None),
                Event::Completed { key, basis, .. } => {
                    self.end(&key, Status::Complete(basis)).await
                }
                Event::Failed { key, failure, .. } => {
                    let not_sent = self
                        .pulls
                        .get_mut(&key)
                        .and_then(|entered| entered.not_sent.take());
                    let status = match not_sent {
                        Some(error) if error.is_refusal() => Status::Refused(error),
                        Some(error) => Status::NotSent(error),
                        None => Status::of(failure),
                    };
                    self.end(&key, status).await;
                }
                Event::Revised { key, revision, .. } => {
                    tracing::warn!(pull = %key, revision, "a page came after the list was complete");
                    self.update(&key, None);
                }
                Event::Forgotten { key } => {
                    if let Some(entered) = self.pulls.remove(&key) {
                        self.known.remove(&entered.pull);
                    }
                }
                Event::Anomaly(anomaly) => tracing::warn!(?anomaly, "anomaly"),
                other => tracing::debug!(?other, "an event that this driver does not use"),
            }
        }
    }

    async fn end(&mut self, key: &PullKey, status: Status) {
        let Some(entered) = self.pulls.get(key) else {
            return;
        };
        let pull = entered.pull.clone();
        tracing::info!(%pull, status = status.as_str(), "pull ended");
        let note = Note::Ended {
            status: status.as_str().to_owned(),
        };
        if let Err(error) = self.journal.note(&pull, note).await {
            // The pages are what counts, and they are kept: the end follows from them again.
            tracing::error!(%pull, error = &error as &dyn std::error::Error, "the end was not journaled");
        }
        let fold = self
            .assembler
            .take_fold(key)
            .unwrap_or_else(|| Fold::new(key));
        self.update(
            key,
            Some(Ended {
                status,
                fold: Arc::new(fold),
            }),
        );
    }

    fn update(&mut self, key: &PullKey, ended: Option<Ended>) {
        let Some(entered) = self.pulls.get(key) else {
            return;
        };
        let progress = self.progress(key, &entered.pull);
        entered.seen.send_modify(|seen| {
            seen.progress = progress;
            seen.ended = ended.or(seen.ended.take());
        });
    }

    fn progress(&self, key: &PullKey, pull: &PullId) -> Progress {
        // Asked only of pulls that are open or remembered.
        Progress::new(pull, self.assembler.progress(key), self.now())
    }

    /// Nobody holds the pull any more, neither the assembler's memory nor a caller.
    async fn forget(&mut self, pull: PullId) {
        if let Err(error) = self.journal.forget(&pull).await {
            tracing::warn!(%pull, error = &error as &dyn std::error::Error, "not forgotten");
        }
    }
}

/// Pending where nothing is due; the branch is disabled then.
async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due).await;
    }
}
