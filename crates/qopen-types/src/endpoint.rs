//! Endpoints of the gateway, and payloads of its callbacks.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;

/// An endpoint of the gateway. Implemented by generated types, one for each operation.
pub trait Endpoint {
    /// The operation's name, for messages.
    const NAME: &'static str;
    /// The path below the base URL, with its leading slash.
    const PATH: &'static str;
    /// Whether a request carries an access token, in its header `Token`.
    const NEEDS_TOKEN: bool;
    /// The body of the request.
    type Request: Serialize;
    /// The body of the answer.
    type Response: Response;
}

/// The body of an answer. Implemented by generated types.
pub trait Response: DeserializeOwned {
    /// The refusal, if the gateway refused: a code other than 0, in either spelling.
    fn refusal(&self) -> Option<Refusal>;
}

/// A payload that arrives by callback. Implemented by generated types.
pub trait CallbackPayload: DeserializeOwned {
    /// The `event_type` under which it arrives.
    const EVENT_TYPE: i64;
}
