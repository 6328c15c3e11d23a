//! Pulls at set times: `[[schedule]]` in the settings file.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff_cron::Schedule;
use qopen::types::{Digest, InvalidId, MarkId, RobotId};
use qopen::{PullError, PullRequest};
use serde::Deserialize;

use super::service::Service;
use crate::args::{CsvArgs, OutputFormat};
use crate::exit::{Failure, chain};
use crate::format::{Asked, Language, Layout, Words, refuse_scheme};
use crate::output::{self, Place};
use crate::say::say;
use crate::settings::{home, trim};

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
    format: Option<OutputFormat>,
    #[serde(default)]
    bom: bool,
    #[serde(default)]
    csv_safe: bool,
    labels: Option<Language>,
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
        let Entry { cron, robots, out, format, bom, csv_safe, labels, need_tags } = entry;
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
        let robots: Result<Vec<_>, _> = robots.iter().map(|it| RobotId::new(trim(it))).collect();
        let robots = robots.map_err(|error| wrong(chain("robots", &error)))?;
        if robots.is_empty() {
            return Err(wrong("no robot is named; write robots = [\"ID\"]".into()));
        }
        let csv = CsvArgs { bom: *bom, csv_safe: *csv_safe, labels: *labels };
        let asked = Asked { format: *format, csv };
        let layout = |out: &Path| asked.settle(Words::Keys, out, Layout::default()).map_err(&wrong);
        let expand = |out: &PathBuf| home::expand(out.clone().into());
        let out =
            out.as_ref().map(expand).transpose().map_err(|what| wrong(format!("out: {what}")))?;
        let place = match &out {
            None if !asked.is_nothing() => {
                let what = "format, bom, csv_safe and labels are of the lists that `out` names; write out = \"FOLDER\"";
                return Err(wrong(what.into()));
            }
            None => None,
            Some(folder) if folder.is_dir() => {
                // Whoever takes a pull up may run in another folder.
                let out = std::path::absolute(folder)
                    .map_err(|error| wrong(chain(&folder.display().to_string(), &error)))?;
                let Layout { format, csv } = layout(folder)?;
                Some(Place { out, format, csv, folder: true })
            }
            Some(out) if output::database(out).is_some() => {
                let url = output::database(out).unwrap_or_default();
                output::refuse_password(&format!("[[schedule]] {cron:?}"), url)?;
                let Layout { format, csv } = layout(out)?;
                Some(Place { out: out.clone(), format, csv, folder: false })
            }
            Some(folder) => {
                refuse_scheme(folder).map_err(|reason| wrong(format!("out: {reason}")))?;
                return Err(wrong(format!("{} is not a folder", folder.display())));
            }
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
    pub(super) async fn run(&self, service: Arc<Service>) {
        let mut watch = Watch::default();
        loop {
            match watch.look(&self.times, &Zoned::now()) {
                // There is no such day; it ends with the process.
                Look::Never => return super::told(service.stopping.clone()).await,
                Look::Wait(nap) => tokio::select! {
                    () = tokio::time::sleep(nap) => continue,
                    () = super::told(service.stopping.clone()) => return,
                },
                Look::Due(due) => {
                    if service.is_stopping() {
                        return;
                    }
                    self.start(&service, &due).await;
                }
            }
        }
    }

    async fn start(&self, service: &Service, due: &Zoned) {
        for robot in &self.robots {
            // Figures and letters are always an identifier.
            let Ok(mark) = self.mark(robot, due) else { continue };
            let request = PullRequest::new(robot.clone()).need_tag_info(self.need_tags);
            match service.start(request.mark_id(mark), self.place.as_ref()).await {
                // Another process that has the same schedule was faster, or a clock that went back has
                // shown this time before.
                Err(PullError::InJournal) => {}
                Ok(id) => say!("qopen: scheduled {:?}: {id} started", self.text),
                Err(error) => {
                    let what = format!("scheduled {:?}: robot {robot}", self.text);
                    say!("qopen: {}", chain(&what, &error));
                }
            }
        }
    }
}

/// When a schedule is due next, told from what the clock says now and from nothing that it said before:
/// one that is put right, forwards or back, is right from then on.
#[derive(Default)]
struct Watch {
    /// The time that is waited for.
    due: Option<Zoned>,
}

/// What a look at the clock says.
enum Look {
    /// It is not due for as long.
    Wait(Duration),
    /// It is due, by this time. What was slept through is not made up for: one list is as good as two.
    Due(Zoned),
    Never,
}

impl Watch {
    fn look(&mut self, times: &Schedule, now: &Zoned) -> Look {
        if let Some(due) = self.due.take_if(|due| &*due <= now) {
            return Look::Due(due);
        }
        // Asked anew each time: where the clock went back, another time may come first.
        let Some(due) = times.after(now.clone()).next() else { return Look::Never };
        let wait = Duration::try_from(due.timestamp().duration_since(now.timestamp()));
        self.due = Some(due);
        Look::Wait(wait.unwrap_or_default().min(NAP))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::{Span, ToSpan as _};

    use super::*;

    /// Runs a schedule on a clock that is set by hand, and gives the times for which it was due.
    fn run(cron: &str, jumps: &[(i64, Span)], seconds: i64) -> Vec<String> {
        let times = Schedule::from_str(&format!("0 {cron}")).unwrap();
        let mut now: Zoned = "2026-03-01T00:00:30[UTC]".parse().unwrap();
        let (mut watch, mut due, mut passed) = (Watch::default(), Vec::new(), 0);
        while passed < seconds {
            match watch.look(&times, &now) {
                Look::Never => break,
                Look::Due(at) => due.push(at.strftime("%d %H:%M").to_string()),
                Look::Wait(nap) => {
                    let nap = i64::try_from(nap.as_millis()).unwrap().max(1);
                    let before = passed;
                    passed += nap / 1000 + 1;
                    now = now.checked_add((nap / 1000 + 1).seconds()).unwrap();
                    for (_, jump) in jumps.iter().filter(|it| (before..passed).contains(&it.0)) {
                        now = now.checked_add(*jump).unwrap();
                    }
                }
            }
        }
        due
    }

    #[test]
    fn every_time_is_due_once() {
        assert_eq!(run("* * * * *", &[], 160), ["01 00:01", "01 00:02", "01 00:03"]);
        assert_eq!(run("*/5 * * * *", &[], 700), ["01 00:05", "01 00:10"]);
    }

    #[test]
    fn i16_a_clock_that_is_put_right_stops_no_schedule() {
        // 30 days ahead at the start, and put right after 100 s.
        let due = run("* * * * *", &[(100, -Span::new().days(30))], 400);
        assert!(due.len() >= 6, "{due:?}");
        // Behind, and put right: what was jumped over is not made up for.
        let due = run("* * * * *", &[(100, Span::new().days(30))], 400);
        assert!((6..=7).contains(&due.len()), "{due:?}");
        // Back by less than the time that is waited for.
        let due = run("0 * * * *", &[(1800, -Span::new().minutes(20))], 3 * 3600);
        assert_eq!(due, ["01 01:00", "01 02:00"]);
    }
}
