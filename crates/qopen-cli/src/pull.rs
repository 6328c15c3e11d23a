//! `qopen pull`: from request to file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use qopen::assembler::Timing;
use qopen::callback::{RejectReason, receiver};
use qopen::sink::ListKind;
use qopen::types::RobotId;
use qopen::{Client, ForwardTo, Outcome, PullRequest, Status};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::PullArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::report::{Reporter, Summary};
use crate::settings::{self, Settings};

pub(crate) async fn run(args: PullArgs, settings: Settings) -> Result<Exit, Failure> {
    let robots = robots(&args)?;
    let output = Output::new(&args.out, args.format);
    let names: Vec<&str> = robots.iter().map(RobotId::as_str).collect();
    let (client, listener) = prepare(&args, &settings).await?;
    output.check(&names)?;
    if settings.get(&settings::DATA_DIR).is_some() {
        eprintln!(
            "qopen: note: this version keeps pages in memory only; the data folder is not used"
        );
    }
    let router = client.callback_router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let reporter = Arc::new(Reporter::new(args.json, output.is_stdout()));
    let work =
        Work { client, output, reporter: Arc::clone(&reporter), interrupted: interruption() };
    let tick = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            reporter.tick();
        }
    };
    tokio::select! {
        exit = work.run(robots, &args) => Ok(exit),
        () = tick => Ok(Exit::Unexpected),
    }
}

/// Everything that can be found wrong before the request is sent.
async fn prepare(args: &PullArgs, settings: &Settings) -> Result<(Client, TcpListener), Failure> {
    let sender = settings.sender(|builder| match args.rate_limit {
        Some(limit) => builder.rate_limit(limit),
        None => builder,
    })?;
    let mut config = receiver::Config::default();
    config.path = settings.callback_path()?;
    let timing = Timing::default()
        .settle(args.settle)
        .idle_timeout(args.idle_timeout)
        .deadline(args.deadline);
    let mut builder = Client::builder(sender, settings.ring()?).receiver(config).timing(timing);
    if let Some(url) = &args.forward {
        let forward =
            ForwardTo::new(url).map_err(|error| Failure::usage_of("--forward", &error))?;
        builder = builder.foreign_handler(Arc::new(forward));
    }
    let address = settings.listen()?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let what = format!(
            "cannot listen for callbacks on {address}; is the port in use? --listen names another"
        );
        Failure::usage_of(&what, &error)
    })?;
    let client = builder.build().map_err(|error| Failure::unexpected("the client", &error))?;
    Ok((client, listener))
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

/// True from the first Ctrl-C or SIGTERM on. A second one ends the process at once.
fn interruption() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        sender.send_replace(true);
        eprintln!("qopen: interrupted; keeping what has come (again to stop at once)");
        signal().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    receiver
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

struct Work {
    client: Client,
    output: Output,
    reporter: Arc<Reporter>,
    interrupted: watch::Receiver<bool>,
}

impl Work {
    async fn run(&self, robots: Vec<RobotId>, args: &PullArgs) -> Exit {
        // After an interruption no further request is sent.
        let robots = stream::iter(robots).take_while(|_| async { !*self.interrupted.borrow() });
        if !self.output.is_per_robot() {
            let ended = robots.map(|robot| self.pull(robot, args)).buffered(args.concurrency);
            return self.publish(ended.collect().await).await.1;
        }
        let each = robots.map(|robot| async {
            let ended = self.pull(robot, args).await;
            self.publish(vec![ended]).await
        });
        let each: Vec<_> = each.buffered(args.concurrency).collect().await;
        let (published, mut exits): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        // Pages may have come after a list was published, while others were still being pulled.
        for (outcome, revision) in published.into_iter().flatten() {
            if outcome.list.revision() > revision {
                exits.push(self.publish(vec![Ok(outcome)]).await.1);
            }
        }
        Exit::worst(exits)
    }

    /// Pulls one robot's list to its end, whatever that is.
    async fn pull(&self, robot: RobotId, args: &PullArgs) -> Result<Outcome, Failure> {
        let mut request = PullRequest::new(robot).need_tag_info(args.need_tags);
        request.expect_accounts = args.expect_accounts;
        let fails = |error: &dyn std::error::Error| Failure::unexpected("", error);
        let mut pull = self.client.pull(request).await.map_err(|error| fails(&error))?;
        let mut interrupted = self.interrupted.clone();
        loop {
            tokio::select! {
                progress = pull.next() => match progress {
                    Some(progress) => self.reporter.progress(progress),
                    None => break,
                },
                Ok(_) = interrupted.wait_for(|it| *it) => {
                    pull.cancel();
                    break;
                }
            }
        }
        pull.await.map_err(|error| fails(&error))
    }

    /// Publishes lists that go to one place, sums each of them up, and says what counts of it all.
    /// The outcomes come back with the revision that was published.
    async fn publish(&self, ended: Vec<Result<Outcome, Failure>>) -> (Vec<(Outcome, u32)>, Exit) {
        let mut exits = Vec::new();
        let mut outcomes = Vec::new();
        for ended in ended {
            match ended {
                Ok(outcome) => outcomes.push(outcome),
                Err(failure) => {
                    eprintln!("qopen: {failure}");
                    exits.push(failure.exit);
                }
            }
        }
        let rejections = self.client.stats().rejections();
        let summaries = publish(&self.output, &outcomes, exits.is_empty(), &rejections).await;
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
    rejections: &[(RejectReason, u64)],
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
        false => Some(output.publish(lists, kind).await),
    };
    let summarise = |outcome: &Outcome| {
        let id = &outcome.progress.pull;
        let mut summary = Summary::new(&outcome.status, &outcome.progress, rejections.to_vec());
        match &written {
            Some(Ok(written)) => {
                if let Some(list) = written.lists.iter().find(|list| list.id == *id) {
                    summary.accounts = list.accounts;
                    summary.quarantined = list.quarantined;
                    summary.revision = list.revision;
                    summary.output = Some(written.location.clone());
                    summary.quarantine_file.clone_from(&written.quarantine);
                }
            }
            Some(Err(failure)) => {
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
