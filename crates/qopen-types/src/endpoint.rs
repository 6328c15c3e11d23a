//! Endpoints of the gateway: a path, a request and an answer.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An endpoint of the gateway. Implemented by generated types, one for each operation.
pub trait Endpoint {
    /// The operation's name, for messages.
    const NAME: &'static str;
    /// The path below the base URL, with its leading slash.
    const PATH: &'static str;
    /// The body of the request.
    type Request: Serialize;
    /// The body of the answer.
    type Answer: DeserializeOwned;
}

/// A payload that arrives by callback. Implemented by generated types.
pub trait CallbackPayload: DeserializeOwned {
    /// The `event_type` under which it arrives.
    const EVENT_TYPE: i64;
}
