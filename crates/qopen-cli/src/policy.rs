//! Conditions of publications, from the command line.

use std::sync::Arc;

use qopen::engine::AccountLookup;
use qopen::{Client, PublishOptions, PullPolicy};

use crate::args::Receiving;
use crate::exit::Failure;
use crate::format::Layout;
use crate::guards::{Guards, not_compared};
use crate::lang::{Phrase, Text};
use crate::lookup::Stoppable;
use crate::output::Output;

impl From<&Receiving> for Guards {
    fn from(flags: &Receiving) -> Self {
        let Receiving { allow_empty, max_gone, verify_gone, confirm, retry, .. } = *flags;
        Self {
            allow_empty: Some(allow_empty),
            max_gone,
            verify_gone: Some(verify_gone),
            confirm: Some(confirm),
            retry: Some(retry),
        }
    }
}

impl Receiving {
    /// Returns the conditions of a publication.
    pub(crate) fn publishing(&self, client: &Client) -> PublishOptions {
        let lookup = self.verify_gone.then(|| self.lookup(client));
        let options = PublishOptions::default().allow_empty(self.allow_empty);
        options.max_gone(self.max_gone).new_baseline(self.new_baseline).verify_gone(lookup)
    }

    /// Returns the lookup of customers who are gone.
    pub(crate) fn lookup(&self, client: &Client) -> Arc<dyn AccountLookup> {
        Arc::new(Stoppable::new(client.account_lookup(self.by_ids.into())))
    }

    /// Returns how a service publishes lists.
    pub(crate) fn policy(&self, client: &Client) -> PullPolicy {
        PullPolicy::new(self.publishing(client)).confirm(self.confirm).retries(self.retry)
    }

    /// Refuses guards for lists that are not compared.
    pub(crate) fn check_guards(&self, output: &Output, layout: Layout) -> Result<(), Failure> {
        let wrong = |(guard, what): (&str, Text)| {
            let flag = guard.replace('_', "-");
            Failure::usage(Phrase::about(format!("--{flag}"), not_compared(what)))
        };
        Guards::default().check(&Guards::from(self), output, layout).map_err(wrong)
    }
}
