//! Public types can be moved to another thread and shared with it.

use qopen::{Client, ClientBuilder, ForwardQueue, ForwardQueueBuilder, ForwardTo, Stats};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Client>();
    is::<ClientBuilder>();
    is::<ForwardQueue>();
    is::<ForwardQueueBuilder>();
    is::<ForwardTo>();
    is::<Stats>();
};
