//! `qopen serve`: receives callbacks as a service, and pulls on request.

mod addresses;
mod arrivals;
mod console;
mod control;
mod cron;
mod destination;
mod maintenance;
mod metrics;
mod notify;
mod refusing;
mod reload;
mod schedule;
mod service;
mod tasks;
mod texts;
mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use qopen::callback::listener::Listener;
use qopen::journal::Store;
use qopen::sink::shown_path;
use qopen::{ForwardListener, ForwardQueue, WorkerOptions};
use tokio::net::TcpListener;

use crate::args::{Common, Role, ServeArgs};
use crate::beside;
use crate::database;
use crate::exit::{Exit, Failure, chained};
use crate::format::Layout;
use crate::guards::Guards;
use crate::lang::{Phrase, THE_JOURNAL, phrase};
use crate::output::Output;
use crate::report::Noun;
use crate::robot_events::RobotEvents;
use crate::say::{self, caution, say, tell};
use crate::settings::Settings;
use crate::topics::warnings;
use crate::values::out::{is_database, refuse_scheme};
use crate::wiring;
use console::{Console, ConsoleOptions};
pub(crate) use control::Host;
use notify::Supervisor;
use refusing::{reject_when_stopping, tell_of_refusals};
pub(crate) use schedule::examine;
use schedule::{Defaults, Schedules};
use service::Service;
pub(crate) use webhooks::examine_webhooks;
use webhooks::{Delivery, DeliveryCounts, Endpoints, Webhooks};

/// Time limit for callbacks, requests and lists in flight after SIGTERM. With the last calls into storage it
/// makes half of what container runtimes allow before they kill the process.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Time limit for a reader of the control API that reads nothing.
const SLOW_READER: Duration = Duration::from_secs(300);

