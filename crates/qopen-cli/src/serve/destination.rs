//! Destinations of a service's lists: each pull's own place, else the default.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use qopen::PullPolicy;
use qopen::engine::{AccountLookup, Destination, Target};
use qopen::journal::{Note, PullState};
use qopen::sink::Sink;

use crate::exit::Failure;
use crate::format::Layout;
use crate::guards::{Guards, not_compared};
use crate::lang::Phrase;
use crate::output::Output;
use crate::output::database::ListDatabase;
use crate::output::place::Place;
use crate::say::say;

/// The places of lists.
#[derive(Clone)]
pub(super) struct Lists {
    /// The place of pulls that were started without one.
    pub(super) default: Option<Output>,
    /// The form of lists in that place.
    pub(super) layout: Layout,
    /// The service's conditions of a publication.
    pub(super) guards: Guards,
    /// The folder of temporary data.
    pub(super) scratch: Option<PathBuf>,
    /// Asks about customers who are gone, for pulls whose own guards want it.
    pub(super) lookup: Arc<dyn AccountLookup>,
}

impl Lists {
    /// Returns the output noted with the pull, else the default.
    pub(super) fn output_of(&self, pull: &PullState) -> Result<Option<Output>, Failure> {
        Ok(self.place_of(pull)?.map(|(output, _)| output))
    }

    /// Returns the output noted with the pull and the form of its lists, else the default.
    fn place_of(&self, pull: &PullState) -> Result<Option<(Output, Layout)>, Failure> {
        // A file may have lists of several robots, and a relative path may be another process's.
        match Place::of(pull).filter(Place::is_for_any_process) {
            Some(place) => self.at(&place).map(Some),
            None => Ok(self.default_place()),
        }
    }

    /// Returns the output of a place, and the form of its lists.
    fn at(&self, place: &Place) -> Result<(Output, Layout), Failure> {
        let output = place.output()?.in_folder(self.scratch.as_deref());
        Ok((output, place.layout()))
    }

    fn default_place(&self) -> Option<(Output, Layout)> {
        self.default.clone().map(|output| (output, self.layout))
    }

    /// Returns the output of a new pull and the form of its lists: those of its place, else the default.
    pub(super) fn place_for(
        &self,
        place: Option<&Place>,
    ) -> Result<Option<(Output, Layout)>, Failure> {
        place.map_or_else(|| Ok(self.default_place()), |place| self.at(place).map(Some))
    }
}

impl Lists {
    /// Returns the database of a pull's published list, if it is at the place of the pull or at the default one.
    pub(super) fn database_of(&self, pull: &PullState) -> Option<ListDatabase> {
        let Note::Published { location, .. } = &pull.published()?.note else { return None };
        let own = self.output_of(pull).ok().flatten();
        let sinks = own.into_iter().chain(self.default.clone()).filter_map(Output::into_database);
        sinks.into_iter().find(|it| it.sink().is_at(location))
    }

    /// Returns every database of these pulls' lists and of the default place.
    pub(super) fn databases(&self, pulls: &[PullState]) -> Vec<ListDatabase> {
        let default = self.default.clone().and_then(Output::into_database);
        let own = pulls.iter().filter_map(|pull| self.database_of(pull));
        let all = default.into_iter().chain(own).map(|sink| (sink.location(), sink));
        all.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

impl Destination for Lists {
    fn target(&self, pull: &PullState) -> Target {
        let robot = pull.pull.robot_id.as_str();
        match self.place_of(pull) {
            Ok(None) => Target::Nowhere,
            Ok(Some((output, layout))) => {
                // An earlier process, which may have had other guards, noted the place.
                let unguarded = Guards::of(pull).check(&self.guards, &output, layout).err();
                let unguarded =
                    unguarded.map(|(guard, what)| Phrase::about(guard, not_compared(what)));
                match unguarded.or_else(|| output.cannot_name(robot)) {
                    Some(why) => Target::Refused(why.english().to_owned()),
                    None => Target::Sink(output.sink(robot)),
                }
            }
            Err(failure) => {
                let said = Phrase::about(&pull.pull, failure.message());
                say!("qopen: {}", said.shown());
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

    fn policy(&self, pull: &PullState, service: &PullPolicy) -> PullPolicy {
        Guards::of(pull).policy(service, &self.lookup)
    }

    fn sweep(&self, pull: &PullState) {
        if let Ok(Some(output)) = self.output_of(pull) {
            output.sweep(pull.pull.robot_id.as_str());
        }
    }
}
