//! GetRobotAccountListAsync: requests a robot's customer list.

use qopen_types::{Endpoint as _, GetRobotAccountListAsync, RobotAccountListRequest};

use crate::{SendError, Sender};

/// The gateway accepted the request. The list comes by callback, and may have begun to arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The gateway's serial number of the request, if it gave one.
    pub serial_no: Option<String>,
    /// Whether the answer had a code. A JSON object without one counts as accepted.
    pub explicit: bool,
}

impl Sender {
    /// Requests a robot's full customer list (protocol section 1).
    ///
    /// Retries by the [`RetryPolicy`](crate::RetryPolicy) with the same mark, and once with a fresh
    /// token if the gateway does not accept the first one.
    ///
    /// # Errors
    /// [`SendError`]. After `Refused` and `Unauthorized` the gateway has not accepted the request;
    /// after the other variants it may have.
    ///
    /// # Cancellation
    /// After the future was dropped, the gateway may have accepted the request.
    pub async fn request_account_list(
        &self,
        request: &RobotAccountListRequest,
    ) -> Result<Accepted, SendError> {
        let answer = self.call::<GetRobotAccountListAsync>(request).await?;
        let explicit = answer.errcode.is_some();
        if !explicit {
            let endpoint = GetRobotAccountListAsync::NAME;
            tracing::warn!(endpoint, "the answer has no code; taken as accepted");
        }
        Ok(Accepted { serial_no: answer.serial_no(), explicit })
    }
}
