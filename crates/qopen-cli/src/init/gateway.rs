//! Checks at the platform: an access token, and the robots of the app.

use qopen::http::{RetryPolicy, Robot, SendError};
use qopen::types::RobotId;

use crate::app_robots::{AppRobots, SHOWN, names, not_listed};
use crate::doctor;
use crate::exit::{Exit, Failure};
use crate::lang::phrase;
use crate::report::ROBOTS;
use crate::say::{caution, say, tell};
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
        tell!("access token: {issued}", "访问令牌：{issued}", issued = issued);
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
            tell!(
                "{robots} of the app: {ids}",
                "本应用有 {robots}：{ids}",
                robots = ROBOTS.count(many as u64),
                ids = names(found.usable.iter(), SHOWN),
            );
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
        Exit::Refused => phrase!("nothing was written", "没有写入任何内容"),
        _ => phrase!(
            "nothing was written; check {url}, or write the file without asking the platform: --offline",
            "没有写入任何内容；请检查 {url}，或用 --offline 直接写入而不询问平台",
            url = BASE_URL.env,
        ),
    };
    let message = phrase!(
        "{failure}\n  {advice}",
        "{failure}\n  {advice}",
        failure = failure.message(),
        advice = advice,
    );
    Failure::new(failure.exit, message)
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
            let ids = match robots.is_empty() {
                true => phrase!("none", "无"),
                false => names(ids, SHOWN),
            };
            Err(Failure::usage(phrase!(
                "--robot: {asked} is no robot of the app that can be pulled; there are: {ids}\n  nothing was written",
                "--robot：{asked} 不是本应用可拉取的机器人；可用的有：{ids}\n  没有写入任何内容",
                asked = asked,
                ids = ids,
            )))
        }
        (Some([only]), None) => Ok(Some(only.robot_id.clone())),
        (_, asked) => Ok(asked),
    }
}
