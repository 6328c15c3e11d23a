//! Figures in the text format that Prometheus reads.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use qopen::callback::listener::Listener;
use qopen::journal::JournalSummary;

use super::schedule::Counts;
use super::service::Service;

/// Every figure. Names end in their unit; those that only grow, in `_total`.
pub(crate) async fn text(service: &Service, callbacks: &Listener) -> String {
    let mut out = String::new();
    let mut put = |name: &str, kind: &str, help: &str, values: &[(String, f64)]| {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
    let count = |value: u64| one(value as f64);
    let stats = service.client.stats();
    let (receiver, engine) = (stats.receiver(), stats.engine());
    let rejected: Vec<_> = receiver
        .rejections()
        .iter()
        .map(|(reason, n)| {
            #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
            let n = *n as f64;
            (format!("{{reason=\"{}\"}}", reason.as_str()), n)
        })
        .collect();
    let rejected_or_none =
        if rejected.is_empty() { vec![("{reason=\"none\"}".to_owned(), 0.0)] } else { rejected };
    let counters = [
        ("received", "Requests that reached the callback's path.", receiver.received()),
        ("verified", "Callbacks whose signature held and that were opened.", receiver.opened()),
        ("accepted", "Callbacks answered success.", receiver.accepted()),
        ("other_events", "Callbacks of other kinds than customer lists.", receiver.other_events()),
        ("stale", "Callbacks with a stale timestamp.", receiver.stale()),
        ("unknown_marks", "Pages and reports of unknown pulls.", engine.unknown_marks()),
        ("unreadable_pages", "Pages that went into quarantine.", engine.unreadable_pages()),
        ("undecrypted", "Verified callbacks that no key opens.", receiver.undecrypted()),
        ("duplicate_pages", "Pages that had come before.", engine.duplicate_pages()),
        ("stray_reports", "Error reports that belong to no open pull.", engine.stray_reports()),
        ("repeated_reports", "Error reports that had come before.", engine.repeated_reports()),
        (
            "refusals",
            "Refusals that a genuine page may have suffered.",
            stats.refusals().get().count,
        ),
        ("other_paths", "Requests to other paths.", receiver.other_paths()),
        ("other_methods", "Requests by another method than POST.", receiver.other_methods()),
        ("echo_checks", "Checks of the URL by a console.", receiver.echo_checks()),
        (
            "proxy_protocol",
            "Connections that begin with the PROXY protocol.",
            callbacks.proxy_protocol(),
        ),
        (
            "turned_away",
            "Callbacks that came while the process was stopping.",
            service.turned_away.load(Ordering::Relaxed),
        ),
    ];
    for (name, help, value) in counters {
        put(&format!("qopen_callbacks_{name}_total"), "counter", help, &count(value));
    }
    let help = "Callbacks not answered success.";
    put("qopen_callbacks_rejected_total", "counter", help, &rejected_or_none);

    let readings: Vec<_> = stats
        .readings()
        .iter()
        .map(|(reading, n)| {
            #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
            let n = *n as f64;
            (format!("{{reading=\"{}\"}}", reading.as_str()), n)
        })
        .collect();
    if !readings.is_empty() {
        let help = "Callbacks with a tolerated spelling.";
        put("qopen_callbacks_readings_total", "counter", help, &readings);
    }

    let next = receiver.later_keys();
    #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
    let by_keys = [("current", receiver.opened().saturating_sub(next)), ("next", next)]
        .map(|(keys, n)| (format!("{{keys=\"{keys}\"}}"), n as f64));
    let help = "Verified callbacks, by the pair of keys that opened them.";
    put("qopen_callbacks_by_keys_total", "counter", help, &by_keys);
    let counters = [
        ("accepted", "Connections for callbacks.", callbacks.accepted()),
        ("refused", "Connections closed at once: their peer had too many.", callbacks.refused()),
        ("evicted", "Idle connections closed for others.", callbacks.evicted()),
    ];
    for (name, help, value) in counters {
        put(&format!("qopen_connections_{name}_total"), "counter", help, &count(value));
    }
    let help = "Connections for callbacks that are open.";
    put("qopen_connections_open", "gauge", help, &count(callbacks.open()));

    let ended: Vec<_> = service
        .tasks
        .all()
        .into_iter()
        .map(|(name, health)| {
            #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
            let ended = health.ended as f64;
            (format!("{{task=\"{name}\"}}"), ended)
        })
        .collect();
    let help = "Tasks of the process that ended before their time, and were begun again.";
    put("qopen_tasks_ended_total", "counter", help, &ended);

    let Counts { started, skipped, failed, unlisted } = &service.schedules;
    let counters = [
        ("started", "Pulls that a schedule started.", started),
        ("skipped", "Pulls that a schedule skipped: one of the robot was open.", skipped),
        ("failed", "Pulls that a schedule could not start at their time.", failed),
        ("unlisted", "Robots with new customers that are not robots of the app.", unlisted),
    ];
    for (name, help, value) in counters {
        let value = count(value.load(Ordering::Relaxed));
        put(&format!("qopen_schedule_{name}_total"), "counter", help, &value);
    }

    let help = "Robots that were logged out (event 41002); a repeated event counts once a minute.";
    put("qopen_robots_logged_out_total", "counter", help, &count(service.events.logouts()));

    let journal = service.journal.stats();
    let counters = [
        ("records", "Records written to the journal.", journal.records),
        ("bytes", "Bytes written to the journal.", journal.bytes),
        ("failures", "Batches that could not be written.", journal.failures),
    ];
    for (name, help, value) in counters {
        put(&format!("qopen_journal_{name}_total"), "counter", help, &count(value));
    }
    let help = "How long the storage was waited for, a batch of records each time.";
    #[allow(clippy::cast_precision_loss, reason = "a figure for a graph")]
    let (waited, batches) = (journal.waited.as_secs_f64(), journal.batches as f64);
    let summary = [("_sum".to_owned(), waited), ("_count".to_owned(), batches)];
    put("qopen_journal_sync_seconds", "summary", help, &summary);
    put("qopen_journal_queue", "gauge", "Appends that wait.", &count(journal.queued as u64));
    let healthy = u64::from(journal.healthy);
    put("qopen_journal_healthy", "gauge", "1 if the last batch was written.", &count(healthy));

    let messages = &service.messages;
    if let Some(queue) = &service.forward {
        let help = "Events and messages that could not be queued.";
        let counters = [
            ("taken", "Events that were forwarded.", messages.forwarded()),
            ("failures", "Times that an event was not taken.", messages.not_forwarded()),
            ("turned_away", help, queue.turned_away()),
        ];
        for (name, help, value) in counters {
            put(&format!("qopen_forward_{name}_total"), "counter", help, &count(value));
        }
    }
    let counters = [
        ("delivered", "Messages that their webhooks accepted.", messages.delivered()),
        ("failures", "Failed attempts to deliver a message.", messages.failures()),
        ("dropped", "Messages that no webhook wants any more.", messages.dropped()),
        ("lost", "Messages that could not be queued.", messages.lost()),
    ];
    for (name, help, value) in counters {
        put(&format!("qopen_webhook_{name}_total"), "counter", help, &count(value));
    }
    let waiting = service.journal.backlog().await.unwrap_or_default();
    let help = "Events and messages that wait.";
    put("qopen_forward_queue", "gauge", help, &count(waiting.events));
    let help = "Bytes of storage of waiting events and messages.";
    put("qopen_forward_queue_bytes", "gauge", help, &count(waiting.bytes));

    put(
        "qopen_pulls_open",
        "gauge",
        "Open pulls of this process.",
        &count(service.pulls.open_pulls().len() as u64),
    );
    let JournalSummary { pulls, oldest_open, quarantined, lost, .. } =
        service.journal.summary().await.unwrap_or_default();
    let age = oldest_open.and_then(|at| SystemTime::now().duration_since(at).ok());
    let age = age.unwrap_or_default().as_secs_f64();
    put("qopen_pulls_oldest_open_seconds", "gauge", "Age of the oldest open pull.", &one(age));
    put("qopen_journal_pulls", "gauge", "Pulls in the journal.", &count(pulls));
    let help = "Pages of pulls that the journal has lost.";
    put("qopen_journal_lost_pages", "gauge", help, &count(lost));
    put("qopen_quarantine_items", "gauge", "Items of pulls in quarantine.", &count(quarantined));
    out
}
