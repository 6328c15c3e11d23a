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
use crate::output::database::ListDatabase;
use crate::output::{Output, Shared};
use crate::say::say;
use crate::settings::Settings;

pub(crate) async fn run(args: &ExportArgs, settings: &Settings) -> Result<Exit, Failure> {
    if database::of(&args.out).is_some() {
        return Err(Failure::usage(
            "--out: a list in a database on a server is a publication; `qopen pull --resume MARK --out URL` publishes it there, and `export` writes to a file, a folder, an SQLite file or - for standard output",
        ));
    }
    // An unfinished list stays beside the journal, where only its owner can read it.
    let location = settings.journal()?;
    let scratch = location.as_folder();
    let layout = args.layout.at(&args.out, Layout::default())?;
    let output = Output::new(&args.out, layout)?.in_folder(scratch);
    let kept = Kept::open(settings).await?;
    let pulls = kept.pulls().await?;
    let lines = journal::marked(pulls.clone(), &args.mark, Line::mark)?;
    let line = match &lines[..] {
        [line] => line,
        lines => match &args.robot {
            Some(robot) => lines.iter().find(|it| it.robot() == robot).ok_or_else(|| {
                Failure::usage(format!("no pull of mark {} is of robot {robot}", lines[0].mark()))
            })?,
            None => {
                let robots: Vec<_> = lines.iter().map(Line::robot).collect();
                return Err(Failure::usage(format!(
                    "pulls of several robots have the mark {}; select one with --robot: {}",
                    lines[0].mark(),
                    robots.join(", ")
                )));
            }
        },
    };
    if args.robot.as_deref().is_some_and(|robot| robot != line.robot()) {
        let (mark, robot) = (line.mark(), line.robot());
        return Err(Failure::usage(format!(
            "--robot: the pull of mark {mark} is of robot {robot}"
        )));
    }
    let known = match &kept {
        Kept::Journal(journal, _) => journal::all(&**journal).await?,
        Kept::Served(_) if layout.format == OutputFormat::Singer => {
            return Err(Failure::usage(format!(
                "--format singer: a `qopen serve` holds the journal, and gives JSON Lines\n  example: qopen pulls export {} --out - | qopen convert - --out - --format singer",
                line.mark()
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
        true => say!("qopen: {pull}: revision {revision} of the list was written to {place}"),
        false => say!("qopen: {pull}: a list that is not complete was written to {place}"),
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
        return Err(Failure::usage(format!(
            "--out: {} belongs to the published list of {}; `export` needs another path",
            file.path().display(),
            line.name()
        )));
    }
    let Some(line) = published else { return Ok(()) };
    Err(Failure::usage(format!(
        "--out: the list of {} is published at {}; `qopen pull --resume MARK` publishes, and `export` needs another path",
        line.name(),
        shown_path(file.path())
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
        true => Err(Failure::usage(format!(
            "--out: {} has a published list of robot {robot}; `qopen pull --resume MARK` publishes, and `export` needs another file",
            database.location()
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
        let failed = |error| Failure::unexpected("the journal", &error);
        let as_journal: Arc<dyn Journal> = Arc::clone(journal) as _;
        let id = id(&self.pull)?;
        let state = journal.facts_of(&id).await.map_err(failed)?;
        let list = qopen::kept_list(&as_journal, &id).await.map_err(failed)?;
        let (Some(state), Some(list)) = (state, list) else {
            return Err(Failure::usage(format!("the journal has no pull of {id}")));
        };
        let (complete, revision) = (list.revision() > 0, list.revision());
        if !complete && !self.partial {
            let why = journal::why_incomplete(&state);
            let message = format!("{id}: {}", journal::needs_partial(&why));
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
                let writing = |error| Failure::output("standard output cannot be written", &error);
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
            .map_err(|error| Failure::output("the list", &error))?;
    }
    Ok(())
}
