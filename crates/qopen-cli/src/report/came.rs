//! Findings of the callback listener, with advice.

use qopen::callback::RejectReason;
use qopen::callback::listener::Listener;
use qopen::types::Reading;
use qopen::{Stats, UnknownPull};

use super::words::of;

/// Counts of everything that the callback listener received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Came {
    pub(crate) rejections: Vec<(RejectReason, u64)>,
    pub(crate) readings: Vec<(Reading, u64)>,
    unknown_pages: u64,
    last_unknown: Option<UnknownPull>,
    undecrypted: u64,
    unreadable: u64,
    stray_reports: u64,
    other_events: u64,
    other_paths: u64,
    last_path: Option<String>,
    other_methods: u64,
    echo_checks: u64,
    proxy_protocol: u64,
    path: String,
    /// Whether the counts may be older than a pull that they are shown with.
    is_of_process: bool,
}

/// A kind of request other than a page of the pull, with its count and advice.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    /// The noun, in the number of `count`.
    what: String,
    /// What to check. Empty for traffic that needs no attention.
    pub(super) advice: String,
}

impl Finding {
    /// Returns count, kind and advice.
    pub(crate) fn sentence(&self) -> String {
        let Self { count, what, advice, .. } = self;
        match advice.is_empty() {
            true => format!("{count} {what}"),
            false => format!("{count} {what}; {advice}"),
        }
    }
}

impl Finding {
    /// Whether the requests were refused, and the journal has nothing of them.
    pub(crate) fn is_of_refused(&self) -> bool {
        const KEPT: [&str; 6] = [
            "undecrypted",
            "unknown_pages",
            "unreadable",
            "stray_reports",
            "other_events",
            "milliseconds",
        ];
        !KEPT.contains(&self.kind)
    }
}

impl Came {
    pub(crate) fn of(stats: &Stats, listener: &Listener, path: &str) -> Self {
        let (receiver, engine) = (stats.receiver(), stats.engine());
        Self {
            rejections: receiver.rejections(),
            readings: stats.readings(),
            unknown_pages: engine.unknown_marks(),
            last_unknown: engine.last_unknown_pull(),
            undecrypted: receiver.undecrypted(),
            unreadable: engine.unreadable_pages(),
            stray_reports: engine.stray_reports(),
            other_events: receiver.other_events(),
            other_paths: receiver.other_paths(),
            last_path: receiver.last_other_path(),
            other_methods: receiver.other_methods(),
            echo_checks: receiver.echo_checks(),
            proxy_protocol: listener.proxy_protocol(),
            path: path.to_owned(),
            is_of_process: false,
        }
    }

    /// The same, for a process with many pulls.
    pub(crate) fn of_process(self) -> Self {
        Self { is_of_process: true, ..self }
    }

    /// The counts of a capture, which has no listener.
    pub(crate) fn captured(
        rejections: Vec<(RejectReason, u64)>,
        readings: Vec<(Reading, u64)>,
    ) -> Self {
        Self { rejections, readings, ..Self::default() }
    }

