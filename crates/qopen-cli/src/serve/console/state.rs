//! The state of the console.

use std::sync::Arc;

use qopen::types::Secret;

use super::attempts::Attempts;
use super::flash::Flashes;
use super::session::{Random, Sessions};
use crate::exit::Failure;
use crate::serve::service::Service;
use crate::settings::Settings;
use crate::zone::Zone;

/// What pages need besides the service.
pub(in crate::serve) struct Console {
    pub(super) service: Arc<Service>,
    /// The control token, if one is set.
    pub(super) token: Option<Secret>,
    pub(super) sessions: Sessions,
    pub(super) attempts: Attempts,
    pub(super) flashes: Flashes,
    /// The CSRF token of forms outside a session.
    pub(super) csrf: Random,
    /// The zone of times on pages.
    pub(super) zone: Zone,
    /// Whether pages may show customers after a click.
    pub(super) shows_data: bool,
}

/// Settings of the console.
pub(in crate::serve) struct ConsoleOptions {
    token: Option<Secret>,
    zone: Zone,
    shows_data: bool,
}

impl ConsoleOptions {
    /// # Errors
    /// A setting has a wrong value.
    pub(in crate::serve) fn of(settings: &Settings) -> Result<Self, Failure> {
        let zone = settings.time_zone().unwrap_or_else(|_| Zone::utc("the system has none"));
        let (_, token) = settings.control()?;
        Ok(Self { token: token.cloned(), zone, shows_data: settings.console_data()? })
    }
}

impl Console {
    /// # Errors
    /// The system gives no random bytes.
    pub(in crate::serve) fn new(
        service: Arc<Service>,
        options: ConsoleOptions,
    ) -> Result<Self, Failure> {
        let ConsoleOptions { token, zone, shows_data } = options;
        let csrf = Random::new().map_err(|error| Failure::unexpected("the console", &error))?;
        Ok(Self {
            service,
            token,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            flashes: Flashes::default(),
            csrf,
            zone,
            shows_data,
        })
    }
}
