//! A new request in place of an interrupted one.

use qopen_journal::{PullId, PullState};
use qopen_types::{Digest, MarkId};

use super::Inner;
use super::event::ServiceEvent;
use crate::error::PullError;
use crate::pull::PullRequest;
use crate::resume;
use crate::status::Status;

impl Inner {
    /// Requests the list of an interrupted pull anew if the pull did not complete, or may lack a page.
    /// The new mark follows from the old one, so that a repetition is no second request.
    pub(super) async fn request_anew(&self, state: &PullState, status: &Status) {
        let doubtful = self.options.lone_receiver && status.may_lack_a_page();
        if !doubtful && !status.is_worth_a_request() {
            return;
        }
        let Some((_, started)) = state.started() else { return };
        let pull = &state.pull;
        let PullId { robot_id, mark_id } = pull;
        let mark = Digest::of(format!("after {robot_id} {mark_id}").as_bytes()).to_string();
        // A digest is always an identifier.
        let Ok(mark) = MarkId::new(mark) else { return };
        let mut request = PullRequest::new(robot_id.clone())
            .mark_id(mark.clone())
            .need_tag_info(started.need_tag_info)
            .allow_unidentified(started.allow_unidentified)
            .timing(resume::options(started).timing);
        request.expect_accounts = started.expect_accounts;
        request.label.clone_from(&started.label);
        match self.engine.enqueue(request).await {
            Ok(_) => self.tell(ServiceEvent::RequestedAnew { pull, status, mark: &mark }),
            Err(PullError::InJournal) => {}
            Err(error) => self.tell(ServiceEvent::NotRequestedAnew { pull, error: &error }),
        }
    }
}
