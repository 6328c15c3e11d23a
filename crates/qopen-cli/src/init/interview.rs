//! The questions of `qopen init`, and their answers.

use std::path::PathBuf;

use qopen::http::Robot;
use qopen::types::RobotId;

use super::callback_url::CallbackUrl;
use super::chosen::{Chosen, check_out, take_path};
use super::terminal::Terminal;
use crate::app_robots::kind;
use crate::exit::Failure;
use crate::lang::{Phrase, Text, phrase};
use crate::robots;
use crate::say::{self, say, tell};
use crate::settings::{
    ACCESS_TOKEN, APP_KEY, APP_SECRET, BASE_URL, CALLBACK_TOKEN, DATA_DIR, ENCODING_AES_KEY,
    JOURNAL, LISTEN, Settings, Spec,
};
use crate::table::{self, Cell, Column, Reader};
use crate::values::{out, trim};

/// Robots that a question shows, at most.
const SHOWN: usize = 50;

const COLUMNS: [Column; 4] = [
    Column::number(Text::new("NUMBER", "编号"), 0),
    Column::text(table::ROBOT, 0, 8),
    Column::word(table::KIND, 1),
    Column::text(table::NAME, 2, 12),
];

/// An interview about what was not given.
pub(super) struct Interview<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) settings: &'a mut Settings,
    pub(super) chosen: &'a mut Chosen,
}

impl Interview<'_> {
    /// Asks for what a request needs.
    pub(super) async fn of_requests(&mut self) -> Result<(), Failure> {
        let host = Text::new(
            "the host that the platform named for your app, with https://",
            "平台为应用指定的主机，以 https:// 开头",
        );
        self.setting(&BASE_URL, Some(host)).await?;
        let console = Text::new("from the platform's console", "见平台后台");
        self.setting(&APP_KEY, Some(console)).await?;
        if !self.settings.is_given(&ACCESS_TOKEN) {
            self.setting(&APP_SECRET, None).await?;
        }
        Ok(())
    }

    /// Asks for a robot among those that the platform lists, or for any if it lists none.
    pub(super) async fn of_robot(&mut self, listed: Option<&[Robot]>) -> Result<(), Failure> {
        if self.chosen.robot.is_some() || listed.is_some_and(<[Robot]>::is_empty) {
            return Ok(());
        }
        let robots = listed.unwrap_or_default();
        let question = match robots.len() {
            0 => Text::new(
                "robot to pull first, its id, or Enter for none",
                "首先拉取的机器人的 ID，回车表示不指定",
            ),
            _ => {
                show(robots);
                Text::new(
                    "robot to pull first, its number or id, or Enter for all",
                    "首先拉取的机器人的序号或 ID，回车表示全部",
                )
            }
        };
        loop {
            let answer = self.terminal.ask(question.shown()).await?;
            match robot_of(trim(answer.expose()), robots) {
                Ok(robot) => {
                    self.chosen.robot = robot;
                    return Ok(());
                }
                Err(why) => tell!("{why}", "{why}", why = why),
            }
        }
    }

    /// Asks for what the listener needs, and for the places of lists and journal.
    pub(super) async fn of_the_rest(&mut self) -> Result<(), Failure> {
        self.setting(&CALLBACK_TOKEN, None).await?;
        self.setting(&ENCODING_AES_KEY, None).await?;
        self.callback_url().await?;
        self.setting(&LISTEN, None).await?;
        self.out().await?;
        if !self.settings.is_given(&JOURNAL) {
            let hint = Text::new(
                "--journal shares one in PostgreSQL",
                "--journal 可使用 PostgreSQL 中共享的持久化存储",
            );
            self.setting(&DATA_DIR, Some(hint)).await?;
        }
        Ok(())
    }

    /// Asks for a setting that was not given, until the answer can be used.
    async fn setting(&mut self, spec: &'static Spec, hint: Option<Text>) -> Result<(), Failure> {
        if self.settings.is_given(spec) {
            return Ok(());
        }
        let mut question = Phrase::from(spec.noun());
        if let Some(hint) = hint {
            question.push(&phrase!(", {hint}", "，{hint}", hint = hint));
        }
        if let Some(default) = spec.default {
            question.push(&Phrase::same(format!(" [{default}]")));
        }
        let question = question.shown();
        loop {
            let answer = match spec.secret {
                true => self.terminal.ask_secret(question).await?,
                false => self.terminal.ask(question).await?,
            };
            if spec.default.is_some() && trim(answer.expose()).is_empty() {
                return Ok(());
            }
            match self.settings.answer(spec, &answer) {
                Ok(notes) => {
                    notes.iter().for_each(|it| {
                        tell!("{what}: {it}", "{what}：{it}", what = spec.noun(), it = it);
                    });
                    return Ok(());
                }
                Err(failure) => say!("qopen: {}", failure.message().shown()),
            }
        }
    }

    async fn callback_url(&mut self) -> Result<(), Failure> {
        if self.chosen.callback_url.is_some() {
            return Ok(());
        }
        loop {
            let question = Text::new(
                "public callback URL, or Enter for none yet",
                "公开的回调地址，回车表示暂无",
            );
            let answer = self.terminal.ask(question.shown()).await?;
            if trim(answer.expose()).is_empty() {
                return Ok(());
            }
            let url = CallbackUrl::parse(answer.expose()).map_err(Failure::usage);
            match url.and_then(|url| take_path(self.settings, &url).map(|()| url)) {
                Ok(url) => {
                    self.chosen.callback_url = Some(url);
                    return Ok(());
                }
                Err(failure) => say!("qopen: {}", failure.message().shown()),
            }
        }
    }

    async fn out(&mut self) -> Result<(), Failure> {
        if self.chosen.out.is_some() {
            return Ok(());
        }
        let default = self.chosen.default_out();
        let question = phrase!(
            "lists go to a file, a folder or a database [{default}]",
            "列表写到哪个文件、文件夹或数据库 [{default}]",
            default = default,
        );
        loop {
            let answer = self.terminal.ask(question.shown()).await?;
            let answer = Some(trim(answer.expose())).filter(|it| !it.is_empty());
            match self.place(answer.unwrap_or(default)).await {
                Ok(out) => {
                    self.chosen.out = Some(out);
                    return Ok(());
                }
                Err(failure) => say!("qopen: {}", failure.message().shown()),
            }
        }
    }

    async fn place(&self, text: &str) -> Result<PathBuf, Failure> {
        let out = out::read(text.into()).map_err(Failure::usage)?;
        check_out(out.clone()).await?;
        Ok(out)
    }
}

