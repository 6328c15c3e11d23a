//! Client, listeners and signals of the verbs that talk to the platform.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use qopen::assembler::Timing;
use qopen::callback::receiver;
use qopen::http::Sender;
use qopen::journal::Store;
use qopen::{Client, ClientBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::Receiving;
use crate::exit::{Exit, Failure, chained};
use crate::lang::{Text, phrase};
use crate::say::{say, tell};
use crate::settings::Settings;

/// Builds the sender of requests from settings and arguments.
pub(crate) fn sender(receiving: &Receiving, settings: &Settings) -> Result<Sender, Failure> {
    let codes = receiving.retry_codes.clone().unwrap_or_default().0;
    settings.sender(|builder| {
        let builder = builder.retry_codes(codes);
        match receiving.rate_limit {
            Some(limit) => builder.rate_limit(limit),
            None => builder,
        }
    })
}

/// Builds a client from settings and arguments.
pub(crate) fn client(
    sender: Sender,
    receiving: &Receiving,
    settings: &Settings,
    journal: &Arc<dyn Store>,
) -> Result<ClientBuilder, Failure> {
    let mut config = receiver::ReceiverConfig::default();
    config.path = settings.callback_path()?;
    if let Some(tolerance) = settings.refuse_stale()? {
        config.timestamps = config.timestamps.tolerance(tolerance).refuse();
    }
    let timing = Timing::default()
        .settle(receiving.settle)
        .idle_timeout(receiving.idle_timeout)
        .deadline(receiving.deadline);
    let builder = Client::builder(sender, settings.ring()?);
    // Forget pulls before the journal deletes them: a later page then belongs to an unknown pull.
    let retention = Duration::from_secs(600).min(receiving.retain.mul_f64(0.9));
    let builder = builder.journal(Arc::clone(journal) as _).retention(retention);
    Ok(builder.receiver(config).timing(timing))
}

/// Returns the router of the callback listener: the callback path, and a count of all others.
pub(crate) fn router(client: &Client) -> axum::Router {
    receiver::count_other_paths(client.callback_router(), client.stats().receiver().clone())
}

/// What a listener takes.
pub(crate) const CALLBACKS: Text = Text::new("callbacks", "回调");
pub(crate) const CONTROL: Text = Text::new("control", "控制请求");

/// Opens a listener. An error names `flag` as the way to another address.
pub(crate) async fn listen(
    address: SocketAddr,
    what: Text,
    flag: &str,
) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = phrase!(
            "cannot listen for {what} on {address}; is the port in use? {flag} names another",
            "无法在 {address} 监听{what}；端口是否已被占用？{flag} 可指定其他地址",
            what = what,
            address = address,
            flag = flag,
        );
        Failure::usage_of(what, &error)
    })
}

/// The text of the first signal, if a verb can stop in good order.
struct Orderly {
    stopping: watch::Sender<bool>,
    says: Text,
}

static ORDERLY: OnceLock<Orderly> = OnceLock::new();

/// Becomes true at the first Ctrl-C or SIGTERM. A second one ends the process at once.
pub(crate) fn interruption() -> watch::Receiver<bool> {
    stops_with(Text::new(
        "stopping; received data is kept (a second signal stops at once)",
        "正在停止；已收到的数据都会保存（再发一次信号则立即停止）",
    ))
}

/// The same for a verb that keeps nothing.
pub(crate) fn stops_with(says: Text) -> watch::Receiver<bool> {
    let orderly = ORDERLY.get_or_init(|| Orderly { stopping: watch::channel(false).0, says });
    orderly.stopping.subscribe()
}

/// Time limit for the last output. There is none before a signal.
pub(crate) fn patience() -> Option<Duration> {
    let is_stopping = ORDERLY.get().is_some_and(|it| *it.stopping.borrow());
    is_stopping.then_some(Duration::from_secs(1))
}

/// Ends the process at Ctrl-C and SIGTERM, unless the verb handles [`interruption`]. Without a handler the
/// first process of a container ignores both. Call it on the runtime.
pub(crate) fn heed_signals() {
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        loop {
            signals.next().await;
            match ORDERLY.get() {
                Some(orderly) if !*orderly.stopping.borrow() => {
                    // Before output, which may wait for its reader.
                    orderly.stopping.send_replace(true);
                    say!("qopen: {}", orderly.says.shown());
                }
                orderly => {
                    if orderly.is_none() {
                        tell!("interrupted", "被中断");
                    }
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
        }
    });
}

/// Makes a write past a limit of the file size (`ulimit -f`) fail like one to a full disk. Without a handler the
/// signal of that limit ends the process. Call it on the runtime.
#[cfg(unix)]
pub(crate) fn survive_file_size_limit() {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays for the life of the process. Nothing waits for the signal.
    let handled = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
    if let Err(error) = handled {
        let what = phrase!(
            "the signal of the file size limit cannot be handled",
            "无法处理文件大小限制的信号",
        );
        say!("qopen: {}", chained(what, &error).shown());
    }
}

#[cfg(not(unix))]
pub(crate) fn survive_file_size_limit() {}

/// Ctrl-C and SIGTERM, caught from its construction on.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let heard = |kind| {
            let what = || phrase!("signals cannot be handled", "无法处理信号");
            let said = |error| say!("qopen: {}", chained(what(), &error).shown());
            signal(kind).map_err(said).ok()
        };
        Self([heard(SignalKind::interrupt()), heard(SignalKind::terminate())])
    }

    async fn next(&mut self) {
        let Self([interrupt, terminate]) = self;
        tokio::select! {
            () = next_of(interrupt) => {}
            () = next_of(terminate) => {}
        }
    }
}

#[cfg(unix)]
async fn next_of(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Completes when the process should stop.
pub(crate) async fn told(mut stopping: watch::Receiver<bool>) {
    // The sender is dropped only with the process.
    let _ = stopping.wait_for(|it| *it).await;
}
