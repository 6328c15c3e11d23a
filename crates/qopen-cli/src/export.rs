//! `qopen pulls export`: writes the list of a kept pull without publishing it.

use std::io::{self, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;

use qopen::PublishError;
use qopen::journal::{Journal, PullId, Store};
use qopen::sink::{FileSink, Format, ListKind, Sink, SinkError, shown_path};

use crate::args::ExportArgs;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::export_database::{self, Lines};
use crate::format::{Layout, OutputFormat, singer};
use crate::journal;
use crate::kept::pull::{Line, PullName};
use crate::kept::remote::{Flow, Remote};
use crate::kept::{Kept, id};
use crate::lang::{Phrase, THE_JOURNAL, phrase};
use crate::marks;
use crate::output::database::ListDatabase;
use crate::output::{Output, Shared};
use crate::say::tell;
use crate::settings::Settings;

pub(crate) async fn run(args: &ExportArgs, settings: &Settings) -> Result<Exit, Failure> {
    if database::of(&args.out).is_some() {
        return Err(Failure::usage(phrase!(
            "--out: a list in a database on a server is a publication; `qopen pull --resume MARK --out URL` publishes it there, and `export` writes to a file, a folder, an SQLite file or - for standard output",
            "--out：数据库服务器中的列表是一次发布；`qopen pull --resume MARK --out URL` 可发布到那里，`export` 写入文件、文件夹、SQLite 文件，或用 - 写到标准输出",
        )));
    }
    // An unfinished list stays beside the journal, where only its owner can read it.
    let location = settings.journal()?;
    let scratch = location.as_folder();
    let layout = args.layout.at(&args.out, Layout::default())?;
    let output = Output::new(&args.out, layout)?.in_folder(scratch);
    let kept = Kept::open(settings).await?;
    let pulls = kept.pulls().await?;
    let lines = marks::marked(pulls.clone(), &args.mark, Line::mark)?;
    let line = match &lines[..] {
        [line] => line,
        lines => match &args.robot {
            Some(robot) => lines.iter().find(|it| it.robot() == robot).ok_or_else(|| {
                Failure::usage(phrase!(
                    "no pull of mark {mark} is of robot {robot}",
                    "标记 {mark} 没有属于机器人 {robot} 的拉取",
                    mark = lines[0].mark(),
                    robot = robot,
                ))
            })?,
            None => {
                let robots: Vec<_> = lines.iter().map(Line::robot).collect();
                return Err(Failure::usage(phrase!(
                    "pulls of several robots have the mark {mark}; select one with --robot: {robots}",
                    "多个机器人的拉取使用标记 {mark}；请用 --robot 选择一个：{robots}",
                    mark = lines[0].mark(),
                    robots = robots.join(", "),
                )));
            }
        },
    };
    if args.robot.as_deref().is_some_and(|robot| robot != line.robot()) {
        let (mark, robot) = (line.mark(), line.robot());
        return Err(Failure::usage(phrase!(
            "--robot: the pull of mark {mark} is of robot {robot}",
            "--robot：标记 {mark} 的拉取属于机器人 {robot}",
            mark = mark,
            robot = robot,
        )));
    }
    let known = match &kept {
        Kept::Journal(journal, _) => journal::all(&**journal).await?,
        Kept::Served(_) if layout.format == OutputFormat::Singer => {
            return Err(Failure::usage(phrase!(
                "--format singer: a `qopen serve` holds the journal, and gives JSON Lines\n  example: qopen pulls export {mark} --out - | qopen convert - --out - --format singer",
                "--format singer：持久化存储由 `qopen serve` 使用，它给出 JSON Lines\n  示例：qopen pulls export {mark} --out - | qopen convert - --out - --format singer",
                mark = line.mark(),
            )));
        }
        Kept::Served(_) => Vec::new(),
    };
    singer::prepare(&args.singer, layout.is_singer(), &known, false)?;
    output.check(&[line.robot()])?;
    match &output {
        Output::Stdout(..) => {}
        Output::Database(database) => spare_robot(database, line, &pulls)?,
        _ => spare_published(&output.file(line.robot()), &pulls)?,
    }
    let export = Export { output: &output, pull: line.name(), layout, partial: args.partial };
    let (complete, revision, place) = match &kept {
        Kept::Journal(journal, _) => export.write_kept(journal, scratch).await?,
        Kept::Served(remote) => export.write_served(remote, scratch).await?,
    };
    let pull = &export.pull;
    match complete {
        true => tell!(
            "{pull}: revision {revision} of the list was written to {place}",
            "{pull}：列表的修订 {revision} 已写入 {place}",
            pull = Phrase::from(pull),
            revision = revision,
            place = place,
        ),
        false => tell!(
            "{pull}: a list that is not complete was written to {place}",
            "{pull}：不完整的列表已写入 {place}",
            pull = Phrase::from(pull),
            place = place,
        ),
    }
    Ok(Exit::Complete)
}

/// Fails if the place has a published list. An export has no place in the order of lists.
fn spare_published(file: &FileSink, pulls: &[Line]) -> Result<(), Failure> {
    let published = pulls.iter().find(|it| it.output().is_some_and(|it| file.is_at(it)));
    // What lies beside a published list is the publication's, too.
    let beside = |place: &str| {
        let list = FileSink::new(place, Format::Jsonl);
        let beside = [
            list.partial_path(),
            list.quarantine_path(),
            list.changes_path(),
            list.held_path(),
            list.overflow_path(),
        ];
        beside.iter().any(|path| path.to_str().is_some_and(|path| file.is_at(path)))
    };
    let beside = pulls.iter().find(|it| published.is_none() && it.output().is_some_and(beside));
    if let Some(line) = beside {
        return Err(Failure::usage(phrase!(
            "--out: {file} belongs to the published list of {pull}; `export` needs another path",
            "--out：{file} 属于 {pull} 已发布的列表；`export` 需要其他路径",
            file = file.path().display(),
            pull = Phrase::from(&line.name()),
        )));
    }
    let Some(line) = published else { return Ok(()) };
    Err(Failure::usage(phrase!(
        "--out: the list of {pull} is published at {file}; `qopen pull --resume MARK` publishes, and `export` needs another path",
        "--out：{pull} 的列表已发布在 {file}；发布请用 `qopen pull --resume MARK`，`export` 需要其他路径",
        pull = Phrase::from(&line.name()),
        file = shown_path(file.path()),
    )))
}

/// Fails if the database has a list of the robot. An export has no place in the order of lists.
fn spare_robot(database: &ListDatabase, line: &Line, pulls: &[Line]) -> Result<(), Failure> {
    let sink = database.sink();
    let robot = id(&line.name())?.robot_id;
    let is_there =
        |it: &&Line| it.robot() == line.robot() && it.output().is_some_and(|it| sink.is_at(it));
    let holds = || tokio::task::block_in_place(|| sink.holds(&robot));
    let has_list = match pulls.iter().any(|it| is_there(&it)) {
        true => true,
        false => holds().map_err(|error| Failure::output("", &error))?,
    };
    match has_list {
        true => Err(Failure::usage(phrase!(
            "--out: {place} has a published list of robot {robot}; `qopen pull --resume MARK` publishes, and `export` needs another file",
            "--out：{place} 已有机器人 {robot} 发布的列表；发布请用 `qopen pull --resume MARK`，`export` 需要其他文件",
            place = database.location(),
            robot = robot,
        ))),
        false => Ok(()),
    }
}

/// Completeness, revision and place of a written list.
type Exported = (bool, u32, String);

struct Export<'a> {
    output: &'a Output,
    pull: PullName,
    layout: Layout,
    partial: bool,
}

