//! Settings: from a flag, else the environment, else the file, else a default.

mod file;
mod files;
mod spec;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qopen::callback::listener::{Limits, Listener, Tls, TlsError};
use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::{BuildError, Sender, SenderBuilder};
use qopen::journal::Location;
use qopen::types::Secret;

use crate::args::{Common, at_least_one, duration};
use crate::exit::{Failure, chain};
use crate::output::refuse_password;
use crate::say::say;
use crate::serve::Found;
use crate::zone::Zone;
pub(crate) use spec::*;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The values that were found, with their origins. All are kept as secrets: some are.
#[derive(Debug)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, (Secret, Origin)>,
    pub(crate) file: Option<PathBuf>,
    /// Settings that the file has and that something else comes before.
    pub(crate) overridden: Vec<String>,
    /// What others may do with the file and should not.
    pub(crate) exposure: Option<String>,
    /// Pulls at set times.
    pub(crate) schedule: Vec<Found>,
}

impl Settings {
    pub(crate) fn load(flags: &Common) -> Result<Self, Failure> {
        let (path, explicit) = match &flags.config {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from("qopen.toml"), false),
        };
        let in_file = file::read(&path, explicit)?;
        let file = in_file.is_some().then(|| path.clone());
        let (mut in_file, schedule) = in_file.unwrap_or_default();
        let has_secrets = ALL.iter().any(|spec| spec.secret && in_file.contains_key(spec.name));
        let exposure = file.as_deref().and_then(|file| file::exposure(file, has_secrets));
        let mut values = BTreeMap::new();
        for spec in ALL {
            let flag = flag_value(flags, spec).zip(spec.flag);
            let env = std::env::var(spec.env).ok().filter(|value| !value.is_empty());
            let found = flag
                .map(|(value, flag)| (value.into(), Origin::Flag(flag)))
                .or_else(|| env.map(|value| (value.into(), Origin::Environment(spec.env))))
                .or_else(|| {
                    in_file.remove(spec.name).map(|value| (value, Origin::File(path.clone())))
                })
                .or_else(|| spec.default.map(|value| (value.into(), Origin::Default)));
            if let Some(found) = found {
                values.insert(spec.name, found);
            }
        }
        let overridden = in_file.into_keys().collect();
        Ok(Self { values, file, overridden, exposure, schedule })
    }

    pub(crate) fn get(&self, spec: &Spec) -> Option<(&Secret, &Origin)> {
        self.values.get(spec.name).map(|(value, origin)| (value, origin))
    }

    pub(crate) fn text(&self, spec: &Spec) -> Option<&str> {
        self.get(spec).map(|(value, _)| value.expose())
    }

    fn required(&self, spec: &Spec) -> Result<&Secret, Failure> {
        self.get(spec).map(|(value, _)| value).ok_or_else(|| {
            let flag = spec.flag.map(|flag| format!("{flag}, ")).unwrap_or_default();
            let Spec { about, env, name, example, .. } = spec;
            Failure::usage(format!(
                "the {about} is not set; looked for it in {flag}{env} and `{name}` in {}\n  example: {env}='{example}'",
                self.file.as_deref().unwrap_or(Path::new("qopen.toml")).display(),
            ))
        })
    }

    /// Says which setting, from where, is not what it should be.
    fn wrong(&self, spec: &Spec, error: &dyn std::error::Error) -> Failure {
        let origin =
            self.get(spec).map_or_else(String::new, |(_, origin)| format!(" (from {origin})"));
        let what = chain(&format!("the {}{origin} cannot be used", spec.about), error);
        Failure::usage(format!("{what}\n  example: {}='{}'", spec.env, spec.example))
    }

    /// Says on standard error what is unwise and not wrong.
    pub(crate) fn warn(&self) {
        if let Some(exposure) = &self.exposure {
            say!("qopen: the settings file {exposure}");
        }
    }

    /// The names of settings that differ from what they were, but for those that are exempt.
    pub(crate) fn changed_since(&self, before: &Self, exempt: &[&Spec]) -> Vec<&'static str> {
        let differs = |spec: &&&Spec| {
            let value = |it: &Self| it.get(spec).map(|(value, _)| value.clone());
            !exempt.iter().any(|it| it.name == spec.name) && value(self) != value(before)
        };
        ALL.iter().filter(differs).map(|spec| spec.name).collect()
    }

    /// The keys that callbacks are opened with: those in force, then those to come where there are
    /// any. Of a pair to come, what is not set stays as it is.
    pub(crate) fn ring(&self) -> Result<Keyring, Failure> {
        let app_key = self.required(&APP_KEY)?.expose();
        let (token, aes) = (self.required(&CALLBACK_TOKEN)?, self.required(&ENCODING_AES_KEY)?);
        let keys = |token: &Secret, aes: &Secret, spec| {
            CallbackKeys::new(token.clone(), aes).map_err(|error| self.wrong(spec, &error))
        };
        let ring = Keyring::new(app_key, keys(token, aes, &ENCODING_AES_KEY)?);
        let next = |spec| self.get(spec).map(|(value, _)| value);
        match (next(&CALLBACK_TOKEN_NEXT), next(&ENCODING_AES_KEY_NEXT)) {
            (None, None) => Ok(ring),
            (next_token, next_aes) => {
                let (token, aes) = (next_token.unwrap_or(token), next_aes.unwrap_or(aes));
                Ok(ring.also(keys(token, aes, &ENCODING_AES_KEY_NEXT)?))
            }
        }
    }

    /// What connections the listeners bear.
    pub(crate) fn limits(&self) -> Result<Limits, Failure> {
        let mut limits = Limits::default();
        limits.connections = self.count(&MAX_CONNECTIONS)?.min(files::connections());
        limits.per_peer = self.count(&MAX_CONNECTIONS_PER_PEER)?;
        Ok(limits)
    }

    fn count(&self, spec: &Spec) -> Result<usize, Failure> {
        let text = self.required(spec)?.expose();
        at_least_one(text).map_err(|reason| self.wrong(spec, &Plain(format!("{text:?}: {reason}"))))
    }

    /// The certificate that callbacks are received with, where TLS is not a proxy's.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        if self.get(&TLS_CERT).is_none() && self.get(&TLS_KEY).is_none() {
            return Ok(None);
        }
        let (certificates, key) = (self.required(&TLS_CERT)?, self.required(&TLS_KEY)?);
        let tls = Tls::from_pem_files(certificates.expose(), key.expose());
        tls.map(Some).map_err(|error| match error {
            TlsError::Key { .. } => self.wrong(&TLS_KEY, &error),
            error => self.wrong(&TLS_CERT, &error),
        })
    }

    /// What callbacks are listened for with.
    pub(crate) fn listener(&self) -> Result<(Listener, Option<Tls>), Failure> {
        let (limits, wanted) = (self.limits()?, self.count(&MAX_CONNECTIONS)?);
        if limits.connections < wanted {
            let (most, about) = (limits.connections, MAX_CONNECTIONS.about);
            say!(
                "qopen: {about}: {most} instead of {wanted}, because the process may not open more files; see ulimit -n"
            );
        }
        let (listener, tls) = (Listener::new(limits), self.tls()?);
        Ok(match &tls {
            None => (listener, tls),
            Some(it) => (listener.tls(it.clone()), tls),
        })
    }

    /// How far from the clock a callback's timestamp may be, where that is limited.
    pub(crate) fn refuse_stale(&self) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.text(&REFUSE_STALE) else { return Ok(None) };
        let wrong =
            |reason: String| self.wrong(&REFUSE_STALE, &Plain(format!("{text:?}: {reason}")));
        match duration(text).map_err(wrong)? {
            // The signed time has whole seconds.
            tolerance if tolerance.as_secs() == 0 => Err(wrong("it is 1s at least".to_owned())),
            tolerance => Ok(Some(tolerance)),
        }
    }

    /// The zone of schedules' times: from the setting, else the system's.
    pub(crate) fn time_zone(&self) -> Result<Zone, Failure> {
        match self.get(&TIME_ZONE) {
            Some((name, origin)) => Zone::of_setting(name.expose(), &origin.to_string())
                .map_err(|why| self.wrong(&TIME_ZONE, &Plain(why))),
            None => Zone::system().map_err(Failure::usage),
        }
    }

    pub(crate) fn sender(
        &self,
        with: impl FnOnce(SenderBuilder) -> SenderBuilder,
    ) -> Result<Sender, Failure> {
        let builder = Sender::builder(self.required(&BASE_URL)?.expose());
        let builder = match self.get(&ACCESS_TOKEN) {
            Some((token, _)) => builder.access_token(token.clone()),
            None => {
                let app_key = self.required(&APP_KEY)?.expose();
                builder.app_credentials(app_key, self.required(&APP_SECRET)?.clone())
            }
        };
        with(builder).build().map_err(|error| match error {
            BuildError::UnsendableToken => self.wrong(&ACCESS_TOKEN, &error),
            error => self.wrong(&BASE_URL, &error),
        })
    }

    /// Where the journal lives.
    pub(crate) fn journal(&self) -> Result<Location, Failure> {
        match self.text(&JOURNAL) {
            None => Ok(Location::folder(self.required(&DATA_DIR)?.expose())),
            Some(url) if matches!(self.get(&JOURNAL), Some((_, Origin::Flag(_)))) => {
                refuse_password("--journal", url)?;
                Location::parse(url).map_err(|error| self.wrong(&JOURNAL, &error))
            }
            Some(url) => Location::parse(url).map_err(|error| self.wrong(&JOURNAL, &error)),
        }
    }

    pub(crate) fn listen(&self) -> Result<SocketAddr, Failure> {
        self.address(&LISTEN)
    }

    /// Where the control API listens, and the token that it asks for.
    pub(crate) fn control(&self) -> Result<(SocketAddr, Option<&Secret>), Failure> {
        let (address, token) = (self.address(&CONTROL)?, self.get(&CONTROL_TOKEN).map(|it| it.0));
        if token.is_none() && !address.ip().is_loopback() {
            let reason = Plain(format!(
                "{address} can be reached from elsewhere; set QOPEN_CONTROL_TOKEN, and send it as a bearer token"
            ));
            return Err(self.wrong(&CONTROL, &reason));
        }
        Ok((address, token))
    }

    fn address(&self, spec: &Spec) -> Result<SocketAddr, Failure> {
        let text = self.required(spec)?.expose();
        text.parse().map_err(|_| {
            let example = spec.example;
            self.wrong(spec, &Plain(format!("{text:?} is not an address and port, like {example}")))
        })
    }

    pub(crate) fn callback_path(&self) -> Result<String, Failure> {
        let path = self.required(&CALLBACK_PATH)?.expose();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if path.starts_with('/') && path.chars().all(plain) {
            return Ok(path.to_owned());
        }
        let reason = format!("{path:?} must begin with / and hold letters, digits and -_.~ only");
        Err(self.wrong(&CALLBACK_PATH, &Plain(reason)))
    }
}

/// An error that is its text.
#[derive(Debug)]
struct Plain(String);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Plain {}

fn flag_value(flags: &Common, spec: &Spec) -> Option<String> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|it| it.display().to_string());
    match spec.name {
        "base_url" => flags.base_url.clone(),
        "app_key" => flags.app_key.clone(),
        "listen" => flags.listen.clone(),
        "callback_path" => flags.callback_path.clone(),
        "control" => flags.control.clone(),
        "tls_cert" => path(&flags.tls_cert),
        "tls_key" => path(&flags.tls_key),
        "max_connections" => flags.max_connections.clone(),
        "max_connections_per_peer" => flags.max_connections_per_peer.clone(),
        "refuse_stale" => flags.refuse_stale.clone(),
        "data_dir" => path(&flags.data_dir),
        "journal" => flags.journal.clone(),
        _ => None,
    }
}
