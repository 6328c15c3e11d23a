//! A valid schedule: its times, robots and place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use qopen::sink::shown_path;
use qopen::types::{Digest, InvalidId, MarkId, RobotId};

use super::defaults::Defaults;
use super::robots::Robots;
use crate::database;
use crate::exit::{Failure, chain};
use crate::format::{Asked, Layout, Words};
use crate::guards::{Guards, not_compared};
use crate::lang::Phrase;
use crate::output::Output;
use crate::output::place::Place;
use crate::serve::cron::Cron;
use crate::settings::Settings;
use crate::settings::schedule::{Entry, Found, Title};
use crate::values::in_units;
use crate::values::out::{self, is_database, refuse_scheme};
use crate::values::sqlite::SqliteFile;
use crate::zone::Zone;

/// Maximum number of times in a text.
const SHOWN: usize = 3;

/// The times of a schedule.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) cron: Cron,
    pub(super) zone: Zone,
}

impl Times {
    /// The first time after `after`.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.next(&self.zone.zone, after)
    }

    /// A time as the clock of the zone shows it, with its offset.
    pub(super) fn show(&self, at: Timestamp) -> impl fmt::Display {
        at.to_zoned(self.zone.zone.clone()).strftime("%Y-%m-%d %H:%M%:z").to_string()
    }
}

/// A valid schedule.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Job {
    pub(super) title: Title,
    pub(super) text: String,
    pub(super) times: Times,
    pub(super) robots: Robots,
    pub(super) place: Option<Place>,
    pub(super) need_tags: bool,
    /// Time from a new customer of a robot to a pull of the robot.
    pub(super) new_customer: Option<Duration>,
    /// Conditions of a publication that differ from the service's.
    pub(super) guards: Guards,
}

/// A schedule and a due time.
pub(super) type Due = (Timestamp, Arc<Job>);

impl Job {
    /// Returns the schedules of the settings.
    ///
    /// # Errors
    /// A schedule is invalid. A place in force is not checked again, because a database that does not answer
    /// must not prevent a reload of keys.
    pub(in crate::serve) fn all(
        settings: &Settings,
        defaults: &Defaults,
        in_force: &[Self],
    ) -> Result<Vec<Self>, Failure> {
        let job = |found: &Found| {
            let job = Self::new(found, settings)?;
            let has_all = |it: &Self| job.robots.are_in(&it.robots);
            if !in_force.iter().any(|it| it.place == job.place && has_all(it)) {
                job.check_place(defaults.output.as_ref())?;
            }
            job.check_guards(defaults)?;
            Ok(job)
        };
        let all = settings.schedule.iter();
        let wrong = |found: &Found, why: String| {
            Failure::usage(Phrase::about(found.title.to_string(), why))
        };
        all.map(|found| job(found).map_err(|why| wrong(found, why))).collect()
    }

    /// Returns the schedule of an entry.
    ///
    /// # Errors
    /// A key is invalid.
    pub(super) fn new(found: &Found, settings: &Settings) -> Result<Self, String> {
        let entry = found.entry()?;
        let cron: Cron = entry.cron.parse().map_err(|error| chain("cron", &error))?;
        let zone = match &entry.time_zone {
            Some(name) => Zone::of_setting(name, "its time_zone").map_err(|why| {
                format!("time_zone: {why}\n  example: time_zone = \"Asia/Shanghai\"")
            })?,
            None => settings.time_zone().map_err(|failure| failure.to_string())?,
        };
        let job = Self {
            title: entry.title.clone(),
            text: entry.cron.clone(),
            times: Times { cron, zone },
            robots: Robots::of(entry)?,
            place: place(entry)?,
            need_tags: entry.need_tags,
            new_customer: entry.pull_on_new_customer,
            guards: entry.guards.clone(),
        };
        if job.times.next(Timestamp::now()).is_none() {
            let zone = &job.times.zone;
            return Err(format!("cron: this time never comes in {zone}; the clock skips it"));
        }
        Ok(job)
    }

    /// Checks that lists of its robots can be written.
    fn check_place(&self, default: Option<&Output>) -> Result<(), String> {
        // The robots of the app are known only when the schedule is due.
        let names: Vec<&str> = self.robots.listed().iter().map(RobotId::as_str).collect();
        let checked = match (&self.place, default) {
            (Some(place), _) => place.output().and_then(|output| output.check(&names)),
            (None, Some(default)) => default.check(&names),
            (None, None) => Err(Failure::usage(
                "its lists have no place; write out = \"lists\" with an existing folder, an SQLite file or a postgres:// URL, or run `serve --out lists`",
            )),
        };
        checked.map_err(|failure| format!("out: {failure}"))
    }

