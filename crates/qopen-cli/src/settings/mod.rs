//! Settings: from a flag, else the environment, else the file, else a default.

mod check;
mod file;
mod files;
mod load;
mod mistakes;
mod nearest;
mod read;
mod requests;
pub(crate) mod schedule;
mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qopen::callback::listener::{Limits, Listener, Tls, TlsError};
use qopen::callback::{CallbackKeys, Keyring};
use qopen::journal::{Backend, DiskBackend};
use qopen::types::Secret;

use crate::args::Common;
use crate::database::refuse_password;
use crate::exit::{Failure, chain};
use crate::say::{caution, say};
use crate::serve::Host;
use crate::values::address::resolve;
use crate::values::{at_least_one, duration};
use crate::zone::Zone;
use schedule::Found;
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

/// A value that was found.
#[derive(Debug)]
struct Value {
    /// Kept as a secret: some are.
    text: Secret,
    /// The same as a path, where the setting is one.
    path: Option<PathBuf>,
    origin: Origin,
}

/// The values that were found, with their origins.
#[derive(Debug)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Value>,
    pub(crate) file: Option<PathBuf>,
    /// Settings that the file has and that something else comes before.
    pub(crate) overridden: Vec<String>,
    /// What others may do with the file and should not.
    pub(crate) exposure: Option<String>,
    /// What was trimmed from values, and variables that look like settings.
    pub(crate) notes: Vec<String>,
    /// Values that were given and cannot be used.
    pub(crate) problems: Vec<Failure>,
    /// Pulls at set times.
    pub(crate) schedule: Vec<Found>,
    /// Addresses, resolved once.
    resolved: Mutex<BTreeMap<&'static str, SocketAddr>>,
}

impl Settings {
    pub(crate) fn get(&self, spec: &Spec) -> Option<(&Secret, &Origin)> {
        self.values.get(spec.name).map(|it| (&it.text, &it.origin))
    }

    pub(crate) fn text(&self, spec: &Spec) -> Option<&str> {
        self.get(spec).map(|(value, _)| value.expose())
    }

    /// The path that a setting is.
    fn path(&self, spec: &'static Spec) -> Result<&Path, Failure> {
        let found = self.values.get(spec.name).and_then(|it| it.path.as_deref());
        found.ok_or_else(|| self.missing(spec))
    }

    fn required(&self, spec: &'static Spec) -> Result<&Secret, Failure> {
        self.get(spec).map(|(value, _)| value).ok_or_else(|| self.missing(spec))
    }

    fn missing(&self, spec: &'static Spec) -> Failure {
        let flag = spec.flag.map(|flag| format!("{flag}, ")).unwrap_or_default();
        let Spec { about, env, name, example, .. } = spec;
        let file = self.file.as_deref().unwrap_or(Path::new("qopen.toml")).display();
        let message = format!(
            "the {about} is not set; looked for it in {flag}{env} and `{name}` in {file}\n  example: {env}='{example}'"
        );
        Failure::missing(spec.name, message)
    }

    /// Says which setting, from where, is not what it should be.
    fn wrong(&self, spec: &'static Spec, error: &dyn std::error::Error) -> Failure {
        wrong(spec, self.get(spec).map(|it| it.1), error)
    }

    /// Says on standard error what is unwise and not wrong.
    pub(crate) fn warn(&self) {
        if let Some(exposure) = &self.exposure {
            caution!("qopen: the settings file {exposure}");
        }
        for note in &self.notes {
            caution!("qopen: {note}");
        }
    }

    /// The names of settings that differ from what they were, but for those that are exempt.
    pub(crate) fn changed_since(&self, before: &Self, exempt: &[&Spec]) -> Vec<&'static str> {
        let differs = |spec: &&&Spec| {
            // Two paths that are shown alike may differ in bytes that are not text.
            let value =
                |it: &Self| it.values.get(spec.name).map(|it| (it.text.clone(), it.path.clone()));
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

    fn count(&self, spec: &'static Spec) -> Result<usize, Failure> {
        let text = self.required(spec)?.expose();
        at_least_one(text).map_err(|reason| self.wrong(spec, &Plain(format!("{text:?}: {reason}"))))
    }

    /// The certificate that callbacks are received with, where TLS is not a proxy's.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        if self.get(&TLS_CERT).is_none() && self.get(&TLS_KEY).is_none() {
            return Ok(None);
        }
        let (certificates, key) = (self.path(&TLS_CERT)?, self.path(&TLS_KEY)?);
        let tls = Tls::from_pem_files(certificates, key);
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

