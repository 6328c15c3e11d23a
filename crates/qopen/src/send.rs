//! Requests lists by the platform's HTTP API.

use async_trait::async_trait;
use qopen_engine::{RequestError, Requester};
use qopen_http::{SendError, Sender};
use qopen_journal::PullId;
use qopen_types::RobotAccountListRequest;

/// Requests lists by HTTP. The cause of its errors is a [`SendError`].
pub(crate) struct ByHttp(pub(crate) Sender);

#[async_trait]
impl Requester for ByHttp {
    async fn request(
        &self,
        pull: &PullId,
        need_tag_info: bool,
    ) -> Result<Option<String>, RequestError> {
        let mut request = RobotAccountListRequest::new(pull.robot_id.clone(), pull.mark_id.clone());
        request.need_tag_info = need_tag_info;
        match self.0.request_account_list(&request).await {
            Ok(accepted) => Ok(accepted.serial_no),
            Err(error) => {
                let (refused, perhaps) = (error.is_refusal(), error.may_have_arrived());
                Err(RequestError::new(error).refused(refused).arrived_perhaps(perhaps))
            }
        }
    }
}

/// The sender's error behind a failed request; `None` if another
/// [`Requester`](qopen_engine::Requester) made the request.
#[must_use]
pub fn send_error(error: &RequestError) -> Option<&SendError> {
    error.cause().downcast_ref()
}