    /// Checks that its lists are compared, if a guard needs that.
    fn check_guards(&self, defaults: &Defaults) -> Result<(), String> {
        let own = self.place.as_ref().map(|it| Ok((it.output()?, it.layout()))).transpose();
        let own = own.map_err(|failure: Failure| format!("out: {failure}"))?;
        let default = defaults.output.as_ref().map(|it| (it.clone(), defaults.layout));
        let Some((output, layout)) = own.or(default) else { return Ok(()) };
        let checked = self.guards.check(&defaults.guards, &output, layout);
        checked.map_err(|(guard, what)| format!("{guard}: {}", not_compared(what)))
    }

    /// Checks a folder or an SQLite file. A database on a server is not checked, because that would create its tables.
    pub(super) fn examine_place(&self) -> Result<(), String> {
        match &self.place {
            Some(place) if place.folder || SqliteFile::is(&place.out) => self.check_place(None),
            _ => Ok(()),
        }
    }

    /// Returns the mark of a robot's pull at a time. Every process with the same schedule has the same mark, so
    /// only one of those that share a journal starts the pull.
    pub(super) fn mark(&self, robot: &RobotId, due: Timestamp) -> Result<MarkId, InvalidId> {
        let place = self.place.as_ref().map(Place::label).unwrap_or_default();
        let Self { text, need_tags, .. } = self;
        let second = due.as_second();
        let name = format!("{text:?} {robot} {need_tags} {place} {second}");
        MarkId::new(format!("{second}-{}", Digest::of(name.as_bytes())))
    }

    /// Whether both have the same time, place and tags.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.text, &self.place, self.need_tags) == (&other.text, &other.place, other.need_tags)
    }

    /// Describes the next times, the zone, the robots and the place on one line. `default` is the place of a
    /// schedule without one.
    pub(super) fn describe(&self, now: Timestamp, default: &str) -> String {
        let mut times = Vec::new();
        let mut after = now;
        while let Some(next) = self.times.next(after).filter(|_| times.len() < SHOWN) {
            times.push(self.times.show(next).to_string());
            after = next;
        }
        let place = self.place.as_ref().map(|place| shown_path(&place.out).into_owned());
        let place = place.as_deref().unwrap_or(default);
        let (times, robots, zone) = (times.join(", "), &self.robots, &self.times.zone);
        let after = self.new_customer.map(in_units);
        let after = after.map_or_else(String::new, |it| format!(", and {it} after a new customer"));
        let guards = match self.guards.is_nothing() {
            true => String::new(),
            false => format!("; {}", self.guards),
        };
        format!("next {times} ({zone}){after}; {robots}; to {place}{guards}")
    }
}

fn place(entry: &Entry) -> Result<Option<Place>, String> {
    const EXAMPLE: &str = "give an existing folder, an SQLite file or a postgres:// URL, such as out = \"lists\" or out = \"lists.db\"";
    let asked = Asked { format: entry.format, csv: entry.csv };
    let Some(out) = &entry.out else {
        return match asked.is_nothing() {
            true => Ok(None),
            false => Err(
                "format, bom, csv_safe and labels need a place of lists; write out = \"FOLDER\""
                    .to_owned(),
            ),
        };
    };
    let wrong = |why: String| format!("out: {why}");
    let out = out::read(out.clone().into()).map_err(wrong)?;
    let shown = shown_path(&out);
    refuse_scheme(&out).map_err(wrong)?;
    let Layout { format, csv } = match out.is_dir() || is_database(&out) {
        true => asked.settle(Words::Keys, &out, Layout::default())?,
        false => Layout::default(),
    };
    let place = if let Some(url) = database::of(&out) {
        // The refusal's own text is about command lines.
        database::refuse_password("", url).map_err(|_| {
            wrong(format!(
                "remove the password, which would be noted with each pull; set {} instead",
                database::password_variable(url)
            ))
        })?;
        Place { out, format, csv, folder: false }
    } else if let Some(file) = SqliteFile::of(&out).map_err(wrong)? {
        Place { out: file.absolute(), format, csv, folder: false }
    } else if out.is_dir() {
        // The worker that resumes a pull may run in another folder.
        let out = std::path::absolute(&out)
            .map_err(|error| wrong(chain(&format!("{shown:?}"), &error)))?;
        Place { out, format, csv, folder: true }
    } else {
        let why = if out.exists() { "is not a folder" } else { "does not exist" };
        return Err(wrong(format!("{shown:?} {why}; {EXAMPLE}")));
    };
    place.output().map_err(|failure| wrong(failure.to_string()))?;
    Ok(Some(place))
}
