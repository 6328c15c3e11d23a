//! Values of the command line and the environment, with their origins.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::declared::ALL;
use super::origin::Origin;
use super::spec::Spec;

/// Values of flags, and of the variables that clap reads for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(BTreeMap<&'static str, (OsString, Origin)>);

impl Given {
    /// Returns the value of the flag, else of the variable.
    pub(super) fn get(&self, spec: &Spec) -> Option<(OsString, Origin)> {
        self.0.get(spec.name).cloned().or_else(|| {
            // Clap reads neither secrets nor variables of settings without a flag.
            let unread = spec.secret || spec.flag.is_none();
            let value = std::env::var_os(spec.env).filter(|_| unread)?;
            is_set(&value).then_some((value, Origin::Environment(spec.env)))
        })
    }

    fn of(matches: &ArgMatches, spec: &'static Spec) -> Option<(OsString, Origin)> {
        let flag = spec.flag.filter(|_| !spec.of_verbs)?;
        let source = matches.value_source(spec.name)?;
        let values: Vec<&OsStr> =
            matches.get_many::<OsString>(spec.name)?.map(OsString::as_os_str).collect();
        let value = values.join(OsStr::new(","));
        match source {
            ValueSource::CommandLine => Some((value, Origin::Flag(flag))),
            ValueSource::EnvVariable if is_set(&value) => {
                Some((value, Origin::Environment(spec.env)))
            }
            // A default comes after the settings file.
            _ => None,
        }
    }
}

/// An empty variable counts as not set: `docker compose` passes such.
fn is_set(value: &OsStr) -> bool {
    !value.is_empty()
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |spec: &'static Spec| Some((spec.name, Self::of(matches, spec)?));
        Ok(Self(ALL.into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        ALL.iter().fold(command, |command, spec| spec.augment(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
