//! Where lists go, as the command line names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qopen::journal::PullState;
use qopen::postgres::PostgresSink;
use qopen::sink::{FileSink, ListKind, Sink, SinkError, file_name};
use qopen::{PublishError, PublishOptions, Published, PulledList, publish_with};
use serde::{Deserialize, Serialize};

use crate::args::{CsvArgs, OutputFormat};
use crate::database;
use crate::exit::{Failure, chain};
use crate::format::Layout;
use crate::say;

/// Where lists go, as it was said: noted with each pull, for whoever takes it up again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(with = "noted_path")]
    pub(crate) out: PathBuf,
    pub(crate) format: OutputFormat,
    /// Options of CSV. Absent where none is set, as in notes of earlier versions.
    #[serde(default, skip_serializing_if = "CsvArgs::is_plain")]
    pub(crate) csv: CsvArgs,
    /// Whether it is a folder with a file for each robot, wherever this is read.
    #[serde(default)]
    pub(crate) folder: bool,
}

impl Place {
    /// What was noted with a pull.
    pub(crate) fn of(state: &PullState) -> Option<Self> {
        serde_json::from_str(state.started()?.1.label.as_deref()?).ok()
    }

    /// The label of the pull. It holds no password, and a path that leads to the place from every folder.
    pub(crate) fn label(&self) -> String {
        let mut noted = self.clone();
        if let Some(url) = database::of(&self.out) {
            noted.out = database::without_password(url).into();
        } else if self.out != Path::new("-")
            && let Ok(out) = std::path::absolute(&self.out)
        {
            noted.out = out;
        }
        // Plain data always encodes.
        serde_json::to_string(&noted).unwrap_or_default()
    }

    pub(crate) fn output(&self) -> Result<Output, Failure> {
        match self.folder {
            // Should it be gone by then, nothing else is to be made in its place.
            true => Ok(Output::Folder(self.out.clone(), self.layout())),
            false => Output::new(&self.out, self.layout()),
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout { format: self.format, csv: self.csv }
    }

    /// Whether any process, in any folder, may publish one robot's list there.
    pub(crate) fn is_for_anybody(&self) -> bool {
        self.folder && self.out.is_absolute() || database::of(&self.out).is_some()
    }
}

/// A path as a text, or as its bytes in base64 where it is none.
mod noted_path {
    use std::path::{Path, PathBuf};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Noted {
        Text(PathBuf),
        Bytes { base64: String },
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        let noted = match path.to_str() {
            Some(_) => Noted::Text(path.to_owned()),
            None => Noted::Bytes { base64: STANDARD.encode(path.as_os_str().as_encoded_bytes()) },
        };
        noted.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        use serde::de::Error as _;
        match Noted::deserialize(deserializer)? {
            Noted::Text(path) => Ok(path),
            Noted::Bytes { base64 } => {
                let bytes = STANDARD.decode(base64).map_err(D::Error::custom)?;
                from_bytes(bytes).ok_or_else(|| D::Error::custom("not a path of this system"))
            }
        }
    }

    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "other systems need it")]
    fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt as _;
        Some(std::ffi::OsString::from_vec(bytes).into())
    }

    #[cfg(not(unix))]
    fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
        String::from_utf8(bytes).ok().map(PathBuf::from)
    }
}

/// Where lists go.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Standard output; partial lists go to a file. The list waits in that folder until it is whole.
    Stdout(Layout, Option<PathBuf>),
    /// One file for everything.
    File(FileSink),
    /// A file for each robot, in a folder.
    Folder(PathBuf, Layout),
    /// Rows for each robot, in a database.
    Database(PostgresSink),
}

impl Output {
    pub(crate) fn new(path: &Path, layout: Layout) -> Result<Self, Failure> {
        Ok(match path {
            path if path == Path::new("-") => Self::Stdout(layout, None),
            path if path.is_dir() => Self::Folder(path.to_owned(), layout),
            path => match database::of(path) {
                Some(url) => Self::Database(
                    PostgresSink::new(url)
                        .map_err(|error| Failure::usage_of("the output", &error))?,
                ),
                None => Self::File(layout.file(path)),
            },
        })
    }

