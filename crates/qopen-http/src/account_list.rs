//! GetRobotAccountListAsync: asks for a robot's customer list.

use qopen_types::{Endpoint as _, GetRobotAccountListAsync, RobotAccountListRequest};

use crate::{SendError, Sender};

/// The gateway took the request; the list comes by callback, and may have begun to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The serial number that the gateway filed it under, where it gave one.
    pub serial_no: Option<String>,
    /// Whether the gateway said so by a code. Without one, a JSON object counts as yes.
    pub explicit: bool,
}

impl Sender {
    /// Asks for a robot's full customer list (protocol section 1).
    ///
    /// Tries again by the [`RetryPolicy`](crate::RetryPolicy) with the same mark, and once more
    /// with a fresh token where the gateway does not accept the one it got.
    ///
    /// # Errors
    /// [`SendError`]; after `Refused` and `Unauthorized` the gateway has not taken the request,
    /// after the others it may have.
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
