//! Public types can be moved to another thread and shared with it.

use qopen_assembler::{
    Anomaly, Assembler, Basis, Collector, Config, ContentDigest, Entry, ErrorReport, Event,
    Failure, Figures, Fingerprint, Fold, Limits, MergeError, Page, PageDigest, PullKey,
    PullOptions, PullProgress, Seed, StartError, Time, Timing, Verdict,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Anomaly>();
    is::<Assembler<()>>();
    is::<Basis>();
    is::<Collector<()>>();
    is::<Config>();
    is::<ContentDigest>();
    is::<Entry>();
    is::<ErrorReport>();
    is::<Event<()>>();
    is::<Failure>();
    is::<Figures>();
    is::<Fingerprint>();
    is::<Fold>();
    is::<Limits>();
    is::<MergeError>();
    is::<Page<()>>();
    is::<PageDigest>();
    is::<PullProgress>();
    is::<PullKey>();
    is::<PullOptions>();
    is::<Seed>();
    is::<StartError>();
    is::<Time>();
    is::<Timing>();
    is::<Verdict>();
};
