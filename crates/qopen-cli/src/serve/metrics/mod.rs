//! Figures in the text format that Prometheus reads. [`declared`] has each of them once.

mod declared;
mod figures;
mod publications;
mod robots;

use std::fmt::Write as _;

use qopen::callback::listener::Listener;

use super::service::Service;
use declared::{Kind, Metric, Values};
use figures::Figures;
pub(super) use publications::Publications;
pub(super) use robots::LastLists;

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Returns every figure that is known now. A figure of a journal that cannot be read is absent.
pub(super) async fn text(service: &Service, callbacks: &Listener) -> String {
    let figures = Figures::read(service, callbacks).await;
    let mut out = String::new();
    for metric in declared::ALL {
        write(&mut out, metric, &figures);
    }
    out
}

/// Writes the series of a metric. Writing to a text cannot fail.
fn write(out: &mut String, metric: &Metric, figures: &Figures<'_>) {
    let Metric { name, kind, help, .. } = metric;
    let head = format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str());
    match &metric.values {
        Values::One(read) => {
            let Some(value) = read(figures) else { return };
            let _ = writeln!(out, "{head}{name} {value}");
        }
        Values::By(label, read) => {
            let Some(values) = read(figures) else { return };
            out.push_str(&head);
            // What comes from outside makes no more series than that.
            for (text, value) in values.into_iter().take(label.most) {
                let _ = writeln!(out, "{name}{{{}=\"{}\"}} {value}", label.name, escaped(&text));
            }
        }
        Values::Times(read) => {
            let times = read(figures);
            out.push_str(&head);
            for (limit, count) in &times.buckets {
                let _ = writeln!(out, "{name}_bucket{{le=\"{limit}\"}} {count}");
            }
            if *kind == Kind::Histogram {
                let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", times.count);
            }
            let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", times.sum, times.count);
        }
    }
}

/// Escapes the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_label_cannot_end_its_line() {
        assert_eq!(super::escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
