//! The place of lists as it is noted with each pull.

use std::path::{Path, PathBuf};

use qopen::journal::PullState;
use serde::{Deserialize, Serialize};

use super::Output;
use crate::database;
use crate::exit::Failure;
use crate::format::{CsvArgs, Layout, OutputFormat};
use crate::shell::option;
use crate::values::sqlite::SqliteFile;

/// The place of lists as the user named it. It is noted with each pull, for the process that resumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(with = "noted_path")]
    pub(crate) out: PathBuf,
    pub(crate) format: OutputFormat,
    /// Options of CSV. Absent if none is set, as in notes of earlier versions.
    #[serde(default, skip_serializing_if = "CsvArgs::is_plain")]
    pub(crate) csv: CsvArgs,
    /// Whether the place is a folder with a file per robot, regardless of the reader.
    #[serde(default)]
    pub(crate) folder: bool,
}

impl Place {
    /// Returns the place noted with a pull.
    pub(crate) fn of(state: &PullState) -> Option<Self> {
        serde_json::from_str(state.started()?.1.label.as_deref()?).ok()
    }

    /// Returns the label of the pull. It has no password, and its path is absolute.
    pub(crate) fn label(&self) -> String {
        let mut noted = self.clone();
        if let Ok(Some(file)) = SqliteFile::of(&self.out) {
            noted.out = file.absolute();
        } else if let Some(url) = database::of(&self.out) {
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
            // If the folder is gone by then, nothing replaces it.
            true => {
                self.layout().check(false)?;
                Ok(Output::Folder(self.out.clone(), self.layout()))
            }
            false => Output::new(&self.out, self.layout()),
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout { format: self.format, csv: self.csv }
    }

    /// Returns the options that name the place and its format, in the words of a shell.
    pub(crate) fn options(&self) -> Vec<String> {
        if let Some(url) = database::of(&self.out) {
            return vec![option("--out", &database::without_password(url))];
        }
        let out = option("--out", &self.out.to_string_lossy());
        match SqliteFile::of(&self.out) {
            Ok(Some(_)) if !self.folder => vec![out],
            _ => [vec![out], self.layout().options()].concat(),
        }
    }

    /// Whether any process, in any folder, may publish one robot's list there.
    pub(crate) fn is_for_any_process(&self) -> bool {
        match SqliteFile::of(&self.out) {
            Ok(Some(file)) => !self.folder && file.path.is_absolute(),
            _ => self.folder && self.out.is_absolute() || database::of(&self.out).is_some(),
        }
    }
}

/// A path as text, or its bytes in base64 if it is not UTF-8.
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
