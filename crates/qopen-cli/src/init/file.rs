//! The text of a new settings file, and its writing.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::chosen::Chosen;
use crate::exit::Failure;
use crate::lang::{Text, phrase};
use crate::say::escaped;
use crate::settings::{CALLBACK_PATH, DATA_DIR, JOURNAL, LISTEN, Settings, Spec};

const HEAD: &str = "\
# Settings of qopen. `qopen doctor` shows and checks them; docs/CONFIGURATION.md has all of them.
# This file has secrets: keep its mode 0600.
";

/// Bytes that a file takes at most, but for extreme values.
const ROOM: usize = 64 << 10;

/// Returns the text of the file.
///
/// # Errors
/// A settings file cannot hold one of the values.
pub(super) fn text(settings: &Settings, chosen: &Chosen) -> Result<Zeroizing<String>, Failure> {
    let journal = if settings.is_given(&JOURNAL) { &JOURNAL } else { &DATA_DIR };
    // It never grows: no copy of a secret stays in memory.
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    text.push_str(HEAD);
    for (Spec { name, about, detail, .. }, value) in
        settings.for_file(&[&LISTEN, &CALLBACK_PATH, journal])?
    {
        let mut about = about.chars();
        let first = about.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
        let url = chosen.callback_url.as_ref().filter(|_| *name == CALLBACK_PATH.name);
        let url = url.map(|it| format!(" of {it}")).unwrap_or_default();
        let value = quoted(value.expose());
        text.push_str(&format!("\n# {first}{}{detail}{url}\n", about.as_str()));
        for part in [name, " = ", &value, "\n"] {
            text.push_str(part);
        }
    }
    let robot = chosen
        .robot
        .as_ref()
        .map_or("\"all\"".to_owned(), |robot| format!("[{}]", *quoted(robot.as_str())));
    text.push_str(&format!(
        "\n# `qopen serve` pulls by schedules, such as:\n# [[schedule]]\n# cron = \"30 2 * * *\"\n# robots = {robot}\n# out = \"lists\"\n"
    ));
    Ok(text)
}

/// Returns a basic string of TOML. Invisible characters are escaped.
fn quoted(text: &str) -> Zeroizing<String> {
    // A string of JSON is one of TOML, but for DEL, which is escaped here. A text always encodes.
    let json = Zeroizing::new(serde_json::to_string(text).unwrap_or_default());
    Zeroizing::new(escaped(&json).into_owned())
}

/// A settings file before it is made.
pub(super) struct NewFile {
    path: PathBuf,
    folder: PathBuf,
}

impl NewFile {
    /// Checks that the file can be made, and makes nothing.
    ///
    /// # Errors
    /// Something has the name already, or the folder cannot be written.
    pub(super) fn at(path: &Path) -> Result<Self, Failure> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let file = Self { path: path.to_owned(), folder };
        if let Ok(found) = path.symlink_metadata() {
            return Err(file.exists(found.is_symlink()));
        }
        file.unfinished().map(drop).map_err(|error| file.cannot(&error))?;
        Ok(file)
    }

    /// Writes the file with mode 0600 in one step, and syncs it.
    ///
    /// # Errors
    /// Something has the name now, or the file cannot be written. Nothing is left.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let write = || {
            let mut unfinished = self.unfinished()?;
            unfinished.write_all(text.as_bytes())?;
            unfinished.as_file().sync_all()?;
            unfinished.persist_noclobber(&self.path).map_err(|error| error.error)?;
            sync_folder(&self.folder);
            Ok(())
        };
        write().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.exists(self.path.is_symlink()),
            _ => self.cannot(&error),
        })
    }

    /// Makes a temporary file beside it, which only this user may read.
    fn unfinished(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(".qopen.toml.").tempfile_in(&self.folder)
    }

    fn exists(&self, is_link: bool) -> Failure {
        let path = self.path.display();
        let what = match is_link && !self.path.exists() {
            true => Text::new(
                "is a symbolic link to a file that does not exist",
                "是符号链接，所指的文件不存在",
            ),
            false => Text::new("exists", "已存在"),
        };
        Failure::usage(phrase!(
            "{path} {what}, and is not overwritten; `qopen doctor` shows the settings; to begin anew, remove it or name another file with --config",
            "{path} {what}，不会被覆盖；`qopen doctor` 显示其中的设置；若要重新开始，请删除它或用 --config 指定其他文件",
            path = path,
            what = what,
        ))
    }

    fn cannot(&self, error: &io::Error) -> Failure {
        let what =
            phrase!("{path} cannot be written", "无法写入 {path}", path = self.path.display());
        Failure::output(what, error)
    }
}

/// Makes the new name durable, where the file system can do that.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = std::fs::File::open(folder).and_then(|it| it.sync_all());
    }
}

#[cfg(test)]
mod tests;
