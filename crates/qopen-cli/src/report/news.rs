//! Findings as they are reported while a service runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::came::{Came, Finding};

/// Reports a kind of finding when it first occurs, then at most once an hour.
#[derive(Debug, Default)]
pub(crate) struct News(BTreeMap<&'static str, (u64, Instant)>);

/// The shortest time between two lines about one kind of finding.
const SAY_AGAIN: Duration = Duration::from_secs(3600);

impl News {
    /// Returns the findings that are due.
    pub(crate) fn of(&mut self, came: &Came, now: Instant) -> Vec<Finding> {
        let mut due = Vec::new();
        for finding in came.troubles() {
            let said = self.0.get(finding.topic.name);
            if said.is_none_or(|(n, at)| finding.count > *n && now - *at >= SAY_AGAIN) {
                self.0.insert(finding.topic.name, (finding.count, now));
                due.push(finding);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use qopen::callback::RejectReason;
    use qopen::types::Reading;

    use super::*;

    #[test]
    fn each_kind_is_said_once_and_again_after_an_hour() {
        let of = |signature, malformed| {
            Came::captured(
                vec![(RejectReason::Signature, signature), (RejectReason::Malformed, malformed)],
                vec![(Reading::Milliseconds, 9)],
            )
        };
        let (mut news, start) = (News::default(), Instant::now());
        assert_eq!(news.of(&of(0, 0), start).len(), 0);
        let said = news.of(&of(1, 0), start);
        assert_eq!((said.len(), said[0].topic.name), (1, "rejected-signature"));
        assert_eq!(
            said[0].sentence().english(),
            "1 callback with a wrong signature; is QOPEN_CALLBACK_TOKEN the console's?"
        );
        assert_eq!(news.of(&of(500, 0), start + SAY_AGAIN / 2).len(), 0);
        assert_eq!(news.of(&of(500, 2), start + SAY_AGAIN / 2).len(), 1);
        assert_eq!(news.of(&of(500, 2), start + SAY_AGAIN).len(), 1);
        assert_eq!(news.of(&of(500, 2), start + SAY_AGAIN * 4).len(), 0);
        assert_eq!(news.of(&of(501, 3), start + SAY_AGAIN * 4).len(), 2);
    }
}
