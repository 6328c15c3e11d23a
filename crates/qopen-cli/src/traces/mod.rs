//! Traces to an OpenTelemetry collector. Without the feature `otel` there are none.

#[cfg(feature = "otel")]
mod collector;
#[cfg(feature = "otel")]
mod exporter;

use tokio::runtime::Handle;
use tracing_subscriber::{Layer, Registry};

use crate::exit::Failure;

/// What takes spans and lines of the log.
pub(crate) type Taker = Box<dyn Layer<Registry> + Send + Sync>;

/// Returns what takes spans, if the environment names a collector.
///
/// # Errors
/// The environment's settings cannot be used.
pub(crate) fn layer() -> Result<Option<Taker>, Failure> {
    #[cfg(feature = "otel")]
    return exporter::layer();
    #[cfg(not(feature = "otel"))]
    Ok(None)
}

/// Sends spans on this runtime from now on.
#[cfg_attr(not(feature = "otel"), allow(unused_variables, reason = "as with the feature"))]
pub(crate) fn send_on(runtime: &Handle) {
    #[cfg(feature = "otel")]
    collector::send_on(runtime);
}

/// Sends the spans that wait, for a bounded time. Blocks while the runtime still runs.
pub(crate) fn finish() {
    #[cfg(feature = "otel")]
    exporter::finish();
}