/// Shows robots with their numbers.
fn show(robots: &[Robot]) {
    let row = |(number, robot): (usize, &Robot)| {
        [
            Cell::of(Some(number)),
            Cell::new(robot.robot_id.as_str()),
            Cell::new(kind(robot.kind)),
            Cell::new(&robot.name),
        ]
    };
    let rows: Vec<_> = (1..).zip(robots.iter().take(SHOWN)).map(row).collect();
    say::to_person(format_args!("{}", table::render(&COLUMNS, &rows, Reader::of_stderr(), false)));
    if robots.len() > SHOWN {
        let more = phrase!("and {n} more", "以及另外 {n} 个", n = robots.len() - SHOWN);
        say!("{}", more.shown());
    }
}

/// Returns the robot of an answer, `None` for all.
fn robot_of(answer: &str, robots: &[Robot]) -> Result<Option<RobotId>, Phrase> {
    if answer.is_empty() {
        return Ok(None);
    }
    if let Some(robot) = robots.iter().find(|it| it.robot_id.as_str() == answer) {
        return Ok(Some(robot.robot_id.clone()));
    }
    let number = answer.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
    match number.and_then(|at| robots.get(at)) {
        Some(robot) => Ok(Some(robot.robot_id.clone())),
        None if robots.is_empty() => robots::one(answer).map(Some),
        None => Err(phrase!(
            "{answer} is neither the number nor the id of a robot above",
            "{answer} 既不是上面某个机器人的序号，也不是其 ID",
            answer = format!("{answer:?}"),
        )),
    }
}
