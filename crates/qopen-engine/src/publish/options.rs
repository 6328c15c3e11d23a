//! The conditions of a publication.

use std::fmt;
use std::sync::Arc;

use qopen_sink::{CompareOptions, Compared};
use qopen_types::RobotId;

use super::guard::MaxGone;
use super::lookup::AccountLookup;
use super::published::LeftOutRobot;

/// How lists are published.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Whether an empty complete list may replace one with customers. Default false.
    pub allow_empty: bool,
    /// Customers that a complete list may lack of the last one before it is held. Default: any number, but each
    /// robot of the last list. The customers of a robot that the list leaves out count as gone.
    pub max_gone: Option<MaxGone>,
    /// Robots that a complete list may leave out of the last one of its file. Default: none but those that
    /// [`max_gone`](Self::max_gone) allows.
    pub leave_out: Vec<RobotId>,
    /// How a complete list is compared with the last one.
    pub compare: CompareOptions,
    /// Asks about the customers of the last list whom a complete list lacks. Default: none are asked about.
    pub verify_gone: Option<Arc<dyn AccountLookup>>,
}

impl PublishOptions {
    /// Sets whether an empty complete list may replace one with customers. Default false.
    #[must_use]
    pub fn allow_empty(mut self, allow: bool) -> Self {
        self.allow_empty = allow;
        self
    }

    /// Sets how many customers a complete list may lack of the last one before it is held. Default `None`:
    /// any number.
    #[must_use]
    pub fn max_gone(mut self, most: Option<MaxGone>) -> Self {
        self.max_gone = most;
        self
    }

    /// Sets the robots that a complete list may leave out of the last one of its file. Default: none but those
    /// that [`max_gone`](Self::max_gone) allows.
    #[must_use]
    pub fn leave_out(mut self, robots: impl IntoIterator<Item = RobotId>) -> Self {
        self.leave_out = robots.into_iter().collect();
        self
    }

    /// Returns the robots among those of the last list that must not be left out.
    pub(super) fn lost_robots(&self, left_out: &[Compared]) -> Vec<LeftOutRobot> {
        let is_allowed = |it: &Compared| match self.max_gone {
            Some(limit) => !limit.is_exceeded(it.accounts_before, it.accounts_before),
            None => false,
        };
        let lost = left_out.iter().filter(|it| !is_allowed(it));
        let lost = lost.filter(|it| !self.leave_out.contains(&it.robot_id));
        lost.map(LeftOutRobot::of).collect()
    }

    /// Sets whether complete lists start anew: the place's last list is not read, so that no guard compares with
    /// it. Default false: the publication fails if that list cannot be compared.
    #[must_use]
    pub fn new_baseline(mut self, new_baseline: bool) -> Self {
        self.compare = self.compare.new_baseline(new_baseline);
        self
    }

    /// Sets the lookup of the customers of the last list whom a complete list lacks. Default: none.
    #[must_use]
    pub fn verify_gone(mut self, lookup: Option<Arc<dyn AccountLookup>>) -> Self {
        self.verify_gone = lookup;
        self
    }
}

impl fmt::Debug for PublishOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishOptions")
            .field("allow_empty", &self.allow_empty)
            .field("max_gone", &self.max_gone)
            .field("leave_out", &self.leave_out)
            .field("compare", &self.compare)
            .field("verify_gone", &self.verify_gone.is_some())
            .finish()
    }
}
