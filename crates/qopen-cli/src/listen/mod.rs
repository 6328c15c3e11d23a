//! `qopen listen`: waits for callbacks, keeps them, and explains each.

mod keeper;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use qopen::callback::receiver::{self, ReceiverConfig};
use qopen::callback::{Keyring, SharedKeyring};
use qopen::{Client, Stats};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::args::ListenArgs;
use crate::exit::{Exit, Failure};
use crate::lang::{Phrase, Text, phrase};
use crate::report::{Came, Noun};
use crate::say::{answer, say, tell};
use crate::settings::Settings;
use crate::values::in_units;
use crate::wiring;
use keeper::{Genuine, Keeper};
use refused::{Explained, Refused, look};

/// Callbacks that wait for their explanation, at most.
const WAITING: usize = 64;

/// Refused requests that wait for their explanation, at most.
const REFUSED: usize = 64;

/// Time limit for answers in flight at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(4);

pub(crate) async fn run(args: ListenArgs, settings: Settings) -> Result<Exit, Failure> {
    settings.check_receiving()?;
    let journal = crate::journal::open_at(&settings.journal()?).await?;
    let (listener, tls) = settings.listener()?;
    let (path, ring) = (settings.callback_path()?, settings.ring()?);
    let mut config = ReceiverConfig::default();
    config.path.clone_from(&path);
    if let Some(tolerance) = settings.refuse_stale()? {
        config.timestamps = config.timestamps.tolerance(tolerance).refuse();
    }
    let client = Client::builder(settings.sender(|it| it)?, ring.clone());
    let client = client.journal(Arc::clone(&journal) as _).build();
    let client = client.map_err(|error| Failure::unexpected("the client", &error))?;
    let stats = client.stats().clone();
    let (tell, genuine) = mpsc::channel(WAITING);
    let keeper = Keeper::new(client.engine().intake().clone(), journal, tell);
    let (tell, refused) = mpsc::channel(REFUSED);
    let router = receiver::router(
        SharedKeyring::new(ring.clone()),
        Arc::new(keeper),
        config,
        stats.receiver().clone(),
    );
    let router = receiver::count_other_paths(router, stats.receiver().clone());
    let router = router.layer(middleware::from_fn_with_state(tell, look));
    let listener = listener.refusals(stats.refusals().clone());
    let socket = wiring::listen(settings.listen()?, wiring::CALLBACKS, "--listen").await?;
    let address =
        socket.local_addr().map_err(|error| Failure::unexpected("its address", &error))?;
    let interrupted = wiring::stops_with(Text::new("stopping", "正在停止"));
    let scheme = if tls.is_some() { "https" } else { "http" };
    tell!(
        "waiting for callbacks on {scheme}://{address}{path}; Ctrl-C ends",
        "正在 {scheme}://{address}{path} 等待回调；按 Ctrl-C 结束",
        scheme = scheme,
        address = address,
        path = path,
    );
    let (stop, stopping) = watch::channel(false);
    let serving = listener.clone();
    let serving = tokio::spawn(async move {
        serving.serve(socket, router, wiring::told(stopping)).await;
    });
    let came = || Came::of(&stats, &listener, &path);
    let mut waiting =
        Waiting { ring, genuine, refused, explained: Explained::default(), good: 0, bad: 0 };
    let exit = waiting.until_the_end(&args, interrupted, &came).await;
    let Waiting { good, bad, .. } = waiting;
    // A later callback is kept, and waits for no explanation.
    drop(waiting);
    stop.send_replace(true);
    // The platform reads its answer first.
    let _ = timeout(LAST_ANSWERS, serving).await;
    summarise(&stats, &came(), good, bad);
    Ok(exit)
}

/// What was received so far.
struct Waiting {
    ring: Keyring,
    genuine: mpsc::Receiver<Genuine>,
    refused: mpsc::Receiver<Refused>,
    explained: Explained,
    /// Callbacks that were kept and can be read.
    good: u64,
    /// Callbacks that were kept and cannot be read.
    bad: u64,
}

impl Waiting {
    /// Explains what comes, until the first callback with `--once`, the time-out or a signal.
    async fn until_the_end(
        &mut self,
        args: &ListenArgs,
        interrupted: watch::Receiver<bool>,
        came: &(impl Fn() -> Came + Sync),
    ) -> Exit {
        let end = async {
            match args.timeout {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let signal = wiring::told(interrupted);
        tokio::pin!(end, signal);
        loop {
            tokio::select! {
                biased;
                Some(genuine) = self.genuine.recv() => {
                    self.explain(genuine);
                    if args.once {
                        return self.exit_or(Exit::NoCallback);
                    }
                }
                Some(refused) = self.refused.recv() => {
                    let explanation = self.explained.of(&refused, &self.ring, came);
                    explanation.iter().for_each(|it| answer!("{it}"));
                }
                () = &mut end => {
                    let limit = in_units(args.timeout.unwrap_or_default());
                    tell!(
                        "the time is over: {limit} (--timeout)",
                        "时间已到：{limit}（--timeout）",
                        limit = limit,
                    );
                    return self.exit_or(Exit::NoCallback);
                }
                () = &mut signal => return self.exit_or(Exit::Interrupted),
            }
        }
    }

    fn explain(&mut self, genuine: Genuine) {
        let (lines, failed) = genuine.explanation(&self.ring);
        match failed {
            true => self.bad += 1,
            false => self.good += 1,
        }
        let title = phrase!(
            "callback {n}, answered success:",
            "第 {n} 条回调，应答 success：",
            n = self.good + self.bad,
        );
        answer!("{}", title.shown());
        lines.iter().for_each(|it| answer!("{it}"));
    }

    /// The exit code, which is `none` if no callback came.
    fn exit_or(&self, none: Exit) -> Exit {
        match (self.good, self.bad) {
            (0, 0) => none,
            (_, 0) => Exit::Complete,
            _ => Exit::Unexpected,
        }
    }
}

/// Says how much came, and what did not reach the journal.
fn summarise(stats: &Stats, came: &Came, good: u64, bad: u64) {
    let kept = stats.receiver().accepted();
    const CALLBACKS: Noun = Noun::new("callback was", "callbacks were", "条回调");
    let silent = match kept.saturating_sub(good + bad) {
        0 => Phrase::default(),
        more => phrase!(", {more} without an explanation", "，其中 {more} 条没有说明", more = more),
    };
    tell!(
        "{callbacks} kept and answered success{silent}",
        "{callbacks}已保存并应答 success{silent}",
        callbacks = CALLBACKS.count(kept),
        silent = silent,
    );
    let findings = came.findings();
    for finding in findings.iter().filter(|it| it.is_of_refused()) {
        say!("qopen: {}", finding.sentence().shown());
    }
    if kept == 0 && findings.is_empty() {
        tell!(
            "nothing came; does the console's callback URL lead to this listener?",
            "没有收到任何请求；平台后台中的回调地址是否指向本监听器？",
        );
    }
    match (good, bad) {
        (0, _) => {}
        (_, 0) => tell!(
            "the callback URL leads here, and its callbacks can be read",
            "回调地址能够到达本监听器，其回调可以读取",
        ),
        (good, bad) => tell!(
            "the callback URL leads here; {bad} of {all} callbacks cannot be read",
            "回调地址能够到达本监听器；{all} 条回调中有 {bad} 条无法读取",
            bad = bad,
            all = good + bad,
        ),
    }
}
