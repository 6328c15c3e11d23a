//! What is collected besides the settings, and its checks.

use std::path::PathBuf;

use qopen::types::RobotId;

use super::callback_url::CallbackUrl;
use crate::args::InitArgs;
use crate::doctor;
use crate::exit::Failure;
use crate::lang::Phrase;
use crate::robots;
use crate::settings::{CALLBACK_PATH, Settings};
use crate::values::trim;

/// What is collected besides the settings.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) callback_url: Option<CallbackUrl>,
    pub(super) robot: Option<RobotId>,
    pub(super) out: Option<PathBuf>,
}

impl Chosen {
    pub(super) fn of(args: &InitArgs) -> Result<Self, Failure> {
        let wrong =
            |flag: &'static str| move |why: Phrase| Failure::usage(Phrase::about(flag, why));
        let callback_url = args.callback_url.as_deref().map(CallbackUrl::parse).transpose();
        let robot = args.robot.as_deref().map(|it| robots::one(trim(it))).transpose();
        Ok(Self {
            callback_url: callback_url.map_err(wrong("--callback-url"))?,
            robot: robot.map_err(wrong("--robot"))?,
            out: args.out.clone(),
        })
    }

    /// Returns the place of lists if none was chosen.
    pub(super) fn default_out(&self) -> &'static str {
        if self.robot.is_some() { "customers.jsonl" } else { "lists/" }
    }
}

/// Makes the path of the public URL the callback path, unless that is given.
pub(super) fn take_path(settings: &mut Settings, url: &CallbackUrl) -> Result<(), Failure> {
    match settings.is_given(&CALLBACK_PATH) {
        true => Ok(()),
        false => settings.answer(&CALLBACK_PATH, &url.path().into()).map(drop),
    }
}

/// Checks that lists can be published to a place.
pub(super) async fn check_out(out: PathBuf) -> Result<(), Failure> {
    // It waits for files and servers.
    let checked = tokio::task::spawn_blocking(move || doctor::output(&out)).await;
    checked.map_err(|error| Failure::unexpected("the check of the output", &error))?.map(drop)
}
