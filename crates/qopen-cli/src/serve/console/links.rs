//! Addresses of pages.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qopen::journal::PullId;

/// The path of the console, and the beginning of all its paths.
pub(super) const ROOT: &str = "/console";

/// Returns a path with parameters. Parameters without a value are left out.
pub(super) fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs = given
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let pairs: Vec<String> = pairs.collect();
    match pairs.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", pairs.join("&")),
    }
}

/// Returns the address of the page of a robot.
pub(super) fn robot(robot: &str) -> String {
    with("/console/robot", &[("robot_id", robot)])
}

/// Returns the address of the page of a pull.
pub(super) fn pull(pull: &PullId) -> String {
    of_pull("/console/pull", pull)
}

/// Returns the address of the review of a held list.
pub(super) fn held(pull: &PullId) -> String {
    of_pull("/console/held/list", pull)
}

/// Returns a path with a pull in its query.
pub(super) fn of_pull(path: &str, pull: &PullId) -> String {
    let (robot, mark) = (pull.robot_id.as_str(), pull.mark_id.as_str());
    with(path, &[("robot_id", robot), ("mark_id", mark)])
}
