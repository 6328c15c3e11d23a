//! On SIGHUP keys and certificates are read again, without a gap.

use qopen::Client;
use qopen::callback::listener::Tls;

use crate::args::Common;
use crate::exit::{Failure, chain};
use crate::settings::Settings;

/// Reads them again each time that the process is told to.
#[cfg(unix)]
pub(super) async fn on_hangup(client: Client, flags: Common, tls: Option<Tls>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            eprintln!("qopen: {}", chain("SIGHUP will not be heard", &error));
            return;
        }
    };
    while hangups.recv().await.is_some() {
        match reload(&client, &flags, tls.as_ref()) {
            Ok(()) => eprintln!("qopen: callback keys and certificates were read again"),
            Err(failure) => eprintln!("qopen: read again in vain, all stays as it was: {failure}"),
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn on_hangup(_: Client, _: Common, _: Option<Tls>) {}

fn reload(client: &Client, flags: &Common, tls: Option<&Tls>) -> Result<(), Failure> {
    let settings = Settings::load(flags)?;
    settings.warn();
    let ring = settings.ring()?;
    if let Some(tls) = tls {
        tls.reload().map_err(|error| Failure::usage_of("the TLS certificates", &error))?;
    }
    client.replace_keyring(ring);
    Ok(())
}
