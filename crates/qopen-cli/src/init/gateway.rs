//! Checks at the platform: an access token, and the robots of the app.

use qopen::http::{RetryPolicy, Robot, SendError};
use qopen::types::RobotId;

use crate::app_robots::{AppRobots, SHOWN, names, not_listed};
use crate::doctor;
use crate::exit::{Exit, Failure};
use crate::report::count;
use crate::say::{caution, say};
use crate::settings::{ACCESS_TOKEN, BASE_URL, Settings};
use crate::topics::warnings;

/// Requests an access token, then the robots. `None` if the platform does not list them.
///
/// # Errors
/// The platform refuses the credentials, or cannot be reached.
pub(super) async fn ask(settings: &Settings) -> Result<Option<Vec<Robot>>, Failure> {
    let sender = settings.sender(|it| it.retry(RetryPolicy::default().attempts(1)))?;
    let has_fixed_token = settings.get(&ACCESS_TOKEN).is_some();
    if !has_fixed_token {
        let issued = doctor::token(&sender).await.map_err(unwritten)?;
        say!("qopen: access token: {issued}");
    }
    let listed = match sender.robots().await {
        Ok(listed) => listed,
        Err(error) if is_tolerable(&error, has_fixed_token) => {
            caution!(warnings::ROBOTS_NOT_LISTED, "{why}", "{why}", why = not_listed(&error));
            return Ok(None);
        }
        Err(error) => return Err(unwritten(doctor::refused(&error))),
    };
    let found = AppRobots::of_listed(&sender, &listed).await;
    found.remarks().iter().for_each(|it| say!("qopen: {}", it.shown()));
    let usable: Vec<Robot> =
        listed.robots.into_iter().filter(|it| found.is_usable(&it.robot_id)).collect();
    match usable.len() {
        0 => caution!(warnings::ROBOTS_NOT_LISTED, "{why}", "{why}", why = found.why_none()),
        many => {
            let robots = count(many as u64, "robot", "robots");
            let ids = names(found.usable.iter(), SHOWN);
            say!("qopen: {robots} of the app: {ids}");
        }
    }
    Ok(Some(usable))
}

/// Whether only the list of robots is missing. A platform that issued a token has accepted the credentials.
fn is_tolerable(error: &SendError, has_fixed_token: bool) -> bool {
    error.is_not_offered() || error.is_refusal() && !has_fixed_token
}

fn unwritten(failure: Failure) -> Failure {
    let advice = match failure.exit {
        Exit::Refused => "nothing was written".to_owned(),
        _ => format!(
            "nothing was written; check {}, or write the file without asking the platform: --offline",
            BASE_URL.env
        ),
    };
    Failure::new(failure.exit, format!("{failure}\n  {advice}"))
}

/// Returns the robot that was asked for, else the only one.
///
/// # Errors
/// The platform does not list the robot that was asked for.
pub(super) fn chosen(
    robots: Option<&[Robot]>,
    asked: Option<RobotId>,
) -> Result<Option<RobotId>, Failure> {
    match (robots, asked) {
        (Some(robots), Some(asked)) if !robots.iter().any(|it| it.robot_id == asked) => {
            let ids = robots.iter().map(|it| &it.robot_id);
            let ids = if robots.is_empty() { "none".to_owned() } else { names(ids, SHOWN) };
            Err(Failure::usage(format!(
                "--robot: {asked} is no robot of the app that can be pulled; there are: {ids}\n  nothing was written"
            )))
        }
        (Some([only]), None) => Ok(Some(only.robot_id.clone())),
        (_, asked) => Ok(asked),
    }
}