impl Export<'_> {
    async fn write_kept(
        &self,
        journal: &Arc<dyn Store>,
        scratch: Option<&Path>,
    ) -> Result<Exported, Failure> {
        let failed = |error| Failure::unexpected(THE_JOURNAL, &error);
        let as_journal: Arc<dyn Journal> = Arc::clone(journal) as _;
        let id = id(&self.pull)?;
        let state = journal.facts_of(&id).await.map_err(failed)?;
        let list = qopen::kept_list(&as_journal, &id).await.map_err(failed)?;
        let (Some(state), Some(list)) = (state, list) else {
            return Err(Failure::usage(phrase!(
                "the journal has no pull of {id}",
                "持久化存储中没有 {id} 的拉取",
                id = Phrase::from(&id),
            )));
        };
        let (complete, revision) = (list.revision() > 0, list.revision());
        if !complete && !self.partial {
            let why = journal::why_incomplete(&state);
            let message = Phrase::about(&id, journal::needs_partial(&why));
            return Err(Failure::new(Exit::Incomplete, message));
        }
        if let Output::Database(database) = self.output {
            let location = export_database::write(list, database.sink()).await?;
            return Ok((complete, revision, location));
        }
        let fails = |error: SinkError| Failure::output("", &error);
        let unread = |error| Failure::output("", &error as &PublishError);
        if self.output.is_stdout() {
            let sink: Arc<dyn Sink> = match self.layout.format {
                OutputFormat::Singer => {
                    Arc::new(singer::sink().in_folder(scratch).partial(!complete))
                }
                _ => self.layout.stdout(scratch, None),
            };
            let exported = qopen::export(vec![list], sink).await;
            return Ok((complete, revision, exported.map_err(unread)?.location));
        }
        let file = Shared::begin(&self.output.file(&self.pull.robot_id)).map_err(fails)?;
        let sink = self.layout.stream(file.clone()).in_folder(scratch);
        qopen::export(vec![list], Arc::new(sink)).await.map_err(unread)?;
        let location = tokio::task::block_in_place(|| file.commit()).map_err(fails)?;
        Ok((complete, revision, location))
    }

    async fn write_served(
        &self,
        remote: &Remote,
        scratch: Option<&Path>,
    ) -> Result<Exported, Failure> {
        let Self { output, pull, layout, partial } = self;
        let mut flow = remote.list(pull, *layout, *partial).await?;
        let (complete, revision) = (flow.complete, flow.revision);
        let fails = |error: SinkError| Failure::output("", &error);
        if let Output::Database(database) = output {
            let kind = match complete {
                true => ListKind::Complete,
                false => ListKind::Partial,
            };
            let PullId { robot_id, mark_id } = id(pull)?;
            let sink = database.sink();
            let begin = || Lines::begin(&*sink, kind, &robot_id, &mark_id, revision);
            let mut lines = tokio::task::block_in_place(begin).map_err(fails)?;
            while let Some(piece) = flow.next().await? {
                tokio::task::block_in_place(|| lines.add(&piece)).map_err(fails)?;
            }
            let location = tokio::task::block_in_place(|| lines.commit()).map_err(fails)?;
            return Ok((complete, revision, location));
        }
        let location = match output.is_stdout() {
            true => {
                // A list that breaks off must not be taken for all of it.
                let what = || phrase!("standard output cannot be written", "标准输出无法写入");
                let writing = |error| Failure::output(what(), &error);
                let spool = scratch.map_or_else(tempfile::tempfile, tempfile::tempfile_in);
                let mut spool = spool.map_err(writing)?;
                drain(&mut flow, &mut spool).await?;
                tokio::task::block_in_place(|| {
                    spool.rewind()?;
                    let mut out = io::stdout().lock();
                    io::copy(&mut spool, &mut out)?;
                    out.flush()
                })
                .map_err(writing)?;
                STDOUT.to_owned()
            }
            false => {
                let mut file = output.file(&pull.robot_id).begin_encoded().map_err(fails)?;
                drain(&mut flow, &mut file).await?;
                tokio::task::block_in_place(|| file.commit()).map_err(fails)?
            }
        };
        Ok((complete, revision, location))
    }
}

/// The name of a stream.
const STDOUT: &str = "-";

/// Writes a whole list.
async fn drain(flow: &mut Flow, out: &mut impl Write) -> Result<(), Failure> {
    while let Some(piece) = flow.next().await? {
        tokio::task::block_in_place(|| out.write_all(&piece))
            .map_err(|error| Failure::output(phrase!("the list", "列表"), &error))?;
    }
    Ok(())
}
