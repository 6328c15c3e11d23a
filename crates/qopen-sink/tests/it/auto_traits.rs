//! Public types can be moved to another thread and shared with it.

use qopen_sink::{CsvOptions, FileSink, Format, Quarantine, SinkError, Sorted, Sorter, StreamSink};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<CsvOptions>();
    is::<FileSink>();
    is::<Format>();
    is::<Sorted>();
    is::<Quarantine>();
    is::<SinkError>();
    is::<Sorter>();
    is::<StreamSink>();
};
