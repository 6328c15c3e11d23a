//! Public types can be moved to another thread and shared with it.

use qopen_http::{
    Accepted, BuildError, FixedToken, ForwardError, Forwarder, ForwarderBuilder, RetryPolicy,
    SendError, Sender, SenderBuilder, TokenError,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Accepted>();
    is::<BuildError>();
    is::<FixedToken>();
    is::<ForwardError>();
    is::<Forwarder>();
    is::<ForwarderBuilder>();
    is::<RetryPolicy>();
    is::<SendError>();
    is::<Sender>();
    is::<SenderBuilder>();
    is::<TokenError>();
};
