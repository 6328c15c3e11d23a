//! Loading: the sources of values and their order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Mutex;

use super::read::Read;
use super::spec::Spec;
use super::{ALL, Given, Origin, Settings, Value, file, nearest, wrong};
use crate::args::Common;
use crate::causes::Plain;
use crate::exit::Failure;
use crate::lang::Phrase;
use crate::topics::warnings;

impl Settings {
    /// Loads the settings. Fails if one cannot be used.
    pub(crate) fn load(flags: &Common) -> Result<Self, Failure> {
        let mut settings = Self::find(flags)?;
        match Failure::of_settings(std::mem::take(&mut settings.problems)) {
            None => Ok(settings),
            Some(failure) => Err(failure),
        }
    }

    /// Loads the settings, with those that cannot be used as problems.
    pub(crate) fn find(flags: &Common) -> Result<Self, Failure> {
        let (path, explicit) = match &flags.config {
            Some(path) => (path.clone(), true),
            None => (PathBuf::from("qopen.toml"), false),
        };
        let in_file = file::read(&path, explicit)?;
        let file = in_file.is_some().then(|| path.clone());
        Ok(Self::of(&flags.given, path, file, in_file.unwrap_or_default()))
    }

    /// Returns the settings of flags and variables, and those in a text that `path` names.
    pub(super) fn of(
        given: &Given,
        path: PathBuf,
        file: Option<PathBuf>,
        in_file: file::InFile,
    ) -> Self {
        let file::InFile { values: mut in_file, schedule, webhooks, problems } = in_file;
        let has_secrets = !webhooks.is_empty()
            || ALL.iter().any(|spec| spec.secret && in_file.contains_key(spec.name));
        let exposure = file.as_deref().and_then(|file| file::exposure(file, has_secrets));
        let mut settings = Self {
            values: BTreeMap::new(),
            file,
            overridden: Vec::new(),
            exposure,
            notes: Vec::new(),
            problems,
            schedule,
            webhooks,
            resolved: Mutex::default(),
        };
        for spec in ALL {
            let found = given
                .get(spec)
                .or_else(|| {
                    let value = in_file.remove(spec.name)?;
                    Some((value.expose().into(), Origin::File(path.clone())))
                })
                .or_else(|| spec.default.map(|value| (value.into(), Origin::Default)));
            if let Some((raw, origin)) = found {
                settings.take(spec, raw, origin);
            }
        }
        settings.overridden = in_file.into_keys().collect();
        let names = std::env::vars_os().filter_map(|it| it.0.into_string().ok());
        let mut stray: Vec<_> = names.filter_map(|it| nearest::stray_variable(&it)).collect();
        stray.sort_by(|one, other| one.english().cmp(other.english()));
        settings.notes.extend(stray.into_iter().map(|it| (&warnings::STRAY_VARIABLE, it)));
        settings
    }

    fn take(&mut self, spec: &'static Spec, raw: OsString, origin: Origin) {
        match spec.read(raw) {
            Ok(Read { text, path, notes }) => {
                let place = match &origin {
                    Origin::File(file) => format!("`{}` in {}", spec.name, file.display()),
                    origin => origin.to_string(),
                };
                let note = |it: Phrase| (&warnings::SETTING_CLEANED, Phrase::about(&place, it));
                self.notes.extend(notes.into_iter().map(note));
                self.values.insert(spec.name, Value { text, path, origin });
            }
            Err(reason) => self.problems.push(wrong(spec, Some(&origin), &Plain::new(reason))),
        }
    }
}
