//! `qopen journal restored`: counts a restoration against unfinished pulls.

use qopen::journal::doubt_unfinished_pulls;

use crate::exit::{Exit, Failure};
use crate::journal::{cannot_open, must_exist, opened, say_doubted};
use crate::settings::Settings;

pub(crate) async fn run(settings: Settings) -> Result<Exit, Failure> {
    let location = settings.journal()?;
    must_exist(&location).await?;
    let found = location.open().await;
    let is_counted = found.as_ref().is_ok_and(|it| it.report.doubted.is_some());
    let journal = opened(&location, found)?;
    if !is_counted {
        let doubted = doubt_unfinished_pulls(&*journal).await;
        say_doubted(&location, doubted.map_err(|error| cannot_open(&location, &error))?);
    }
    Ok(Exit::Complete)
}
