//! Settings: from a flag, else the environment, else the file, else a default.

mod answers;
mod check;
mod declared;
mod file;
mod given;
mod listening;
mod load;
mod mistakes;
mod nearest;
mod origin;
mod read;
mod requests;
mod rlimit;
pub(crate) mod schedule;
mod schema;
mod spec;
pub(crate) mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use qopen::journal::{Backend, DiskBackend};
use qopen::types::Secret;
use tracing::Level;

use crate::causes::Plain;
use crate::database::refuse_password;
use crate::exit::{Failure, chained};
use crate::lang::{Phrase, phrase};
use crate::say::{self, caution};
use crate::topics::{Topic, warnings};
use crate::zone::Zone;
pub(crate) use declared::*;
pub(crate) use file::Answers;
pub(crate) use given::Given;
use origin::Origin;
use schedule::Found;
pub(crate) use schema::schema;
pub(crate) use spec::Spec;

/// A value with its source.
#[derive(Debug)]
struct Value {
    /// Wiped when dropped, because some values are secrets.
    text: Secret,
    /// The path, if the setting is one.
    path: Option<PathBuf>,
    origin: Origin,
}

/// All values with their sources.
#[derive(Debug)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Value>,
    pub(crate) file: Option<PathBuf>,
    /// Settings of the file that a flag or variable overrides.
    pub(crate) overridden: Vec<String>,
    /// Access of other users to the file that is too wide.
    pub(crate) exposure: Option<Phrase>,
    /// Notes about trimmed values, and about variables that look like settings.
    pub(crate) notes: Vec<(&'static Topic, Phrase)>,
    /// Given values that cannot be used.
    pub(crate) problems: Vec<Failure>,
    /// Schedules.
    pub(crate) schedule: Vec<Found>,
    /// Webhooks.
    pub(crate) webhooks: Vec<webhook::Found>,
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

    /// Returns the path of a setting.
    fn path(&self, spec: &'static Spec) -> Result<&Path, Failure> {
        let found = self.values.get(spec.name).and_then(|it| it.path.as_deref());
        found.ok_or_else(|| self.missing(spec))
    }

    fn required(&self, spec: &'static Spec) -> Result<&Secret, Failure> {
        self.get(spec).map(|(value, _)| value).ok_or_else(|| self.missing(spec))
    }

    fn missing(&self, spec: &'static Spec) -> Failure {
        let flag = spec.flag.map(|flag| format!("{flag}, ")).unwrap_or_default();
        let Spec { env, name, example, .. } = spec;
        let file = self.file.as_deref().unwrap_or(Path::new("qopen.toml")).display();
        let message = phrase!(
            "the {about} is not set; looked for it in {flag}{env} and `{name}` in {file}\n  example: {env}='{example}'",
            "缺少{about}；已在 {flag}{env} 以及 {file} 的 `{name}` 中查找\n  示例：{env}='{example}'",
            about = spec.noun(),
            flag = flag,
            env = env,
            name = name,
            file = file,
            example = example,
        );
        Failure::missing(spec.name, message)
    }

    /// Names the setting and source of a wrong value.
    fn wrong(&self, spec: &'static Spec, error: &(dyn std::error::Error + 'static)) -> Failure {
        wrong(spec, self.get(spec).map(|it| it.1), error)
    }

    /// Prints warnings to standard error.
    pub(crate) fn warn(&self) {
        if let Some(exposure) = &self.exposure {
            caution!(
                warnings::SETTINGS_EXPOSED,
                "the settings file {exposure}",
                "设置文件 {exposure}",
                exposure = exposure,
            );
        }
        for (topic, note) in &self.notes {
            say::remark(Level::WARN, topic, note);
        }
    }

    /// Returns the names of changed settings, except those in `exempt`.
    pub(crate) fn changed_since(&self, before: &Self, exempt: &[&Spec]) -> Vec<&'static str> {
        let differs = |spec: &&&Spec| {
            // Paths that look alike may differ in bytes that are not UTF-8.
            let value =
                |it: &Self| it.values.get(spec.name).map(|it| (it.text.clone(), it.path.clone()));
            !exempt.iter().any(|it| it.name == spec.name) && value(self) != value(before)
        };
        let webhooks = (self.webhooks != before.webhooks).then_some("webhook");
        ALL.iter().filter(differs).map(|spec| spec.name).chain(webhooks).collect()
    }

    /// Returns the time zone of schedules: from the setting, else the system's.
    pub(crate) fn time_zone(&self) -> Result<Zone, Failure> {
        match self.get(&TIME_ZONE) {
            Some((name, origin)) => Zone::of_setting(name.expose(), origin.to_string())
                .map_err(|why| self.wrong(&TIME_ZONE, &Plain::new(why))),
            None => Zone::system().map_err(Failure::usage),
        }
    }

    /// Returns the location of the journal.
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
}

fn wrong(
    spec: &'static Spec,
    origin: Option<&Origin>,
    error: &(dyn std::error::Error + 'static),
) -> Failure {
    let from = match origin {
        Some(Origin::File(file)) => phrase!(
            " (from `{name}` in {file})",
            "（来自 {file} 中的 `{name}`）",
            name = spec.name,
            file = file.display(),
        ),
        Some(Origin::Answer) | None => Phrase::default(),
        Some(origin) => phrase!(" (from {origin})", "（来自 {origin}）", origin = origin),
    };
    let what = phrase!(
        "the {about}{from} cannot be used",
        "{about}{from}无法使用",
        about = spec.noun(),
        from = from,
    );
    let what = chained(what, error);
    let Spec { name, env, example, .. } = spec;
    let example = match origin {
        // A secret has no example that could be typed.
        Some(Origin::Answer) if *example == "…" => {
            return Failure::usage(what).of_setting(name);
        }
        Some(Origin::Flag(flag)) => format!("{flag} '{example}'"),
        Some(Origin::File(_)) => format!("{name} = \"{example}\""),
        Some(Origin::Answer) => example.to_string(),
        _ => format!("{env}='{example}'"),
    };
    let message = phrase!(
        "{what}\n  example: {example}",
        "{what}\n  示例：{example}",
        what = what,
        example = example,
    );
    Failure::usage(message).of_setting(spec.name)
}
