//! Outputs of lists: standard output, files, folders and databases.

pub(crate) mod database;
pub(crate) mod place;
pub(crate) mod room;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qopen::sink::{FileSink, ListKind, Sink, SinkError, file_name, shown_path};
use qopen::{PublishError, PublishOptions, Published, PulledList, publish_with};

use crate::exit::{Exit, Failure};
use crate::format::{Layout, OutputFormat, singer};
use crate::lang::{Phrase, THE_OUTPUT, phrase};
use crate::say;
use database::ListDatabase;

pub(crate) use shared::Shared;

/// An output of lists.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Standard output; partial lists go to a file. An unfinished list waits in the folder.
    Stdout(Layout, Option<PathBuf>),
    /// One file for everything.
    File(FileSink),
    /// A file for each robot, in a folder.
    Folder(PathBuf, Layout),
    /// Rows for each robot, in a database.
    Database(ListDatabase),
}

impl Output {
    pub(crate) fn new(path: &Path, layout: Layout) -> Result<Self, Failure> {
        layout.check(path == Path::new("-"))?;
        Ok(match path {
            path if path == Path::new("-") => Self::Stdout(layout, None),
            path if path.is_dir() => Self::Folder(path.to_owned(), layout),
            path => match ListDatabase::at(path)? {
                Some(database) => Self::Database(database),
                None => Self::File(layout.file(path)),
            },
        })
    }