    /// Callbacks that were not answered `success`.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejections.iter().map(|(_, count)| count).sum()
    }

    /// Returns rejected callbacks by reason, for a list that is complete nevertheless.
    pub(super) fn rejections_in_words(&self) -> Option<String> {
        let rejected = self.rejected();
        let parts: Vec<_> =
            self.rejections.iter().map(|(it, count)| format!("{count} {}", it.as_str())).collect();
        let were = of(rejected, "callback was", "callbacks were");
        let since = if self.is_of_process { " since the start of the service" } else { "" };
        (rejected > 0).then(|| format!("{rejected} {were} rejected{since}: {}", parts.join(", ")))
    }

    /// Returns the findings that need attention.
    pub(super) fn troubles(&self) -> Vec<String> {
        let findings = self.findings();
        findings.iter().filter(|it| !it.advice.is_empty()).map(Finding::sentence).collect()
    }

    /// Returns troubles in a few words, for a progress line. Empty without troubles.
    pub(crate) fn in_short(&self) -> String {
        let parts = [
            (self.rejected(), "rejected"),
            (self.undecrypted, "not decrypted"),
            (self.other_paths, "to other paths"),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    }

    /// Returns all findings, the most telling first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |kind, count: u64, what: (&str, &str), advice: String| {
            if count > 0 {
                let what = of(count, what.0, what.1).to_owned();
                findings.push(Finding { kind, count, what, advice });
            }
        };
        add(
            "undecrypted",
            self.undecrypted,
            ("verified callback that does not decrypt", "verified callbacks that do not decrypt"),
            "is QOPEN_ENCODING_AES_KEY the console's?".into(),
        );
        for (reason, count) in &self.rejections {
            let (one, many, advice) = rejection(*reason);
            add(reason.as_str(), *count, (one, many), advice.into());
        }
        let last = self.last_path.as_deref().unwrap_or_default();
        add(
            "other_paths",
            self.other_paths,
            ("request to another path", "requests to other paths"),
            format!(
                "the last went to {last}, callbacks are taken at {} (QOPEN_CALLBACK_PATH)",
                self.path
            ),
        );
        add(
            "unknown_pages",
            self.unknown_pages,
            ("verified page of another pull", "verified pages of other pulls"),
            self.last_unknown.as_ref().map(nearest).unwrap_or_default(),
        );
        add(
            "unreadable",
            self.unreadable.saturating_sub(self.undecrypted + self.unknown_pages),
            ("verified callback that cannot be read", "verified callbacks that cannot be read"),
            "`qopen quarantine list` shows them".into(),
        );
        add(
            "stray_reports",
            self.stray_reports,
            ("error report of another pull", "error reports of other pulls"),
            String::new(),
        );
        let odd = self.unreadable.saturating_sub(self.undecrypted);
        add(
            "other_events",
            self.other_events.saturating_sub(odd),
            ("other event", "other events"),
            String::new(),
        );
        add(
            "other_methods",
            self.other_methods.saturating_sub(self.echo_checks),
            ("request with another method than POST", "requests with another method than POST"),
            "the platform sends callbacks as POST".into(),
        );
        add(
            "echo_checks",
            self.echo_checks,
            ("check of the URL by a console (GET with echostr)", "checks of the URL by a console (GET with echostr)"),
            "this console's callbacks are POSTs and expect `success`, so save the URL without that check".into(),
        );
        add(
            "proxy_protocol",
            self.proxy_protocol,
            (
                "connection that begins with the PROXY protocol",
                "connections that begin with the PROXY protocol",
            ),
            "turn the PROXY protocol off towards this listener".into(),
        );
        let milliseconds = self.readings.iter().find(|it| it.0 == Reading::Milliseconds);
        add(
            "milliseconds",
            milliseconds.map_or(0, |it| it.1),
            ("timestamp in milliseconds", "timestamps in milliseconds"),
            String::new(),
        );
        findings
    }

    /// Returns the findings of a pull without pages. `None` if nothing came.
    pub(crate) fn instead(&self) -> Option<String> {
        let parts: Vec<_> = self.findings().iter().map(Finding::sentence).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Describes a rejection: one, several, and the advice.
fn rejection(reason: RejectReason) -> (&'static str, &'static str, &'static str) {
    match reason {
        RejectReason::Malformed => (
            "request without an envelope",
            "requests without an envelope",
            "does a proxy change the body?",
        ),
        RejectReason::AppKey => (
            "callback for another app key",
            "callbacks for another app key",
            "is QOPEN_APP_KEY the console's?",
        ),
        RejectReason::Signature => (
            "callback with a wrong signature",
            "callbacks with a wrong signature",
            "is QOPEN_CALLBACK_TOKEN the console's?",
        ),
        RejectReason::Stale => (
            "callback with a stale timestamp",
            "callbacks with a stale timestamp",
            "is this machine's clock right? QOPEN_REFUSE_STALE sets the tolerance",
        ),
        RejectReason::Undecryptable => (
            "callback that does not decrypt",
            "callbacks that do not decrypt",
            "is QOPEN_ENCODING_AES_KEY the console's?",
        ),
        RejectReason::Body => (
            "callback that was too large, too slow or cut off",
            "callbacks that were too large, too slow or cut off",
            "does a proxy limit bodies?",
        ),
        RejectReason::Compressed => (
            "compressed callback",
            "compressed callbacks",
            "turn compression of requests off in the proxy",
        ),
        RejectReason::NoRoom => (
            "callback refused for lack of memory",
            "callbacks refused for lack of memory",
            "the platform sends them again",
        ),
        RejectReason::Payload => (
            "callback that the handler cannot read",
            "callbacks that the handler cannot read",
            "`qopen explain` diagnoses one",
        ),
        RejectReason::Unavailable => (
            "callback that could not be kept or forwarded",
            "callbacks that could not be kept or forwarded",
            "is there room on the disk, and does the URL of --forward answer `success`?",
        ),
        other => (other.as_str(), other.as_str(), ""),
    }
}

fn nearest(it: &UnknownPull) -> String {
    match &it.near {
        Some(near) if near.mark_id == it.named.mark_id => {
            format!("{} differs from {near} in the robot", it.named)
        }
        Some(near) => format!("{} differs from {near} only in case", it.named),
        None => format!("the last is of {}", it.named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_words_of_its_own() {
        for reason in RejectReason::ALL {
            let (one, many, advice) = rejection(reason);
            assert!(one != many && one != reason.as_str() && !advice.is_empty(), "{reason:?}");
        }
    }
}
