//! Settings that are being collected for a new settings file.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use qopen::types::Secret;

use super::file::Answers;
use super::read::Read;
use super::spec::Spec;
use super::{ALL, Given, Origin, Settings, Value, file, wrong};
use crate::causes::Plain;
use crate::exit::Failure;
use crate::lang::{Phrase, phrase};

/// The place of missing settings in messages.
const ANSWERS: &str = "the file of --answers";

impl Settings {
    /// Returns the settings of flags and variables, and those of `answers`. No settings file is read.
    ///
    /// # Errors
    /// The text cannot be read, or has more than settings.
    pub(crate) fn collect(given: &Given, answers: Option<Answers>) -> Result<Self, Failure> {
        let Some(Answers { name, place, text }) = answers else {
            let nowhere = PathBuf::from(ANSWERS);
            return Ok(Self::of(given, nowhere.clone(), Some(nowhere), file::InFile::default()));
        };
        let found = file::parse(&name, text)?;
        if !found.schedule.is_empty() || !found.webhooks.is_empty() {
            let why = phrase!(
                "answers are settings; add [[schedule]] and [[webhook]] to the new file",
                "回答只能是设置；请把 [[schedule]] 与 [[webhook]] 加入新文件",
            );
            return Err(Failure::usage(Phrase::about(name, why)));
        }
        Ok(Self::of(given, place.clone(), Some(place), found))
    }

    /// Takes an answer by the rules of all values. Returns what was trimmed, each a sentence without its
    /// subject.
    ///
    /// # Errors
    /// The answer cannot be used. The value stays as before.
    pub(crate) fn answer(
        &mut self,
        spec: &'static Spec,
        answer: &Secret,
    ) -> Result<Vec<Phrase>, Failure> {
        let read = spec.read(answer.expose().into());
        let Read { text, path, notes } =
            read.map_err(|reason| wrong(spec, Some(&Origin::Answer), &Plain::new(reason)))?;
        let before = self.put(spec, Some(Value { text, path, origin: Origin::Answer }));
        match self.faults(true).into_iter().find(|it| it.setting() == Some(spec.name)) {
            None => Ok(notes),
            Some(fault) => {
                self.put(spec, before);
                Err(fault)
            }
        }
    }

    /// Returns the failures of settings that were given and cannot be used, and of those that are missing.
    pub(crate) fn all_faults(&mut self) -> Vec<Failure> {
        let faults = self.faults(true);
        self.problems.drain(..).chain(faults).collect()
    }

    /// Whether a value was given, other than the default.
    pub(crate) fn is_given(&self, spec: &Spec) -> bool {
        self.get(spec).is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// Returns the texts with which a settings file gives these values: those that were given, and those in
    /// `also`.
    ///
    /// # Errors
    /// A settings file cannot hold a value, such as a path that is not UTF-8.
    pub(crate) fn for_file(&self, also: &[&Spec]) -> Result<Vec<(&'static Spec, Secret)>, Failure> {
        let is_wanted =
            |spec: &&&Spec| self.is_given(spec) || also.iter().any(|it| it.name == spec.name);
        let written = |spec: &&'static Spec| {
            let value = self.values.get(spec.name)?;
            let Some(text) = in_file(spec, value) else {
                let Spec { env, .. } = spec;
                let why = phrase!(
                    "a settings file cannot hold it; write the file without it, and set {env}",
                    "设置文件无法保存它；请写不含它的文件，并设置 {env}",
                    env = env,
                );
                return Some(Err(wrong(spec, Some(&value.origin), &Plain::new(why))));
            };
            Some(Ok((*spec, text)))
        };
        ALL.iter().filter(is_wanted).filter_map(written).collect()
    }

    /// Replaces a value.
    fn put(&mut self, spec: &'static Spec, value: Option<Value>) -> Option<Value> {
        // Each value is resolved once.
        self.resolved.get_mut().unwrap_or_else(PoisonError::into_inner).remove(spec.name);
        match value {
            Some(value) => self.values.insert(spec.name, value),
            None => self.values.remove(spec.name),
        }
    }
}

/// Returns the text that is read as this value. A value that is in quotes needs a second pair.
fn in_file(spec: &Spec, value: &Value) -> Option<Secret> {
    let text = match &value.path {
        Some(path) => Path::to_str(path)?,
        None => value.text.expose(),
    };
    let in_quotes = Secret::new(format!("\"{text}\""));
    [Secret::new(text), in_quotes].into_iter().find(|text| {
        let read = spec.read(text.expose().into());
        read.is_ok_and(|it| it.text == value.text && it.path == value.path)
    })
}
