//! The basis of published lists: the evidence that they are complete.

use qopen_journal::PullState;
use qopen_sink::{ListBasis, ListWriter, SinkError};

use super::published::{PublishError, PublishedList};
use super::work::Work;

impl Work<'_> {
    /// Finds the basis of each list, and has the writer record it with the list.
    pub(super) fn set_basis(
        &self,
        writer: &mut dyn ListWriter,
        lists: &mut [PublishedList],
    ) -> Result<(), PublishError> {
        for (list, it) in self.lists.iter().zip(lists) {
            let state = self.runtime.block_on(list.journal.pull(&it.id));
            let Some(state) = state.map_err(PublishError::Journal)? else { continue };
            add_basis(it, &state);
            let Some(sentence) = &it.basis else { continue };
            let json = it.evidence.as_ref().map(serde_json::to_string).transpose();
            let json = json.map_err(|error| PublishError::Sink(SinkError::Encode(error.into())))?;
            let basis = ListBasis::new(sentence, json);
            writer.set_basis(&it.id.robot_id, basis).map_err(PublishError::Sink)?;
        }
        Ok(())
    }
}

/// Adds the basis of a list that is about to be published.
fn add_basis(list: &mut PublishedList, state: &PullState) {
    let comparison = list.comparison();
    let gone = comparison.as_ref().map_or(0, |it| it.counts.gone);
    list.evidence = state.evidence().map(|mut evidence| {
        // Nothing confirms the pages of a later revision.
        evidence.confirmed_by.take_if(|_| list.revision > 1);
        evidence.gone_verified = comparison.and_then(|it| it.gone_verified);
        // A held list is published only at a person's request.
        evidence.accepted = state.is_held_list_accepted() || state.held().is_some();
        evidence
    });
    let in_words = list.evidence.as_ref().map(|it| it.basis(gone));
    list.basis = in_words.or_else(|| state.basis());
}