pub(crate) async fn run(
    args: ServeArgs,
    settings: Settings,
    flags: Common,
) -> Result<Exit, Failure> {
    let hangups = reload::Hangups::listen();
    let layout = layout(&args)?;
    settings.check_serving()?;
    let (address, token) = settings.control()?;
    let doors = control::Doors::new(settings.control_hosts()?);
    let console = ConsoleOptions::of(&settings)?;
    let location = settings.journal()?;
    if args.role != Role::Both && !location.is_shared() {
        return Err(Failure::usage(phrase!(
            "--role: a journal in a folder belongs to one process, which does both; share one with --journal",
            "--role：文件夹中的持久化存储属于一个进程，由它兼做两者；共享请用 --journal",
        )));
    }
    if args.migrate {
        let migrated = crate::journal::migrate(&location).await;
        migrated.map_err(|error| crate::journal::cannot_open(&location, &error))?;
    }
    let journal = crate::journal::open_at(&location).await?;
    let (listener, tls) = settings.listener()?;
    let mut limits = settings.limits()?;
    limits.write_timeout = SLOW_READER;
    let control_listener = Listener::new(limits);
    let callbacks = match args.role {
        Role::Worker => None,
        _ => Some(wiring::listen(settings.listen()?, wiring::CALLBACKS, "--listen").await?),
    };
    let control = wiring::listen(address, wiring::CONTROL, "--control").await?;
    say::by_thread();
    say::with_times();
    let retain = args.receiving.retain;
    let sender = wiring::sender(&args.receiving, &settings)?;
    let mut builder = wiring::client(sender, &args.receiving, &settings, &journal)?;
    let Queued { queue: forward, forwards, webhooks, counts } =
        queued(&args, &settings, &journal, &control).await?;
    if let Some(queue) = forward.as_ref().filter(|_| forwards) {
        builder = builder.other_event_handler(Arc::new(queue.clone()));
    }
    let events = Arc::new(RobotEvents::default());
    let (observed, told) = (Arc::clone(&events), webhooks.clone());
    let builder = builder.other_event_observer(move |event| {
        if let Some(logout) = observed.take(event) {
            say!("qopen: {}", logout.sentence().shown());
            if let Some(webhooks) = &told {
                webhooks.of_logout(&logout);
            }
        }
    });
    let client = builder.keep_external_pages(args.adopt).build();
    let client = client.map_err(|error| Failure::unexpected("the client", &error))?;
    let output = match &args.out {
        None => None,
        Some(out) if out.is_dir() || is_database(out) => {
            if let Some(url) = database::of(out) {
                database::refuse_password("--out", url)?;
            }
            let output = Output::new(out, layout)?.in_folder(location.as_folder());
            output.check_last(args.receiving.new_baseline)?;
            output.check(&[])?;
            args.receiving.check_guards(&output, layout)?;
            Some(output)
        }
        Some(folder) => {
            return Err(Failure::usage(phrase!(
                "--out: {folder} is not a folder",
                "--out：{folder} 不是文件夹",
                folder = shown_path(folder),
            )));
        }
    };
    let schedules = match args.role {
        Role::Receiver => {
            if !settings.schedule.is_empty() {
                tell!(
                    "schedules are left to workers; --role receiver starts no pull",
                    "定时任务由工作进程执行；--role receiver 不发起拉取",
                );
            }
            None
        }
        _ => {
            let defaults =
                Defaults { output: output.clone(), layout, guards: Guards::from(&args.receiving) };
            Some(Arc::new(Schedules::new(&settings, defaults)?))
        }
    };
    let follows_customers = settings
        .schedule
        .iter()
        .any(|it| it.entry().is_ok_and(|it| it.pull_on_new_customer.is_some()));
    if follows_customers && args.role != Role::Both {
        caution!(
            warnings::ROLE_WITHOUT_EVENTS,
            "pull_on_new_customer has no effect with this --role; it needs --role both, which receives the events and starts the pulls",
            "pull_on_new_customer 在此 --role 下不起作用；它需要 --role both，既接收事件又发起拉取",
        );
    }
    let stopping = wiring::interruption();
    let wiring = service::Wiring {
        layout,
        guards: Guards::from(&args.receiving),
        allow_unidentified: args.receiving.allow_unidentified,
        policy: args.receiving.policy(&client),
        lookup: args.receiving.lookup(&client),
        path: settings.callback_path()?,
        listener: listener.clone(),
        is_alone: !location.is_shared(),
        events,
        planned: schedules.clone().map(|it| it as _),
        webhooks,
        messages: counts,
    };
    let forwards = forward.clone();
    let scratch = location.as_folder().map(Path::to_owned);
    let service = Arc::new(Service::new(
        client,
        journal,
        output,
        forwards,
        stopping.clone(),
        scratch,
        wiring,
    ));
    if let Some(callbacks) = &callbacks {
        addresses::tell_callbacks(callbacks, &settings, tls.is_some());
    }
    let noted = Noted::leave(location.as_folder(), &control);
    addresses::tell_control(&control);
    let token = token.cloned();
    let client = service.client.clone();
    let supervisor = Supervisor::of_environment();
    let running = reload::Running {
        client,
        tls,
        schedules: schedules.clone(),
        flags,
        settings,
        supervisor: supervisor.clone(),
    };
    let kept = service.tasks.clone();
    let hangups = Arc::new(tokio::sync::Mutex::new(hangups));
    let running = Arc::new(running);
    kept.keep(tasks::RELOAD, stopping.clone(), move || {
        let (running, hangups) = (Arc::clone(&running), Arc::clone(&hangups));
        async move { running.reload_on(&mut *hangups.lock().await).await }
    });
    let mut working = None;
    if let Some(schedules) = schedules {
        let service = Arc::clone(&service);
        kept.keep(tasks::SCHEDULE, stopping.clone(), move || {
            let (schedules, service) = (Arc::clone(&schedules), Arc::clone(&service));
            async move { schedules.run(&service).await }
        });
    }
    if args.role != Role::Receiver {
        let mut options = WorkerOptions::default();
        options.lease = args.lease;
        working = Some(tokio::spawn(Arc::clone(&service).work(options)));
        if let Some(queue) = forward {
            kept.keep(tasks::FORWARD, stopping.clone(), move || {
                let queue = queue.clone();
                async move { queue.run().await }
            });
        }
        let keeping = Arc::clone(&service);
        kept.keep(tasks::RETENTION, stopping.clone(), move || {
            let keeping = Arc::clone(&keeping);
            async move { maintenance::run_maintenance(&keeping, retain).await }
        });
    }

    let closed = middleware::from_fn_with_state(Arc::clone(&service), reject_when_stopping);
    let router = wiring::router(&service.client).layer(closed);
    let listener = listener.refusals(service.client.stats().refusals().clone());
    if location.is_shared() && callbacks.is_some() {
        let service = Arc::clone(&service);
        kept.keep(tasks::REFUSALS, stopping.clone(), move || {
            tell_of_refusals(Arc::clone(&service))
        });
    }
    if callbacks.is_some() {
        let service = Arc::clone(&service);
        kept.keep(tasks::RECEIVING, stopping.clone(), move || {
            let service = Arc::clone(&service);
            async move { service.tell_of_troubles().await }
        });
    }
    let console = Arc::new(Console::new(Arc::clone(&service), console)?);
    let control_router =
        control::router(Arc::clone(&service), token, doors, listener.clone(), console);
    let receiving = async {
        match callbacks {
            Some(callbacks) => {
                listener.serve(callbacks, router, wiring::told(stopping.clone())).await
            }
            None => wiring::told(stopping.clone()).await,
        }
    };
    let both = async {
        tokio::join!(
            receiving,
            control_listener.serve(control, control_router, wiring::told(stopping.clone())),
            async {
                wiring::told(stopping.clone()).await;
                supervisor.stopping();
            },
        )
    };
    let workless = working.is_none();
    let working = async {
        match working {
            Some(working) => working.await.is_ok(),
            None => true,
        }
    };
    tokio::pin!(working);
    let all = async {
        tokio::pin!(both);
        tokio::select! {
            ((), (), ()) = &mut both => drop(working.await),
            _ = &mut working, if !workless => {
                if !*stopping.borrow() {
                    // Without a worker nothing is pulled. The supervisor of the process restarts it.
                    let ended = std::io::Error::other("it ended unexpectedly");
                    return Err(Failure::unexpected("the worker", &ended));
                }
                both.await;
            }
        }
        Ok(())
    };
    supervisor.ready();
    tokio::select! {
        done = all => done?,
        // An open connection or a hanging place does not keep the process.
        () = async { wiring::told(stopping.clone()).await; tokio::time::sleep(SHUTDOWN_GRACE).await } => {
            tracing::warn!("stopped with work in flight; the next start resumes it");
        }
    }
    drop(noted);
    Ok(Exit::Complete)
}

