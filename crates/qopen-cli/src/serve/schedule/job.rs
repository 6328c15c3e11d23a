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
use crate::exit::{Failure, chained};
use crate::format::{Asked, Layout, Words};
use crate::guards::{Guards, not_compared};
use crate::lang::{COMMA, Phrase, Text, phrase};
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
        let wrong = |found: &Found, why: Phrase| {
            Failure::usage(Phrase::about(found.title.to_string(), why))
        };
        all.map(|found| job(found).map_err(|why| wrong(found, why))).collect()
    }

    /// Returns the schedule of an entry.
    ///
    /// # Errors
    /// A key is invalid.
    pub(super) fn new(found: &Found, settings: &Settings) -> Result<Self, Phrase> {
        let entry = found.entry()?;
        let cron: Cron = entry.cron.parse().map_err(|error| chained("cron", &error))?;
        let zone = match &entry.time_zone {
            Some(name) => {
                let its = Text::new("its time_zone", "其 time_zone");
                Zone::of_setting(name, its).map_err(|why| {
                    phrase!(
                        "time_zone: {why}\n  example: time_zone = \"Asia/Shanghai\"",
                        "time_zone：{why}\n  示例：time_zone = \"Asia/Shanghai\"",
                        why = why,
                    )
                })?
            }
            None => settings.time_zone().map_err(message)?,
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
            return Err(phrase!(
                "cron: this time never comes in {zone}; the clock skips it",
                "cron：在 {zone} 中永远不会到这个时间；时钟会跳过它",
                zone = job.times.zone.in_words(),
            ));
        }
        Ok(job)
    }

    /// Checks that lists of its robots can be written.
    pub(super) fn check_place(&self, default: Option<&Output>) -> Result<(), Phrase> {
        // The robots of the app are known only when the schedule is due.
        let names: Vec<&str> = self.robots.listed().iter().map(RobotId::as_str).collect();
        let checked = match (&self.place, default) {
            (Some(place), _) => place.output().and_then(|output| output.check(&names)),
            (None, Some(default)) => default.check(&names),
            (None, None) => Err(Failure::usage(phrase!(
                "its lists have no place; write out = \"lists\" with an existing folder, an SQLite file or a postgres:// URL, or run `serve --out lists`",
                "其列表没有位置；请写 out = \"lists\"（已有的文件夹、SQLite 文件或 postgres:// 地址），或运行 `serve --out lists`",
            ))),
        };
        checked.map_err(|failure| wrong_out(message(failure)))
    }

    /// Checks that its lists are compared, if a guard needs that.
    fn check_guards(&self, defaults: &Defaults) -> Result<(), Phrase> {
        let own = self.place.as_ref().map(|it| Ok((it.output()?, it.layout()))).transpose();
        let own = own.map_err(|failure| wrong_out(message(failure)))?;
        let default = defaults.output.as_ref().map(|it| (it.clone(), defaults.layout));
        let Some((output, layout)) = own.or(default) else { return Ok(()) };
        let checked = self.guards.check(&defaults.guards, &output, layout);
        checked.map_err(|(guard, what)| Phrase::about(guard, not_compared(what)))
    }

    /// Checks a folder or an SQLite file. A database on a server is not checked, because that would create its tables.
    pub(super) fn examine_place(&self) -> Result<(), Phrase> {
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
    pub(super) fn describe(&self, now: Timestamp, default: &Phrase) -> Phrase {
        let mut times: Vec<Phrase> = Vec::new();
        let mut after = now;
        while let Some(next) = self.times.next(after).filter(|_| times.len() < SHOWN) {
            times.push(self.times.show(next).to_string().into());
            after = next;
        }
        let place = self.place.as_ref().map(|place| Phrase::from(&shown_path(&place.out)));
        let after = self
            .new_customer
            .map(in_units)
            .map(|it| phrase!(", and {it} after a new customer", "，以及新客户之后 {it}", it = it));
        let guards = Some(&self.guards).filter(|it| !it.is_nothing());
        phrase!(
            "next {times} ({zone}){after}; {robots}; to {place}{guards}",
            "接下来 {times}（{zone}）{after}；{robots}；写入 {place}{guards}",
            times = Phrase::join(&times, COMMA),
            zone = self.times.zone.in_words(),
            after = after.unwrap_or_default(),
            robots = self.robots.in_words(),
            place = place.as_ref().unwrap_or(default),
            guards = guards.map(|it| phrase!("; {it}", "；{it}", it = it)).unwrap_or_default(),
        )
    }
}

/// The message of a failure.
fn message(failure: Failure) -> Phrase {
    failure.message().clone()
}

fn wrong_out(why: impl Into<Phrase>) -> Phrase {
    Phrase::about("out", why)
}

fn place(entry: &Entry) -> Result<Option<Place>, Phrase> {
    let asked = Asked { format: entry.format, csv: entry.csv };
    let Some(out) = &entry.out else {
        return match asked.is_nothing() {
            true => Ok(None),
            false => Err(phrase!(
                "format, bom, csv_safe and labels need a place of lists; write out = \"FOLDER\"",
                "format、bom、csv_safe 和 labels 需要列表的位置；请写 out = \"FOLDER\"",
            )),
        };
    };
    let out = out::read(out.clone().into()).map_err(wrong_out)?;
    let shown = shown_path(&out);
    refuse_scheme(&out).map_err(wrong_out)?;
    let Layout { format, csv } = match out.is_dir() || is_database(&out) {
        true => asked.settle(Words::Keys, &out, Layout::default())?,
        false => Layout::default(),
    };
    let place = if let Some(url) = database::of(&out) {
        // The refusal's own text is about command lines.
        database::refuse_password("", url).map_err(|_| {
            wrong_out(phrase!(
                "remove the password, which would be noted with each pull; set {variable} instead",
                "请去掉密码，它会随每次拉取记下；请改为设置 {variable}",
                variable = database::password_variable(url),
            ))
        })?;
        Place { out, format, csv, folder: false }
    } else if let Some(file) = SqliteFile::of(&out).map_err(wrong_out)? {
        Place { out: file.absolute(), format, csv, folder: false }
    } else if out.is_dir() {
        // The worker that resumes a pull may run in another folder.
        let out = std::path::absolute(&out)
            .map_err(|error| wrong_out(chained(format!("{shown:?}"), &error)))?;
        Place { out, format, csv, folder: true }
    } else {
        let why = match out.exists() {
            true => Text::new("is not a folder", "不是文件夹"),
            false => Text::new("does not exist", "不存在"),
        };
        return Err(wrong_out(phrase!(
            "{out} {why}; give an existing folder, an SQLite file or a postgres:// URL, such as out = \"lists\" or out = \"lists.db\"",
            "{out} {why}；请给出已有的文件夹、SQLite 文件或 postgres:// 地址，例如 out = \"lists\" 或 out = \"lists.db\"",
            out = format!("{shown:?}"),
            why = why,
        )));
    };
    place.output().map_err(|failure| wrong_out(message(failure)))?;
    Ok(Some(place))
}
