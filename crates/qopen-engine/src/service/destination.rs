//! Where lists go.

use std::fmt;
use std::sync::Arc;

use qopen_journal::PullState;
use qopen_sink::Sink;

use super::policy::PullPolicy;

/// Chooses where a [`PullService`](crate::PullService) publishes each pull's list.
///
/// All methods may block. The service calls them on blocking threads.
pub trait Destination: Send + Sync + 'static {
    /// Returns where the list of a pull goes. The answer may depend on the pull's
    /// [label](crate::PullRequest::label), which every process reads alike.
    fn target(&self, pull: &PullState) -> Target;

    /// Names the place of a sink that [`target`](Self::target) returned for the pull. The service
    /// publishes one list at a time to each place, and does not order lists without a place. Default:
    /// [`Sink::place`].
    fn place(&self, pull: &PullState, sink: &dyn Sink) -> Option<String> {
        let _ = pull;
        sink.place()
    }

    /// Returns the conditions under which the list of a pull is published. Default: those of the service,
    /// [`ServiceOptions::policy`](crate::ServiceOptions::policy).
    fn policy(&self, pull: &PullState, service: &PullPolicy) -> PullPolicy {
        let _ = pull;
        service.clone()
    }

    /// Removes temporary data of killed processes, after the pull was deleted. Default: does nothing.
    fn sweep(&self, pull: &PullState) {
        let _ = pull;
    }
}

/// Where one pull's list goes.
#[derive(Clone)]
#[non_exhaustive]
pub enum Target {
    /// To this sink.
    Sink(Arc<dyn Sink>),
    /// To no sink. The pull is followed, and its list stays in the journal.
    Nowhere,
    /// To no sink, because the place cannot hold the list, for this reason. Trying again does not help.
    Refused(String),
}

impl Target {
    /// The target that publishes to a sink.
    pub fn sink(sink: impl Sink + 'static) -> Self {
        Self::Sink(Arc::new(sink))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink(_) => f.debug_struct("Sink").finish_non_exhaustive(),
            Self::Nowhere => f.write_str("Nowhere"),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}