/// Returns the form of the lists of `--out`.
fn layout(args: &ServeArgs) -> Result<Layout, Failure> {
    match &args.out {
        // Only a folder or a database is valid, so the ending of a file does not matter.
        Some(out) if out.is_dir() || is_database(out) => {
            database::check_flag("--out", out)?;
            args.layout.at(out, Layout::default())
        }
        Some(out) => {
            let fails = |why| Failure::usage(Phrase::about("--out", why));
            refuse_scheme(out).map_err(fails).map(|()| Layout::default())
        }
        None if args.layout.is_nothing() => Ok(Layout::default()),
        None => Err(Failure::usage(phrase!(
            "--format, --bom, --csv-safe and --labels need a place of lists; give --out FOLDER",
            "--format、--bom、--csv-safe 和 --labels 需要列表的位置；请给出 --out FOLDER",
        ))),
    }
}

/// The note for the verbs beside this process. Dropping it removes the note.
struct Noted<'a>(Option<&'a Path>);

impl<'a> Noted<'a> {
    fn leave(folder: Option<&'a Path>, control: &TcpListener) -> Self {
        let Some(folder) = folder else { return Self(None) };
        let left = control.local_addr().and_then(|address| beside::leave(folder, address));
        if let Err(error) = left {
            let what = phrase!(
                "`qopen pulls` and `quarantine` will not find this process",
                "`qopen pulls` 与 `quarantine` 将找不到本进程",
            );
            say!("qopen: {}", chained(what, &error).shown());
        }
        Self(Some(folder))
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if let Some(folder) = self.0 {
            beside::remove(folder);
        }
    }
}

/// The queue of events and messages.
struct Queued {
    /// Absent if nothing is forwarded.
    queue: Option<ForwardQueue>,
    /// Whether other events are forwarded.
    forwards: bool,
    webhooks: Option<Webhooks>,
    counts: Arc<DeliveryCounts>,
}

async fn queued(
    args: &ServeArgs,
    settings: &Settings,
    journal: &Arc<dyn Store>,
    control: &TcpListener,
) -> Result<Queued, Failure> {
    let endpoints = Endpoints::of(settings)?;
    let forwarder = settings.forwarder(args.receiving.forward.as_deref())?;
    let (counts, forwards) = (Arc::new(DeliveryCounts::default()), forwarder.is_some());
    if !forwards && endpoints.is_empty() {
        let waiting = journal.backlog().await;
        let waiting = waiting.map_err(|error| Failure::unexpected(THE_JOURNAL, &error))?.events;
        if waiting > 0 {
            tell!(
                "{events} to be forwarded; forward them with --forward URL",
                "{events}转发；请用 --forward URL 转发",
                events = Noun::new("event waits", "events wait", "个事件等待").count(waiting),
            );
        }
        return Ok(Queued { queue: None, forwards, webhooks: None, counts });
    }
    let forwarder = forwarder.map(ForwardListener::from);
    let delivery =
        Delivery { forwarder, endpoints: endpoints.clone(), counts: Arc::clone(&counts) };
    let queue = ForwardQueue::to(Arc::new(delivery), Arc::clone(journal) as _);
    let queue = queue.capacity(args.forward_queue).build();
    let webhooks = (!endpoints.is_empty()).then(|| Webhooks {
        endpoints,
        queue: queue.clone(),
        control: format!("http://{}", addresses::at(control)),
        counts: Arc::clone(&counts),
    });
    Ok(Queued { queue: Some(queue), forwards, webhooks, counts })
}
