//! The state of a robot, as an explanation of a pull without a complete list.

use std::collections::BTreeMap;
use std::time::Duration;

use qopen::http::RobotState;
use qopen::types::RobotId;
use qopen::{Client, Outcome, Status};

use crate::journal::time;
use crate::lang::{Phrase, Text, phrase};
use crate::robot_events::{Logout, RobotEvents};

/// Time limit for the question.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether the state of its robot may explain an outcome.
pub(crate) fn may_explain(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::NoCallback | Status::Incomplete(_))
}

/// Asks once for the states of the outcomes' robots, where they may explain something. Returns a sentence for
/// each robot of which the platform, or an event, tells one.
pub(crate) async fn explanations<'a>(
    client: &Client,
    events: &RobotEvents,
    outcomes: impl Iterator<Item = &'a Outcome>,
) -> BTreeMap<RobotId, Phrase> {
    let asked: BTreeMap<&RobotId, Duration> = outcomes
        .filter(|it| may_explain(it))
        .map(|it| (&it.progress.pull.robot_id, it.progress.elapsed))
        .collect();
    if asked.is_empty() {
        return BTreeMap::new();
    }
    let robots: Vec<RobotId> = asked.keys().copied().cloned().collect();
    let states = match tokio::time::timeout(LIMIT, client.robot_status(&robots)).await {
        Ok(Ok(states)) => states.states,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the states of robots are unknown");
            BTreeMap::new()
        }
        Err(_) => {
            tracing::debug!("the states of robots are unknown: no answer within 5 s");
            BTreeMap::new()
        }
    };
    let sentence = |(robot, elapsed): (&RobotId, Duration)| {
        let state = states.get(robot).copied().unwrap_or_default();
        let logout = events.logout(robot);
        Some((robot.clone(), sentence(state, logout, elapsed)?))
    };
    asked.into_iter().filter_map(sentence).collect()
}

/// Says what the platform tells of the robot, and what an event told. `elapsed` is the time since the pull's
/// start.
fn sentence(state: RobotState, logout: Option<Logout>, elapsed: Duration) -> Option<Phrase> {
    let at = |it: &Logout| time(it.at);
    if state.enabled == Some(false) {
        return Some(phrase!("the robot is recycled", "机器人已被回收"));
    }
    if state.is_online == Some(false) {
        return Some(match &logout {
            Some(logout) => phrase!(
                "the robot is offline since {at} ({reason})",
                "机器人自 {at} 起离线（{reason}）",
                at = at(logout),
                reason = logout.reason(),
            ),
            None => phrase!("the robot is offline", "机器人离线"),
        });
    }
    // An earlier logout does not explain this pull.
    let logout = logout.filter(|it| it.received.elapsed() <= elapsed)?;
    let again = match state.is_online {
        Some(true) => Text::new(", and is online again", "，现已重新上线"),
        _ => Text::new("", ""),
    };
    Some(phrase!(
        "the robot was logged out at {at} ({reason}){again}",
        "机器人于 {at} 退出登录（{reason}）{again}",
        at = at(&logout),
        reason = logout.reason(),
        again = again,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use qopen::types::LogoutType;

    use super::*;

    #[test]
    fn only_what_is_known_of_a_robot_is_said() {
        let state = |is_online, enabled| {
            let mut state = RobotState::default();
            (state.is_online, state.enabled) = (is_online, enabled);
            state
        };
        let at = "2026-03-01T12:00:00.5Z".parse::<jiff::Timestamp>().unwrap().into();
        let lost = Logout { at, received: Instant::now(), kind: LogoutType::Lost };
        let minute = Duration::from_secs(60);
        let said = |state, logout, elapsed| {
            sentence(state, logout, elapsed).unwrap_or_default().english().to_owned()
        };
        assert_eq!(said(state(None, None), None, minute), "");
        assert_eq!(said(state(Some(true), Some(true)), None, minute), "");
        assert_eq!(said(state(Some(false), Some(true)), None, minute), "the robot is offline");
        assert_eq!(
            said(state(Some(true), Some(false)), Some(lost), minute),
            "the robot is recycled"
        );
        assert_eq!(
            said(state(Some(false), None), Some(lost), Duration::ZERO),
            "the robot is offline since 2026-03-01T12:00:00Z (connection lost)"
        );
        let out = "the robot was logged out at 2026-03-01T12:00:00Z (connection lost)";
        assert_eq!(said(state(None, None), Some(lost), minute), out);
        let again = format!("{out}, and is online again");
        assert_eq!(said(state(Some(true), None), Some(lost), minute), again);
        // Before the pull.
        assert_eq!(said(state(Some(true), None), Some(lost), Duration::ZERO), "");
        assert_eq!(said(state(None, None), Some(lost), Duration::ZERO), "");
    }
}
