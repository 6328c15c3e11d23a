//! What every verb that talks to the platform needs: a client, listeners, and the end of it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use qopen::assembler::Timing;
use qopen::callback::receiver;
use qopen::journal::Store;
use qopen::{Client, ClientBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::Receiving;
use crate::exit::{Exit, Failure};
use crate::say::say;
use crate::settings::Settings;

/// A client as the settings and the arguments say.
pub(crate) fn client(
    receiving: &Receiving,
    settings: &Settings,
    journal: &Arc<dyn Store>,
) -> Result<ClientBuilder, Failure> {
    let codes = receiving.retry_codes.clone().unwrap_or_default().0;
    let sender = settings.sender(|builder| {
        let builder = builder.retry_codes(codes);
        match receiving.rate_limit {
            Some(limit) => builder.rate_limit(limit),
            None => builder,
        }
    })?;
    let mut config = receiver::Config::default();
    config.path = settings.callback_path()?;
    if let Some(tolerance) = settings.refuse_stale()? {
        config.freshness = config.freshness.tolerance(tolerance).refuse();
    }
    let timing = Timing::default()
        .settle(receiving.settle)
        .idle_timeout(receiving.idle_timeout)
        .deadline(receiving.deadline);
    let builder = Client::builder(sender, settings.ring()?);
    // What the journal lets go of is forgotten before: a page of it is a stranger's then.
    let retention = Duration::from_secs(600).min(receiving.retain.mul_f64(0.9));
    let builder = builder.journal(Arc::clone(journal) as _).retention(retention);
    Ok(builder.receiver(config).timing(timing))
}

/// What the callback listener serves: the callback path, and the counting of all others.
pub(crate) fn router(client: &Client) -> axum::Router {
    receiver::count_other_paths(client.callback_router(), client.stats().receiver().clone())
}

/// A listener; `flag` is what names another address.
pub(crate) async fn listen(
    address: SocketAddr,
    what: &str,
    flag: &str,
) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = format!(
            "cannot listen for {what} on {address}; is the port in use? {flag} names another"
        );
        Failure::usage_of(&what, &error)
    })
}

/// True from the first Ctrl-C or SIGTERM on. A second one ends the process at once.
pub(crate) fn interruption() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        sender.send_replace(true);
        say!("qopen: stopping; what has come is kept (a second signal stops at once)");
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
