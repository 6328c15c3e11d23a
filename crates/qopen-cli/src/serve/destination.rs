//! Destinations of a service's lists: each pull's own place, else the default.

use std::path::PathBuf;

use qopen::engine::{Destination, Target};
use qopen::journal::PullState;
use qopen::sink::Sink;

use crate::exit::Failure;
use crate::output::Output;
use crate::output::place::Place;
use crate::say::say;

/// The places of lists.
pub(super) struct Lists {
    /// The place of pulls that were started without one.
    pub(super) default: Option<Output>,
    /// The folder of temporary data.
    pub(super) scratch: Option<PathBuf>,
    /// The flag of a guard that compares lists.
    pub(super) guard: Option<&'static str>,
}

impl Lists {
    /// Returns the output noted with the pull, else the default.
    fn output_of(&self, pull: &PullState) -> Result<Option<Output>, Failure> {
        // A file may have lists of several robots, and a relative path may be another process's.
        match Place::of(pull).filter(Place::is_for_any_process) {
            Some(place) => place.output().map(|it| Some(it.in_folder(self.scratch.as_deref()))),
            None => Ok(self.default.clone()),
        }
    }
}

impl Destination for Lists {
    fn target(&self, pull: &PullState) -> Target {
        let robot = pull.pull.robot_id.as_str();
        // The place of an earlier process, which may have had no guard.
        if let Some(why) = Place::of(pull).and_then(|it| it.is_unguarded(self.guard)) {
            return Target::Refused(why);
        }
        match self.output_of(pull) {
            Ok(None) => Target::Nowhere,
            Ok(Some(output)) => match output.cannot_name(robot) {
                Some(why) => Target::Refused(why),
                None => Target::Sink(output.sink(robot)),
            },
            Err(failure) => {
                say!("qopen: {}: {failure}", pull.pull);
                Target::Nowhere
            }
        }
    }

    fn place(&self, pull: &PullState, sink: &dyn Sink) -> Option<String> {
        match self.output_of(pull) {
            Ok(Some(output)) => Some(output.place()),
            _ => sink.place(),
        }
    }

    fn sweep(&self, pull: &PullState) {
        if let Ok(Some(output)) = self.output_of(pull) {
            output.sweep(pull.pull.robot_id.as_str());
        }
    }
}