    /// Puts temporary data of outputs without a folder of their own into `folder`.
    pub(crate) fn in_folder(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Stdout(layout, _) => Self::Stdout(layout, folder.map(Path::to_owned)),
            Self::Database(database) => Self::Database(database.in_folder(folder)),
            other => other,
        }
    }

    /// Returns the database, if it is one.
    pub(crate) fn into_database(self) -> Option<ListDatabase> {
        match self {
            Self::Database(database) => Some(database),
            _ => None,
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(..))
    }

    /// Whether lists, or what lies beside them, are files.
    pub(crate) fn has_files(&self) -> bool {
        !matches!(self, Self::Database(_))
    }

    /// The key under which publications are serialised.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Stdout(..) => "-".to_owned(),
            // The path is canonical.
            Self::File(file) => file.path().display().to_string(),
            Self::Folder(folder, _) => {
                let real = std::fs::canonicalize(folder);
                real.as_deref().unwrap_or(folder).display().to_string()
            }
            Self::Database(database) => database.location(),
        }
    }

    /// Returns the sink for the complete list of one or several robots.
    pub(crate) fn sink(&self, robot: &str) -> Arc<dyn Sink> {
        match self {
            Self::Stdout(layout, folder) if layout.format == OutputFormat::Singer => {
                layout.stdout(folder.as_deref(), None)
            }
            Self::Database(database) => database.sink(),
            _ => Arc::new(self.file(robot)),
        }
    }

    /// Removes temporary files of killed processes.
    pub(crate) fn sweep(&self, robot: &str) {
        match self {
            Self::Database(_) => {}
            _ => self.file(robot).sweep(),
        }
    }

    /// Whether each robot's list is published by itself, as soon as it is complete.
    pub(crate) fn is_per_robot(&self) -> bool {
        matches!(self, Self::Folder(..) | Self::Database(_))
    }

    /// Finds failures of the output before the pages come.
    pub(crate) fn check(&self, robots: &[&str]) -> Result<(), Failure> {
        let fails = |error: SinkError| Failure::usage_of(THE_OUTPUT, &error);
        if let Some(why) = robots.iter().find_map(|robot| self.cannot_name(robot)) {
            return Err(Failure::usage(Phrase::about(THE_OUTPUT, why)));
        }
        match self {
            Self::Stdout(..) if say::is_closed() => Err(Failure::new(
                Exit::Output,
                phrase!(
                    "standard output cannot be written: it is closed",
                    "标准输出无法写入：它已关闭",
                ),
            )),
            Self::Stdout(layout, folder) => {
                layout.stdout(folder.as_deref(), None).check().map_err(fails)
            }
            Self::File(sink) => sink.check().map_err(fails),
            Self::Database(database) => database.check(),
            Self::Folder(..) => {
                // Also of robots that are not pulled now.
                self.unattributed().sweep();
                let fails = |error: SinkError| match &error {
                    // The folder is right, and a list in it was replaced.
                    SinkError::NotAFile { .. } => Failure::output(THE_OUTPUT, &error),
                    error => Failure::usage_of(THE_OUTPUT, error),
                };
                robots.iter().try_for_each(|robot| self.file(robot).check().map_err(fails))
            }
        }
    }

    /// Fails if the output is a folder that replaced a list, unless the lists begin anew.
    pub(crate) fn check_last(&self, new_baseline: bool) -> Result<(), Failure> {
        let Self::Folder(folder, layout) = self else { return Ok(()) };
        // Without a `/` at its end.
        let folder: PathBuf = folder.components().collect();
        let changes = layout.file(&folder).changes_path();
        if new_baseline || !changes.is_file() {
            return Ok(());
        }
        let message = phrase!(
            "the output: {folder} is a folder, and {changes} describes a list in a file of that name; restore the list, or publish with --new-baseline to start anew in the folder",
            "输出位置：{folder} 是文件夹，而 {changes} 描述的是同名文件中的列表；请恢复该列表，或用 --new-baseline 在文件夹中重新开始",
            folder = shown_path(&folder),
            changes = shown_path(&changes),
        );
        Err(Failure::new(Exit::Output, message))
    }

    /// Returns the file of a robot, or its substitute.
    pub(crate) fn file(&self, name: &str) -> FileSink {
        match self {
            Self::File(sink) => sink.clone(),
            Self::Stdout(layout, _) => {
                layout.file(format!("qopen-{}.{}", file_name(name), layout.ending()))
            }
            // A database has no file. No caller needs this one.
            Self::Database(_) => Layout::default().file(file_name(name)),
            Self::Folder(folder, layout) => layout.file_of_robot(folder, name),
        }
    }

    /// Returns the file whose quarantine has items of no robot. No robot's file has its name.
    pub(crate) fn unattributed(&self) -> FileSink {
        match self {
            Self::Folder(folder, layout) => {
                layout.file(folder.join(format!("%unattributed.{}", layout.ending())))
            }
            other => other.file("unattributed"),
        }
    }

    /// Explains why a robot's list cannot have its own file in the folder. Truncates a long id.
    pub(crate) fn cannot_name(&self, robot: &str) -> Option<Phrase> {
        // File systems name at least 143 bytes. A folder that hangs is not asked about short names.
        const SHORT: usize = 100;
        let Self::Folder(folder, _) = self else { return None };
        if file_name(robot).len() <= SHORT {
            return None;
        }
        match self.file(robot).check_name() {
            Err(SinkError::NameTooLong { .. }) => Some(phrase!(
                "the robot's id {id} ({bytes} bytes) is too long for a file name in {folder}; pull it with `--out FILE`, or publish to a database: --out lists.db or --out postgres://HOST/DATABASE",
                "机器人的 ID {id}（{bytes} 字节）过长，不能作为 {folder} 中的文件名；请用 `--out FILE` 拉取，或发布到数据库：--out lists.db 或 --out postgres://HOST/DATABASE",
                id = format!("{:?}", beginning(robot)),
                bytes = robot.len(),
                folder = folder.display(),
            )),
            _ => None,
        }
    }

    /// Publishes lists together, with their quarantine beside them.
    pub(crate) async fn publish(
        &self,
        lists: Vec<PulledList>,
        kind: ListKind,
        options: PublishOptions,
    ) -> Result<Published, PublishError> {
        let name = lists.first().map_or_else(String::new, |list| match self {
            Self::Stdout(..) => list.id().mark_id.to_string(),
            _ => list.id().robot_id.to_string(),
        });
        let sink = match (self, kind) {
            (Self::Stdout(layout, folder), kind)
                if kind == ListKind::Complete || layout.format == OutputFormat::Singer =>
            {
                layout.stdout(folder.as_deref(), Some(&self.file(&name)))
            }
            _ => self.sink(&name),
        };
        let published = publish_with(lists, sink, kind, options).await?;
        if let Self::Stdout(Layout { format: OutputFormat::Singer, .. }, _) = self {
            singer::say_left_out(&singer::sink().left_out());
        }
        Ok(published)
    }
}

/// The first characters of a long id, and `…`.
fn beginning(id: &str) -> String {
    const SHOWN: usize = 32;
    match id.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &id[..at]),
        None => id.to_owned(),
    }
}
