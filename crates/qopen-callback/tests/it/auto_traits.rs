//! Public types can be moved to another thread and shared with it.

use qopen_callback::{
    CallbackKeys, Keyring, OpenError, OpenedCallback, Padding, TimestampAge, TimestampPolicy,
    VerifiedEnvelope,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<CallbackKeys>();
    is::<Keyring>();
    is::<OpenError>();
    is::<OpenedCallback>();
    is::<Padding>();
    is::<TimestampAge>();
    is::<TimestampPolicy>();
    is::<VerifiedEnvelope<'static>>();
};

#[cfg(feature = "std")]
const _: () = is::<qopen_callback::SharedKeyring>();

#[cfg(feature = "receiver")]
const _: () = {
    use qopen_callback::Refusals;
    use qopen_callback::listener::{Listener, ListenerLimits};
    use qopen_callback::receiver::{
        BodyPermit, HandlerError, Received, ReceivedBody, ReceiverConfig, ReceiverStats,
        Undecrypted,
    };
    is::<BodyPermit>();
    is::<HandlerError>();
    is::<Listener>();
    is::<ListenerLimits>();
    is::<Received>();
    is::<ReceivedBody>();
    is::<ReceiverConfig>();
    is::<ReceiverStats>();
    is::<Refusals>();
    is::<Undecrypted>();
};
