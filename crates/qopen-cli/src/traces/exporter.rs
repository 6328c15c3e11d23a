//! The way of spans: from the engine, through a bounded queue, to the collector.

use std::env;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use super::collector::Collector;
use crate::exit::Failure;
use crate::lang::phrase;

/// Variables that name a collector. Without one, no span is kept.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Variables with the milliseconds that a request may take, and the standard's default.
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for the last spans when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The queue of spans, which a thread of its own sends.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

pub(super) fn layer() -> Result<Option<Box<dyn Layer<Registry> + Send + Sync>>, Failure> {
    let Some(endpoint) = ENDPOINTS.into_iter().find(|name| set(name).is_some()) else {
        return Ok(None);
    };
    if set("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let collector = Collector::new(timeout()?)?;
    // The library reads endpoint and headers itself. Its errors may repeat them, and they may be secret.
    let exporter = SpanExporter::builder().with_http().with_http_client(collector).build();
    let exporter = exporter.map_err(|_| {
        Failure::usage(phrase!(
            "{endpoint}: the settings of the collector cannot be used\n  example: {endpoint}=http://localhost:4318",
            "{endpoint}：收集器的设置无法使用\n  示例：{endpoint}=http://localhost:4318",
            endpoint = endpoint,
        ))
    })?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource())
        .build();
    let taker = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("qopen"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_wanted));
    let _ = PROVIDER.set(provider);
    Ok(Some(taker.boxed()))
}

/// Sends what waits. A collector that hangs costs at most [`LAST_SPANS`].
pub(super) fn finish() {
    if let Some(provider) = PROVIDER.get() {
        // A failure was said when it happened first.
        let _ = provider.shutdown_with_timeout(LAST_SPANS);
    }
}

/// Whether a span or an event is one of a pull. The export's own requests make none.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO && metadata.target().starts_with("qopen_engine")
}

/// The description of the process. The standard's variables come before it.
fn resource() -> Resource {
    let has_name = set("OTEL_SERVICE_NAME").is_some()
        || set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|it| it.contains("service.name="));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    match has_name {
        true => resource.build(),
        false => resource.with_service_name("qopen").build(),
    }
}

fn timeout() -> Result<Duration, Failure> {
    let Some((name, text)) = TIMEOUTS.into_iter().find_map(|name| Some((name, set(name)?))) else {
        return Ok(TIMEOUT);
    };
    let millis = text.parse().map_err(|_| {
        Failure::usage(phrase!(
            "{name}: {text} is not a number of milliseconds, such as 10000",
            "{name}：{text} 不是毫秒数，例如 10000",
            name = name,
            text = format!("{text:?}"),
        ))
    });
    millis.map(Duration::from_millis)
}

/// A variable that is set and not blank.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}
