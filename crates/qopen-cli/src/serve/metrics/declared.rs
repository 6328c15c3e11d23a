//! Every metric, once: the text for Prometheus, the table of docs/OPERATIONS.md, and what the rules and the
//! board may use come from here.

use std::sync::atomic::Ordering;

use qopen::callback::RejectReason;
use qopen::engine::StatusKind;
use qopen::types::Reading;

use super::figures::{Figures, number, size, unix};
use super::publications::{Attempt, Times};
use super::robots::MOST;
use crate::serve::tasks;

/// A metric. Names end in their unit; those of counters in `_total`.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) values: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// A sum and a count.
    Summary,
    Histogram,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
        }
    }
}

/// A label, and the limit of its values. No value comes from a request, except ids of robots.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) most: usize,
}

/// Returns what is known at one moment.
type Read<T> = fn(&Figures<'_>) -> Option<T>;

/// The series of a metric. A value that is not known has none.
pub(super) enum Values {
    One(Read<f64>),
    By(Label, Read<Vec<(String, f64)>>),
    Times(fn(&Figures<'_>) -> Times),
}

const fn new(name: &'static str, kind: Kind, values: Values, help: &'static str) -> Metric {
    Metric { name, kind, help, values }
}

const fn counter(name: &'static str, read: Read<f64>, help: &'static str) -> Metric {
    new(name, Kind::Counter, Values::One(read), help)
}

const fn gauge(name: &'static str, read: Read<f64>, help: &'static str) -> Metric {
    new(name, Kind::Gauge, Values::One(read), help)
}

const fn counters(
    name: &'static str,
    label: &'static str,
    most: usize,
    read: Read<Vec<(String, f64)>>,
    help: &'static str,
) -> Metric {
    new(name, Kind::Counter, Values::By(Label { name: label, most }, read), help)
}

const fn gauges(
    name: &'static str,
    label: &'static str,
    most: usize,
    read: Read<Vec<(String, f64)>>,
    help: &'static str,
) -> Metric {
    new(name, Kind::Gauge, Values::By(Label { name: label, most }, read), help)
}

/// A count that is always known.
fn some(count: u64) -> Option<f64> {
    Some(number(count))
}

/// The counts of all kinds of something. Each is there from the start, so that its first increase shows.
fn each<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    count: impl Fn(T) -> u64,
) -> Option<Vec<(String, f64)>> {
    Some(all.iter().map(|it| (name(*it).to_owned(), number(count(*it)))).collect())
}

/// Every metric, in the order of the text.
#[rustfmt::skip]
pub(super) const ALL: &[Metric] = &[
    gauges("qopen_build_info", "version", 1,
        |_| Some(vec![(env!("CARGO_PKG_VERSION").to_owned(), 1.0)]),
        "1, with the version of the program."),
    gauge("process_start_time_seconds", |it| Some(unix(it.service.began)),
        "When the process began, in seconds since 1970."),

    gauges("qopen_last_complete_list_timestamp_seconds", "robot_id", MOST,
        |it| {
            let robots = &it.overview.as_ref()?.robots;
            let value = |(robot, at): (&qopen::types::RobotId, &Option<_>)| {
                (robot.to_string(), at.map_or(0.0, unix))
            };
            Some(robots.iter().map(value).collect())
        },
        "Start of the pull of the robot's last complete list, seconds since 1970; 0 if none is known."),
    gauge("qopen_robots_omitted", |it| Some(size(it.overview.as_ref()?.omitted)),
        "Robots without a series of their own, because there are too many."),
    counters("qopen_pulls_ended_total", "outcome", StatusKind::ALL.len(),
        |it| each(&StatusKind::ALL, StatusKind::as_str, |kind| it.engine.ended(kind)),
        "Pulls that ended, by outcome. A pull that late pages open again counts again."),
    gauge("qopen_pulls_open", |it| Some(size(it.service.pulls.open_pulls().len())),
        "Open pulls of this process."),
    gauge("qopen_pulls_oldest_open_seconds",
        |it| {
            let began = it.summary.as_ref()?.oldest_open;
            let age = began.and_then(|at| std::time::SystemTime::now().duration_since(at).ok());
            Some(age.unwrap_or_default().as_secs_f64())
        },
        "Age of the oldest open pull of the journal; 0 if none is open."),
    counters("qopen_publications_total", "result", Attempt::ALL.len(),
        |it| each(&Attempt::ALL, Attempt::as_str, |kind| it.service.publications.attempts(kind)),
        "Attempts to publish a list, by result. A failed attempt is repeated and counts each time."),
    new("qopen_publication_duration_seconds", Kind::Histogram,
        Values::Times(|it| it.service.publications.times()),
        "Duration of successful publications."),
    gauge("qopen_lists_held", |it| Some(size(it.overview.as_ref()?.held)),
        "Lists of the journal that a guard holds."),
    gauge("qopen_quarantine_items", |it| some(it.summary.as_ref()?.quarantined),
        "Items of pulls in quarantine."),

    counter("qopen_callbacks_received_total", |it| some(it.stats.receiver().received()),
        "Requests that reached the callback's path."),
    counter("qopen_callbacks_verified_total", |it| some(it.stats.receiver().opened()),
        "Callbacks whose signature held and that were opened."),
    counter("qopen_callbacks_accepted_total", |it| some(it.stats.receiver().accepted()),
        "Callbacks answered success."),
    counters("qopen_callbacks_rejected_total", "reason", RejectReason::ALL.len(),
        |it| each(&RejectReason::ALL, RejectReason::as_str, |reason| {
            it.stats.receiver().rejected(reason)
        }),
        "Callbacks not answered success, by reason."),
    counter("qopen_callbacks_refusals_total", |it| some(it.stats.refusals().get().count),
        "Refusals that a genuine page may have suffered."),
    counter("qopen_callbacks_turned_away_total",
        |it| some(it.service.turned_away.load(Ordering::Relaxed)),
        "Callbacks that came while the process was stopping."),
    counter("qopen_callbacks_undecrypted_total", |it| some(it.stats.receiver().undecrypted()),
        "Verified callbacks that no key opens."),
    counter("qopen_callbacks_unreadable_pages_total", |it| some(it.engine.unreadable_pages()),
        "Pages that went into quarantine."),
    counter("qopen_callbacks_duplicate_pages_total", |it| some(it.engine.duplicate_pages()),
        "Pages that had come before."),
    counter("qopen_callbacks_unknown_marks_total", |it| some(it.engine.unknown_marks()),
        "Pages and reports of unknown pulls."),
    counter("qopen_callbacks_stray_reports_total", |it| some(it.engine.stray_reports()),
        "Error reports that belong to no open pull."),
    counter("qopen_callbacks_repeated_reports_total", |it| some(it.engine.repeated_reports()),
        "Error reports that had come before."),
    counter("qopen_callbacks_other_events_total", |it| some(it.stats.receiver().other_events()),
        "Callbacks of other kinds than customer lists."),
    counter("qopen_callbacks_stale_total", |it| some(it.stats.receiver().stale()),
        "Callbacks with a stale timestamp."),
    counters("qopen_callbacks_by_keys_total", "keys", 2,
        |it| {
            let (all, next) = (it.stats.receiver().opened(), it.stats.receiver().later_keys());
            let counts = [("current", all.saturating_sub(next)), ("next", next)];
            Some(counts.map(|(keys, count)| (keys.to_owned(), number(count))).into())
        },
        "Verified callbacks, by the pair of keys that opened them."),
    counters("qopen_callbacks_readings_total", "reading", Reading::ALL.len(),
        |it| each(Reading::ALL, Reading::as_str, |reading| {
            it.stats.receiver().read_as(reading) + it.engine.read_as(reading)
        }),
        "Callbacks with a tolerated spelling, by spelling."),
    counter("qopen_callbacks_other_paths_total", |it| some(it.stats.receiver().other_paths()),
        "Requests to other paths."),
    counter("qopen_callbacks_other_methods_total", |it| some(it.stats.receiver().other_methods()),
        "Requests by another method than POST."),
    counter("qopen_callbacks_echo_checks_total", |it| some(it.stats.receiver().echo_checks()),
        "Checks of the URL by a console."),
    counter("qopen_callbacks_proxy_protocol_total", |it| some(it.callbacks.proxy_protocol()),
        "Connections that begin with the PROXY protocol."),
    counters("qopen_connections_unusable_total", "why", 3,
        |it| {
            let of = |why: &str, count| (why.to_owned(), number(count));
            let listener = it.callbacks;
            Some(vec![
                of("http2", listener.http2()),
                of("tls_without_certificate", listener.tls_without_certificate()),
                of("failed_handshake", listener.failed_handshakes()),
            ])
        },
        "Connections that speak HTTP/2, or that TLS or its absence ends."),
    counter("qopen_connections_accepted_total", |it| some(it.callbacks.accepted()),
        "Connections for callbacks."),
    counter("qopen_connections_refused_total", |it| some(it.callbacks.refused()),
        "Connections closed at once: their peer had too many."),
    counter("qopen_connections_evicted_total", |it| some(it.callbacks.evicted()),
        "Idle connections closed for others."),
    gauge("qopen_connections_open", |it| some(it.callbacks.open()),
        "Connections for callbacks that are open."),

    gauge("qopen_journal_healthy", |it| some(u64::from(it.journal.healthy)),
        "1 if the last batch was written."),
    counter("qopen_journal_failures_total", |it| some(it.journal.failures),
        "Batches that could not be written."),
    counter("qopen_journal_records_total", |it| some(it.journal.records),
        "Records written to the journal."),
    counter("qopen_journal_bytes_total", |it| some(it.journal.bytes),
        "Bytes written to the journal."),
    new("qopen_journal_sync_seconds", Kind::Summary,
        Values::Times(|it| Times {
            buckets: Vec::new(),
            sum: it.journal.waited.as_secs_f64(),
            count: it.journal.batches,
        }),
        "How long the storage was waited for, a batch of records each time."),
    gauge("qopen_journal_queue", |it| Some(size(it.journal.queued)),
        "Appends that wait."),
    gauge("qopen_journal_pulls", |it| some(it.summary.as_ref()?.pulls),
        "Pulls in the journal."),
    gauge("qopen_journal_pulls_open", |it| Some(size(it.overview.as_ref()?.open)),
        "Open pulls in the journal."),
    gauge("qopen_journal_lost_pages", |it| some(it.summary.as_ref()?.lost),
        "Pages of pulls that the journal has lost."),

    counter("qopen_forward_taken_total", |it| some(it.service.messages.forwarded()),
        "Events that were forwarded."),
    counter("qopen_forward_failures_total", |it| some(it.service.messages.not_forwarded()),
        "Times that an event was not taken."),
    counter("qopen_forward_turned_away_total",
        |it| some(it.service.forward.as_ref().map_or(0, |queue| queue.turned_away())),
        "Events and messages that could not be queued."),
    gauge("qopen_forward_queue", |it| some(it.backlog.as_ref()?.events),
        "Events and messages that wait."),
    gauge("qopen_forward_queue_bytes", |it| some(it.backlog.as_ref()?.bytes),
        "Bytes of storage of waiting events and messages."),
    counter("qopen_webhook_delivered_total", |it| some(it.service.messages.delivered()),
        "Messages that their webhooks accepted."),
    counter("qopen_webhook_failures_total", |it| some(it.service.messages.failures()),
        "Failed attempts to deliver a message."),
    counter("qopen_webhook_dropped_total", |it| some(it.service.messages.dropped()),
        "Messages that no webhook wants any more."),
    counter("qopen_webhook_lost_total", |it| some(it.service.messages.lost()),
        "Messages that could not be queued."),

    counter("qopen_schedule_started_total",
        |it| some(it.service.schedules.started.load(Ordering::Relaxed)),
        "Pulls that a schedule started."),
    counter("qopen_schedule_skipped_total",
        |it| some(it.service.schedules.skipped.load(Ordering::Relaxed)),
        "Pulls that a schedule skipped: one of the robot was open."),
    counter("qopen_schedule_failed_total",
        |it| some(it.service.schedules.failed.load(Ordering::Relaxed)),
        "Pulls that a schedule could not start at their time."),
    counter("qopen_schedule_unlisted_total",
        |it| some(it.service.schedules.unlisted.load(Ordering::Relaxed)),
        "Robots with new customers that are not robots of the app."),
    counter("qopen_robots_logged_out_total", |it| some(it.service.events.logouts()),
        "Robots that were logged out (event 41002); a repeated event counts once a minute."),
    counters("qopen_tasks_ended_total", "task", tasks::NAMES.len(),
        |it| {
            let tasks = it.service.tasks.all().into_iter();
            Some(tasks.map(|(name, health)| (name.to_owned(), number(health.ended))).collect())
        },
        "Tasks of the process that ended before their time, and were begun again."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The table of `docs/OPERATIONS.md`.
    fn table() -> String {
        let row = |Metric { name, kind, help, values }: &Metric| {
            let label = match values {
                Values::By(Label { name, most: 1 }, _) => format!("`{name}` (1 value)"),
                Values::By(Label { name, most }, _) => format!("`{name}` (at most {most} values)"),
                _ => String::new(),
            };
            format!("| `{name}` | {} | {label} | {} |\n", kind.as_str(), help.trim_end_matches('.'))
        };
        const HEAD: &str = "| metric | type | label | meaning |\n|---|---|---|---|\n";
        HEAD.to_owned() + &ALL.iter().map(row).collect::<String>()
    }

    #[test]
    fn the_documentation_has_every_metric_as_it_is_declared() {
        crate::docs::assert_table("OPERATIONS.md", "| metric | type |", &table());
    }

    #[test]
    fn names_are_unique_and_say_what_kind_of_metric_they_are() {
        let names: BTreeSet<_> = ALL.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), ALL.len());
        for Metric { name, kind, help, values } in ALL {
            assert!(name.starts_with("qopen_") || *name == "process_start_time_seconds", "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            let has_times = matches!(kind, Kind::Summary | Kind::Histogram);
            assert_eq!(matches!(values, Values::Times(_)), has_times, "{name}");
            assert!(!has_times || name.ends_with("_seconds"), "{name}");
            // They need no escapes, neither in the text nor in the table.
            assert!(help.ends_with('.') && !help.contains(['\\', '\n', '|']), "{name}: {help}");
        }
    }
}
