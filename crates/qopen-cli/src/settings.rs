//! Settings: from a flag, else the environment, else the file, else a default.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::{BuildError, Sender, SenderBuilder};
use qopen::types::Secret;

use crate::args::Common;
use crate::exit::{Failure, chain};
use crate::serve::Entry;

/// A setting's names and nature.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in the file.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flag: Option<&'static str>,
    pub(crate) env: &'static str,
    pub(crate) secret: bool,
    default: Option<&'static str>,
    example: &'static str,
}

const fn spec(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { name, about, flag: None, env, secret: false, default: None, example }
}

const fn secret(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { secret: true, ..spec(name, about, env, example) }
}

const fn flagged(flag: &'static str, default: Option<&'static str>, spec: Spec) -> Spec {
    Spec { flag: Some(flag), default, ..spec }
}

pub(crate) static BASE_URL: Spec = flagged(
    "--base-url",
    None,
    spec("base_url", "platform base URL", "QOPEN_BASE_URL", "https://gateway.example"),
);
pub(crate) static APP_KEY: Spec =
    flagged("--app-key", None, spec("app_key", "app key", "QOPEN_APP_KEY", "coe0example0app0key"));
pub(crate) static APP_SECRET: Spec = secret("app_secret", "app secret", "QOPEN_APP_SECRET", "…");
pub(crate) static ACCESS_TOKEN: Spec =
    secret("access_token", "fixed access token", "QOPEN_ACCESS_TOKEN", "…");
pub(crate) static CALLBACK_TOKEN: Spec =
    secret("callback_token", "callback token", "QOPEN_CALLBACK_TOKEN", "…");
pub(crate) static ENCODING_AES_KEY: Spec = secret(
    "encoding_aes_key",
    "callback EncodingAESKey",
    "QOPEN_ENCODING_AES_KEY",
    "16, 24, 32 or 43 characters",
);
pub(crate) static LISTEN: Spec = flagged(
    "--listen",
    Some("127.0.0.1:8080"),
    spec("listen", "callback listener", "QOPEN_LISTEN", "127.0.0.1:8080"),
);
pub(crate) static CALLBACK_PATH: Spec = flagged(
    "--callback-path",
    Some("/callback"),
    spec("callback_path", "callback path", "QOPEN_CALLBACK_PATH", "/callback"),
);
pub(crate) static DATA_DIR: Spec = flagged(
    "--data-dir",
    Some("qopen-data"),
    spec("data_dir", "where the journal lives", "QOPEN_DATA_DIR", "/var/lib/qopen"),
);

pub(crate) static CONTROL: Spec = flagged(
    "--control",
    Some("127.0.0.1:8081"),
    spec("control", "control listener", "QOPEN_CONTROL", "127.0.0.1:8081"),
);
pub(crate) static CONTROL_TOKEN: Spec =
    secret("control_token", "control token", "QOPEN_CONTROL_TOKEN", "…");

/// Every setting, in the order in which they are shown.
pub(crate) static ALL: [&Spec; 11] = [
    &BASE_URL,
    &APP_KEY,
    &APP_SECRET,
    &ACCESS_TOKEN,
    &CALLBACK_TOKEN,
    &ENCODING_AES_KEY,
    &LISTEN,
    &CALLBACK_PATH,
    &CONTROL,
    &CONTROL_TOKEN,
    &DATA_DIR,
];

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
    /// Pulls at set times.
    pub(crate) schedule: Vec<Entry>,
}

impl Settings {
    pub(crate) fn load(flags: &Common) -> Result<Self, Failure> {
        let (path, explicit) = match &flags.config {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from("qopen.toml"), false),
        };
        let in_file = read_file(&path, explicit)?;
        let file = in_file.is_some().then(|| path.clone());
        let (mut in_file, schedule) = in_file.unwrap_or_default();
        let mut values = BTreeMap::new();
        for spec in ALL {
            let flag = flag_value(flags, spec).zip(spec.flag);
            let env = std::env::var(spec.env).ok().filter(|value| !value.is_empty());
            let found = flag
                .map(|(value, flag)| (value, Origin::Flag(flag)))
                .or_else(|| env.map(|value| (value, Origin::Environment(spec.env))))
                .or_else(|| {
                    in_file.remove(spec.name).map(|value| (value, Origin::File(path.clone())))
                })
                .or_else(|| spec.default.map(|value| (value.to_owned(), Origin::Default)));
            if let Some((value, origin)) = found {
                values.insert(spec.name, (Secret::new(value), origin));
            }
        }
        Ok(Self { values, file, schedule })
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

    pub(crate) fn ring(&self) -> Result<Keyring, Failure> {
        let app_key = self.required(&APP_KEY)?.expose();
        let token = self.required(&CALLBACK_TOKEN)?.clone();
        let keys = CallbackKeys::new(token, self.required(&ENCODING_AES_KEY)?)
            .map_err(|error| self.wrong(&ENCODING_AES_KEY, &error))?;
        Ok(Keyring::new(app_key, keys))
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
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(self.required(&DATA_DIR)?.expose()))
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
        "data_dir" => path(&flags.data_dir),
        _ => None,
    }
}

/// What a settings file holds: values by name, and pulls at set times.
type InFile = (BTreeMap<String, String>, Vec<Entry>);

/// The file's values; `None` where there is no file and none was named.
fn read_file(path: &Path, explicit: bool) -> Result<Option<InFile>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => return Ok(None),
        Err(error) => {
            return Err(Failure::usage_of(
                &format!("the settings file {}", path.display()),
                &error,
            ));
        }
    };
    let wrong =
        |what: String| Failure::usage(format!("the settings file {}: {what}", path.display()));
    // The parser's own message quotes the line, and the line may hold a secret.
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        wrong(format!("line {line} is not TOML; a setting is written name = \"value\""))
    })?;
    let mut values = BTreeMap::new();
    let mut schedule = Vec::new();
    for (name, value) in table {
        if name == "schedule" {
            // What stands here is no secret.
            schedule = value.try_into().map_err(|error: toml::de::Error| {
                wrong(format!("[[schedule]]: {}", error.message()))
            })?;
            continue;
        }
        if !ALL.iter().any(|spec| spec.name == name) {
            let known: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
            return Err(wrong(format!(
                "no setting is called `{name}`; there are {}",
                known.join(", ")
            )));
        }
        let toml::Value::String(value) = value else {
            return Err(wrong(format!("`{name}` must be a string in quotes")));
        };
        values.insert(name, value);
    }
    Ok(Some((values, schedule)))
}