    /// Where the journal lives.
    pub(crate) fn journal(&self) -> Result<Arc<dyn Backend>, Failure> {
        let Some(Value { text, path, origin }) = self.values.get(JOURNAL.name) else {
            return Ok(Arc::new(DiskBackend::new(self.path(&DATA_DIR)?)));
        };
        if let Some(folder) = path {
            return Ok(Arc::new(DiskBackend::new(folder)));
        }
        if let Origin::Flag(flag) = origin {
            refuse_password(flag, text.expose()).map_err(|it| it.of_setting(JOURNAL.name))?;
        }
        qopen::backend(text.expose()).map_err(|error| self.wrong(&JOURNAL, &error))
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
        if let Some(token) = token {
            control_token(token).map_err(|reason| self.wrong(&CONTROL_TOKEN, &Plain(reason)))?;
        }
        Ok((address, token))
    }

    /// The hosts that the control API answers to, besides loopback and its own address.
    pub(crate) fn control_hosts(&self) -> Result<BTreeSet<Host>, Failure> {
        let hosts = self.text(&CONTROL_HOST).map(|it| it.split(',').map(str::trim));
        let parse = |(number, text): (usize, &str)| {
            Host::parse(text).ok_or_else(|| {
                let reason = match text {
                    "" => format!("entry {number} is empty; remove a comma"),
                    _ => format!("{text:?} is not a name or an IP address without scheme and port"),
                };
                self.wrong(&CONTROL_HOST, &Plain(reason))
            })
        };
        (1..).zip(hosts.into_iter().flatten()).map(parse).collect()
    }

    fn address(&self, spec: &'static Spec) -> Result<SocketAddr, Failure> {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = resolved.get(spec.name) {
            return Ok(*address);
        }
        let address = resolve(self.required(spec)?.expose());
        let address = address.map_err(|reason| self.wrong(spec, &Plain(reason)))?;
        resolved.insert(spec.name, address);
        Ok(address)
    }

    pub(crate) fn callback_path(&self) -> Result<String, Failure> {
        let path = self.required(&CALLBACK_PATH)?.expose();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if path.starts_with('/') && path.chars().all(plain) {
            return Ok(path.to_owned());
        }
        let bare = path.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
        if let Some(bare) = bare.filter(|it| it.chars().all(plain)) {
            let reason = format!("{path:?} is a URL; write only its path, {bare}");
            return Err(self.wrong(&CALLBACK_PATH, &Plain(reason)));
        }
        let reason = format!("{path:?} must begin with / and hold letters, digits and -_.~ only");
        Err(self.wrong(&CALLBACK_PATH, &Plain(reason)))
    }
}

fn wrong(spec: &'static Spec, origin: Option<&Origin>, error: &dyn std::error::Error) -> Failure {
    let from = match origin {
        Some(Origin::File(file)) => format!(" (from `{}` in {})", spec.name, file.display()),
        Some(origin) => format!(" (from {origin})"),
        None => String::new(),
    };
    let what = chain(&format!("the {}{from} cannot be used", spec.about), error);
    let Spec { name, env, example, .. } = spec;
    let example = match origin {
        Some(Origin::Flag(flag)) => format!("{flag} '{example}'"),
        Some(Origin::File(_)) => format!("{name} = \"{example}\""),
        _ => format!("{env}='{example}'"),
    };
    let message = format!("{what}\n  example: {example}");
    Failure::usage(message).of_setting(spec.name)
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

/// Characters that a control token has at least.
const TOKEN: usize = 16;

/// Why a token cannot be one: it would be guessed, or no header carries it. Never quotes it.
fn control_token(token: &Secret) -> Result<(), String> {
    let text = token.expose();
    if !text.bytes().all(|it| it.is_ascii_graphic()) {
        return Err("it has a space or another character that is not visible ASCII".to_owned());
    }
    match text.len() {
        length if length < TOKEN => {
            Err(format!("it has {length} characters, and needs at least {TOKEN}"))
        }
        _ => Ok(()),
    }
}

fn flag_value(flags: &Common, spec: &Spec) -> Option<OsString> {
    let text = |text: &Option<String>| text.as_ref().map(OsString::from);
    let path = |path: &Option<PathBuf>| path.as_ref().map(OsString::from);
    match spec.name {
        "base_url" => text(&flags.base_url),
        "app_key" => text(&flags.app_key),
        "listen" => text(&flags.listen),
        "callback_path" => text(&flags.callback_path),
        "control" => text(&flags.control),
        "control_host" if !flags.control_host.is_empty() => {
            Some(flags.control_host.join(",").into())
        }
        "tls_cert" => path(&flags.tls_cert),
        "tls_key" => path(&flags.tls_key),
        "max_connections" => text(&flags.max_connections),
        "max_connections_per_peer" => text(&flags.max_connections_per_peer),
        "refuse_stale" => text(&flags.refuse_stale),
        "data_dir" => path(&flags.data_dir),
        "journal" => text(&flags.journal),
        "proxy" => text(&flags.proxy),
        "ca_file" => path(&flags.ca_file),
        "request_timeout" => text(&flags.request_timeout),
        _ => None,
    }
}
