//! Where the listeners of a service are.

use tokio::net::TcpListener;

use crate::say::tell;
use crate::settings::Settings;

/// Prints where callbacks are received.
pub(super) fn tell_callbacks(callbacks: &TcpListener, settings: &Settings, tls: bool) {
    tell!(
        "callbacks on {scheme}://{at}{path}",
        "回调监听于 {scheme}://{at}{path}",
        scheme = if tls { "https" } else { "http" },
        at = at(callbacks),
        path = settings.callback_path().unwrap_or_default(),
    );
}

/// Prints where control requests are taken.
pub(super) fn tell_control(control: &TcpListener) {
    let at = at(control);
    tell!(
        "control on http://{at}/v1/pulls, described by /openapi.json",
        "控制接口位于 http://{at}/v1/pulls，说明见 /openapi.json",
        at = at,
    );
    tell!("console on http://{at}/console", "控制台位于 http://{at}/console", at = at);
}

pub(super) fn at(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string())
}