    /// Puts temporary data of outputs without a folder of their own into `folder`.
    pub(crate) fn in_folder(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Stdout(layout, _) => Self::Stdout(layout, folder.map(Path::to_owned)),
            Self::Database(sink) => Self::Database(sink.in_folder(folder)),
            other => other,
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(..))
    }

    /// The key under which publications are serialised.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Stdout(..) => "-".to_owned(),
            // However it is spelled, it is one.
            Self::File(file) => file.path().display().to_string(),
            Self::Folder(folder, _) => {
                let real = std::fs::canonicalize(folder);
                real.as_deref().unwrap_or(folder).display().to_string()
            }
            Self::Database(sink) => sink.location(),
        }
    }

    /// Where a complete list of a robot, or several robots' together, is published.
    pub(crate) fn sink(&self, robot: &str) -> Arc<dyn Sink> {
        match self {
            Self::Database(sink) => Arc::new(sink.clone()),
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

    /// Whether each robot's list is published by itself, as soon as it is there.
    pub(crate) fn is_per_robot(&self) -> bool {
        matches!(self, Self::Folder(..) | Self::Database(_))
    }

    /// Finds out now what would otherwise be found out when the pages are in.
    pub(crate) fn check(&self, robots: &[&str]) -> Result<(), Failure> {
        let fails = |error: SinkError| match &error {
            SinkError::Database(_) | SinkError::TimedOut { .. } => {
                let what = format!(
                    "lists cannot be published to {}; is the database up, and is --out right?",
                    self.place()
                );
                Failure::output(&what, &error)
            }
            error => Failure::usage_of("the output", error),
        };
        if let Some(why) = robots.iter().find_map(|robot| self.cannot_name(robot)) {
            return Err(Failure::usage(format!("the output: {why}")));
        }
        match self {
            Self::Stdout(..) if say::is_closed() => {
                let closed = std::io::Error::other("it is closed");
                Err(Failure::output("standard output cannot be written", &closed))
            }
            Self::Stdout(layout, folder) => {
                layout.stdout().in_folder(folder.as_deref()).check().map_err(fails)
            }
            Self::File(sink) => sink.check().map_err(fails),
            Self::Database(sink) => sink.check().map_err(fails),
            Self::Folder(..) => {
                robots.iter().try_for_each(|robot| self.file(robot).check().map_err(fails))
            }
        }
    }

    /// The file of a robot, or what stands for it.
    pub(crate) fn file(&self, name: &str) -> FileSink {
        match self {
            Self::File(sink) => sink.clone(),
            Self::Stdout(layout, _) => {
                layout.file(format!("qopen-{}.{}", file_name(name), layout.ending()))
            }
            // A database has no file; nobody asks for it.
            Self::Database(_) => Layout::default().file(file_name(name)),
            Self::Folder(folder, layout) => layout.file_of_robot(folder, name),
        }
    }

    /// The file whose quarantine holds items of no robot. Its name differs from every robot's.
    pub(crate) fn unattributed(&self) -> FileSink {
        match self {
            Self::Folder(folder, layout) => {
                layout.file(folder.join(format!("%unattributed.{}", layout.ending())))
            }
            other => other.file("unattributed"),
        }
    }

    /// Why a robot's list cannot have a file of its own in the folder, and what to do. A long id is cut.
    pub(crate) fn cannot_name(&self, robot: &str) -> Option<String> {
        // File systems name at least 143 bytes. A folder that hangs is not asked about short names.
        const SHORT: usize = 100;
        let Self::Folder(folder, _) = self else { return None };
        if file_name(robot).len() <= SHORT {
            return None;
        }
        match self.file(robot).check_name() {
            Err(SinkError::NameTooLong { .. }) => Some(format!(
                "the robot's id {:?} ({} bytes) is too long for a file name in {}; pull it with `--out FILE`, or publish to a database: --out postgres://HOST/DATABASE",
                beginning(robot),
                robot.len(),
                folder.display()
            )),
            _ => None,
        }
    }

    /// Publishes lists that go together, and sets aside what could not be read beside them.
    pub(crate) async fn publish(
        &self,
        lists: Vec<PulledList>,
        kind: ListKind,
        options: PublishOptions,
    ) -> Result<Written, Unpublished> {
        let name = lists.first().map_or_else(String::new, |list| match self {
            Self::Stdout(..) => list.id().mark_id.to_string(),
            _ => list.id().robot_id.to_string(),
        });
        let sink = match (self, kind) {
            (Self::Stdout(layout, folder), ListKind::Complete) => {
                let sink = layout.stdout().in_folder(folder.as_deref());
                Arc::new(sink.quarantine_to(self.file(&name).quarantine_path()))
            }
            _ => self.sink(&name),
        };
        let published = publish_with(lists, sink, kind, options).await;
        let Published { location, lists, set_aside, .. } =
            published.map_err(|error| match &error {
                PublishError::Superseded { pull, .. } => {
                    Unpublished::Superseded(pull.clone(), chain("", &error))
                }
                PublishError::Empty { .. } => Unpublished::Failed(Failure::incomplete("", &error)),
                error => Unpublished::Failed(Failure::output("", error)),
            })?;
        Ok(Written { location, lists, quarantine: set_aside })
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

/// Why nothing was written.
pub(crate) enum Unpublished {
    Failed(Failure),
    /// The place already holds a later list.
    Superseded(qopen::journal::PullId, String),
}

/// What was written.
pub(crate) struct Written {
    pub(crate) location: String,
    pub(crate) lists: Vec<qopen::PublishedList>,
    pub(crate) quarantine: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Place;
    use crate::format::{CsvArgs, Language, OutputFormat};

    #[test]
    fn a_note_of_an_earlier_version_is_read_and_written_as_it_is() {
        let noted = r#"{"out":"/lists/c.csv","format":"jsonl","folder":false}"#;
        let place: Place = serde_json::from_str(noted).expect("the note is read");
        assert_eq!((place.format, place.label()), (OutputFormat::Jsonl, noted.to_owned()));
        let csv = CsvArgs { bom: true, csv_safe: false, labels: Some(Language::Zh) };
        let place = Place { csv, ..place };
        let read: Place = serde_json::from_str(&place.label()).expect("the note is read");
        assert_eq!(read, place);
    }
}
