//! Pulls at set times: `[[schedule]]` in the settings file.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use jiff_cron::Schedule;
use qopen::types::{Digest, InvalidId, MarkId, RobotId};
use qopen::{PullError, PullRequest};
use serde::Deserialize;

use super::service::Service;
use crate::args::OutputFormat;
use crate::exit::{Failure, chain};
use crate::output::{self, Place};

/// The longest that is slept at a time, so that a clock that was put right is noticed.
const NAP: Duration = Duration::from_secs(60);

/// An entry as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// When, in five fields: minute, hour, day of month, month, day of week; in local time.
    cron: String,
    robots: Vec<String>,
    /// A file for each robot goes here; where it is absent, where the service's lists go.
    out: Option<PathBuf>,
    #[serde(default)]
    format: OutputFormat,
    #[serde(default)]
    need_tags: bool,
}

/// An entry that can be followed.
pub(super) struct Job {
    text: String,
    times: Schedule,
    robots: Vec<RobotId>,
    place: Option<Place>,
    need_tags: bool,
}

impl Job {
    pub(super) fn new(entry: &Entry) -> Result<Self, Failure> {
        let Entry { cron, robots, out, format, need_tags } = entry;
        let wrong = |what: String| Failure::usage(format!("[[schedule]] {cron:?}: {what}"));
        let fields: Vec<&str> = cron.split_whitespace().collect();
        let [_, _, _, _, day] = fields[..] else {
            let what = "a time has five fields: minute, hour, day of month, month, day of week";
            return Err(wrong(what.into()));
        };
        // Numbers mean different days to different readers.
        if day.contains(|c: char| c.is_ascii_digit()) {
            return Err(wrong(
                "write the day of the week as a name, such as Mon or Mon-Fri".into(),
            ));
        }
        let times = Schedule::from_str(&format!("0 {}", fields.join(" ")))
            .map_err(|error| wrong(format!("it is not a time: {error}")))?;
        let robots: Result<Vec<_>, _> = robots.iter().map(RobotId::new).collect();
        let robots = robots.map_err(|error| wrong(chain("robots", &error)))?;
        if robots.is_empty() {
            return Err(wrong("no robot is named; write robots = [\"ID\"]".into()));
        }
        let place = match out {
            None => None,
            Some(folder) if folder.is_dir() => {
                // Whoever takes a pull up may run in another folder.
                let out = std::path::absolute(folder)
                    .map_err(|error| wrong(chain(&folder.display().to_string(), &error)))?;
                Some(Place { out, format: *format, folder: true })
            }
            Some(out) if output::database(out).is_some() => {
                let url = output::database(out).unwrap_or_default();
                output::refuse_password(&format!("[[schedule]] {cron:?}"), url)?;
                Some(Place { out: out.clone(), format: *format, folder: false })
            }
            Some(folder) => return Err(wrong(format!("{} is not a folder", folder.display()))),
        };
        if let Some(place) = &place {
            let names: Vec<&str> = robots.iter().map(RobotId::as_str).collect();
            place.output()?.check(&names)?;
        }
        Ok(Self { text: cron.clone(), times, robots, place, need_tags: *need_tags })
    }

    /// The mark of a robot's pull at a time: the same in every process that has the same schedule, so
    /// that of those which share a journal one starts it.
    fn mark(&self, robot: &RobotId, due: &Zoned) -> Result<MarkId, InvalidId> {
        let place = self.place.as_ref().map(Place::label).unwrap_or_default();
        let Self { text, need_tags, .. } = self;
        let second = due.timestamp().as_second();
        let name = format!("{text:?} {robot} {need_tags} {place} {second}");
        MarkId::new(format!("{second}-{}", Digest::of(name.as_bytes())))
    }

    /// Starts its pulls, time after time, until the process is to stop.
    pub(super) async fn run(self, service: Arc<Service>) {
        let mut last = Zoned::now();
        loop {
            let Some(due) = self.times.after(last.clone()).next() else { return };
            let wait =
                || Duration::try_from(due.timestamp().duration_since(Zoned::now().timestamp()));
            // Never long at a time; nothing once it is past.
            while let Ok(wait) = wait()
                && !wait.is_zero()
            {
                tokio::select! {
                    () = tokio::time::sleep(wait.min(NAP)) => {}
                    () = super::told(service.stopping.clone()) => return,
                }
            }
            if service.is_stopping() {
                return;
            }
            // What was slept through is not made up for: one list is as good as two.
            last = Zoned::now().with_time_zone(TimeZone::system()).max(due.clone());
            for robot in &self.robots {
                // Figures and letters are always an identifier.
                let Ok(mark) = self.mark(robot, &due) else { continue };
                let request = PullRequest::new(robot.clone()).need_tag_info(self.need_tags);
                match service.start(request.mark_id(mark), self.place.as_ref()).await {
                    // Another process that has the same schedule was faster.
                    Err(PullError::InJournal) => {}
                    Ok(id) => eprintln!("qopen: scheduled {:?}: {id} started", self.text),
                    Err(error) => {
                        let what = format!("scheduled {:?}: robot {robot}", self.text);
                        eprintln!("qopen: {}", chain(&what, &error));
                    }
                }
            }
        }
    }
}
