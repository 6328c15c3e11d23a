//! The HTTP client of the sender and the forwarder.

use std::time::Duration;

use reqwest::Url;

use crate::build_error::BuildError;
use crate::proxy::{Chosen, ProxyChoice, ProxyUsed};
use crate::tls;

/// Connection settings of both.
#[derive(Clone)]
pub(crate) struct ClientSettings {
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: ProxyChoice,
    pub(crate) root_certificates: Option<Vec<u8>>,
    pub(crate) user_agent: Option<String>,
}

impl ClientSettings {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            connect_timeout: Duration::from_secs(5),
            proxy: ProxyChoice::default(),
            root_certificates: None,
            user_agent: None,
        }
    }

    /// Builds a client for requests to `target`, and returns the proxy that it uses.
    pub(crate) fn build(
        self,
        target: &Url,
    ) -> Result<(reqwest::Client, Option<ProxyUsed>), BuildError> {
        let mut client = reqwest::Client::builder()
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            // A redirect would carry the token, or a customer's data, to a place that no setting names.
            .redirect(reqwest::redirect::Policy::none())
            // `Way` has read the environment already.
            .no_proxy();
        if let Some(user_agent) = self.user_agent {
            client = client.user_agent(user_agent);
        }
        let mut used = None;
        let environment = |name: &str| std::env::var_os(name);
        if let Some(Chosen { proxy, used: by }) = self.proxy.for_target(target, &environment)? {
            client = client.proxy(proxy);
            used = Some(by);
        }
        let tls = match (&self.root_certificates, target.scheme(), &used) {
            // Redirects are not followed, so no connection has TLS.
            (None, "http", None) => tls::unused()?,
            (roots, ..) => tls::config(roots.as_deref())?,
        };
        let client = client.tls_backend_preconfigured(tls);
        let client = client.build().map_err(|error| BuildError::Client(error.into()))?;
        Ok((client, used))
    }
}
