//! Findings of the callback listener, with advice.

use qopen::callback::RejectReason;
use qopen::callback::listener::Listener;
use qopen::types::Reading;
use qopen::{Stats, UnknownPull};

use super::rejections::{advice, nouns, rejection};
use super::words::{Noun, of};
use crate::lang::{COMMA, Phrase, SEMICOLON, Text, phrase};
use crate::topics::{self, Topic, callbacks};

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
    http2: u64,
    tls_without_certificate: u64,
    failed_handshakes: u64,
    /// Connections that were closed at once, because their peer had too many.
    crowded: u64,
    path: String,
    /// Whether the counts may be older than a pull that they are shown with.
    is_of_process: bool,
}

/// A kind of request other than a page of the pull, with its count and advice.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) topic: &'static Topic,
    pub(crate) count: u64,
    /// The number and its noun.
    what: Phrase,
    /// What to check. Empty for traffic that needs no attention.
    advice: Phrase,
}

impl Finding {
    /// Returns count, kind and advice.
    pub(crate) fn sentence(&self) -> Phrase {
        let Self { what, advice, .. } = self;
        match advice.is_empty() {
            true => what.clone(),
            false => phrase!("{what}; {advice}", "{what}；{advice}", what = what, advice = advice),
        }
    }

    /// Whether the requests were refused, and the journal has nothing of them.
    pub(crate) fn is_of_refused(&self) -> bool {
        const KEPT: [&Topic; 6] = [
            &callbacks::UNDECRYPTED,
            &callbacks::UNKNOWN_PAGES,
            &callbacks::UNREADABLE,
            &callbacks::STRAY_REPORTS,
            &callbacks::OTHER_EVENTS,
            &callbacks::MILLISECONDS,
        ];
        !KEPT.iter().any(|it| it.name == self.topic.name)
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
            http2: listener.http2(),
            tls_without_certificate: listener.tls_without_certificate(),
            failed_handshakes: listener.failed_handshakes(),
            crowded: listener.refused(),
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
    pub(super) fn rejections_in_words(&self) -> Option<Phrase> {
        let rejected = self.rejected();
        let part = |(it, count): &(RejectReason, u64)| {
            phrase!("{count} {name}", "{name} {count}", count = count, name = it.as_str())
        };
        let parts: Vec<_> = self.rejections.iter().map(part).collect();
        let since = match self.is_of_process {
            true => Text::new(" since the start of the service", "服务启动以来"),
            false => Text::new("", ""),
        };
        (rejected > 0).then(|| {
            phrase!(
                "{rejected} {were} rejected{since}: {parts}",
                "{since}拒绝了 {rejected} 条回调：{parts}",
                rejected = rejected,
                were = of(rejected, "callback was", "callbacks were"),
                since = since,
                parts = Phrase::join(&parts, COMMA),
            )
        })
    }

    /// Returns the findings that need attention.
    pub(super) fn troubles(&self) -> Vec<Finding> {
        self.findings().into_iter().filter(|it| !it.advice.is_empty()).collect()
    }

    /// Returns troubles in a few words, for a progress line. Empty without troubles.
    pub(crate) fn in_short(&self) -> Phrase {
        let parts = [
            (self.rejected(), Text::new("rejected", "被拒绝")),
            (self.undecrypted, Text::new("not decrypted", "无法解密")),
            (self.other_paths, Text::new("to other paths", "发往其他路径")),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(n, what)| phrase!("{n} {what}", "{n} 条{what}", n = n, what = what))
            .collect();
        Phrase::join(&parts, COMMA)
    }

    /// Returns all findings, the most telling first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |topic, count: u64, what: Noun, advice: Phrase| {
            if count > 0 {
                findings.push(Finding { topic, count, what: what.count(count), advice });
            }
        };
        add(&callbacks::UNDECRYPTED, self.undecrypted, nouns::UNDECRYPTED, advice::AES_KEY.into());
        for (reason, count) in &self.rejections {
            let (what, advice) = rejection(*reason);
            add(topics::of_rejection(*reason), *count, what, advice.into());
        }
        let last = self.last_path.as_deref().unwrap_or_default();
        let paths = phrase!(
            "the last went to {last}, callbacks are taken at {path} (QOPEN_CALLBACK_PATH)",
            "最后一次请求的是 {last}，回调路径为 {path}（QOPEN_CALLBACK_PATH）",
            last = last,
            path = self.path,
        );
        add(&callbacks::OTHER_PATHS, self.other_paths, nouns::OTHER_PATHS, paths);
        let near = self.last_unknown.as_ref().map(nearest).unwrap_or_default();
        add(&callbacks::UNKNOWN_PAGES, self.unknown_pages, nouns::UNKNOWN_PAGES, near);
        let unreadable = self.unreadable.saturating_sub(self.undecrypted + self.unknown_pages);
        add(&callbacks::UNREADABLE, unreadable, nouns::UNREADABLE, advice::UNREADABLE.into());
        let nothing = Phrase::default;
        add(&callbacks::STRAY_REPORTS, self.stray_reports, nouns::STRAY_REPORTS, nothing());
        let odd = self.unreadable.saturating_sub(self.undecrypted);
        let others = self.other_events.saturating_sub(odd);
        add(&callbacks::OTHER_EVENTS, others, nouns::OTHER_EVENTS, nothing());
        let methods = self.other_methods.saturating_sub(self.echo_checks);
        add(&callbacks::OTHER_METHODS, methods, nouns::OTHER_METHODS, advice::METHODS.into());
        add(&callbacks::ECHO_CHECKS, self.echo_checks, nouns::ECHO_CHECKS, advice::ECHO.into());
        let proxied = self.proxy_protocol;
        add(&callbacks::PROXY_PROTOCOL, proxied, nouns::PROXY_PROTOCOL, advice::PROXY.into());
        add(&callbacks::HTTP2, self.http2, nouns::HTTP2, advice::HTTP2.into());
        let tls = self.tls_without_certificate;
        add(&callbacks::TLS_WITHOUT_CERTIFICATE, tls, nouns::TLS, advice::TLS.into());
        let failed = self.failed_handshakes;
        add(&callbacks::FAILED_HANDSHAKES, failed, nouns::HANDSHAKES, advice::HANDSHAKES.into());
        add(&callbacks::CROWDED, self.crowded, nouns::CROWDED, advice::CROWDED.into());
        let milliseconds = self.readings.iter().find(|it| it.0 == Reading::Milliseconds);
        let milliseconds = milliseconds.map_or(0, |it| it.1);
        add(&callbacks::MILLISECONDS, milliseconds, nouns::MILLISECONDS, nothing());
        findings
    }

    /// Returns the findings of a pull without pages, and the topic of the first. `None` if nothing came.
    pub(crate) fn instead(&self) -> Option<(Phrase, &'static Topic)> {
        let findings = self.findings();
        let topic = findings.first()?.topic;
        let parts: Vec<_> = findings.iter().map(Finding::sentence).collect();
        Some((Phrase::join(&parts, SEMICOLON), topic))
    }
}

fn nearest(it: &UnknownPull) -> Phrase {
    let named = &it.named;
    match &it.near {
        Some(near) if near.mark_id == named.mark_id => phrase!(
            "{named} differs from {near} in the robot",
            "{named} 与 {near} 的机器人不同",
            named = named,
            near = near,
        ),
        Some(near) => phrase!(
            "{named} differs from {near} only in case",
            "{named} 与 {near} 仅大小写不同",
            named = named,
            near = near,
        ),
        None => phrase!("the last is of {named}", "最后一个属于 {named}", named = named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_has_words_of_its_own() {
        for reason in RejectReason::ALL {
            let (what, advice) = rejection(reason);
            assert!(what.one != what.many && what.one != reason.as_str(), "{reason:?}");
            assert!(!advice.en.is_empty() && !advice.zh.is_empty(), "{reason:?}");
        }
    }
}
