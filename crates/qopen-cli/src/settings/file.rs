//! The settings file, `qopen.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::declared::ALL;
use super::mistakes;
use super::schedule::Found;
use super::spec::Kind;
use super::webhook;
use crate::exit::Failure;
use crate::lang::{Phrase, Text, phrase};
use crate::values::text_file::decode;

/// A text in the form of a settings file.
pub(crate) struct Answers {
    /// Its name in messages.
    pub(crate) name: Phrase,
    /// Its place, of which messages about a value tell.
    pub(crate) place: PathBuf,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// The content of a settings file.
#[derive(Default)]
pub(super) struct InFile {
    /// The values, by name.
    pub(super) values: BTreeMap<String, Secret>,
    /// Schedules.
    pub(super) schedule: Vec<Found>,
    /// Webhooks.
    pub(super) webhooks: Vec<webhook::Found>,
    /// Entries that cannot be used.
    pub(super) problems: Vec<Failure>,
}

/// Reads the file. `None` if it does not exist and was not named.
pub(super) fn read(path: &Path, explicit: bool) -> Result<Option<InFile>, Failure> {
    let wrong = |what: Phrase| wrong(&named(path), what);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => return Ok(None),
        Err(_) if path.is_dir() => {
            return Err(wrong(phrase!(
                "it is a folder; name the file in it, as in --config qopen.toml",
                "它是文件夹；请写出其中的文件，例如 --config qopen.toml",
            )));
        }
        Err(error) => {
            let from = match explicit {
                true => Text::new(" (from --config)", "（来自 --config）"),
                false => Text::new("", ""),
            };
            let what = phrase!("{file}{from}", "{file}{from}", file = named(path), from = from);
            return Err(Failure::usage_of(what, &error));
        }
    };
    parse(&named(path), bytes).map(Some)
}

/// The file in messages.
fn named(path: &Path) -> Phrase {
    phrase!("the settings file {it}", "设置文件 {it}", it = path.display())
}

fn wrong(name: &Phrase, what: Phrase) -> Failure {
    Failure::usage(Phrase::about(name, what))
}

/// Reads the text of a settings file. `name` stands for it in messages.
pub(super) fn parse(name: &Phrase, bytes: Zeroizing<Vec<u8>>) -> Result<InFile, Failure> {
    let wrong = |what: Phrase| wrong(name, what);
    let text = decode(bytes).map_err(wrong)?;
    // The parser's own message quotes the line, and the line may hold a secret.
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| wrong(mistakes::diagnose(&text, error.span().map(|it| it.start))))?;
    // Any text may be a secret. It is wiped even if the rest is wrong.
    let table: Vec<(String, Result<Secret, toml::Value>)> = table
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::String(text) => (name, Ok(Secret::new(text))),
            value => (name, Err(value)),
        })
        .collect();
    let mut found = InFile::default();
    for (name, value) in table {
        match entry(&text, &name, value, &mut found) {
            Ok(()) => {}
            Err(what) => {
                let spec = ALL.iter().find(|spec| spec.name == name);
                let problem = wrong(what);
                found.problems.push(match spec {
                    Some(spec) => problem.of_setting(spec.name),
                    None => problem,
                });
            }
        }
    }
    Ok(found)
}

fn entry(
    text: &str,
    name: &str,
    value: Result<Secret, toml::Value>,
    found: &mut InFile,
) -> Result<(), Phrase> {
    let spec = ALL.iter().find(|spec| spec.name == name);
    let value = match (value, spec) {
        (Err(toml::Value::Table(_)), None) if name == "schedule" => {
            return Err(phrase!(
                "a schedule is a list; write [[schedule]] in two pairs of brackets",
                "定时任务是列表；请用两对方括号写 [[schedule]]",
            ));
        }
        (value, None) if name == "schedule" => {
            found.schedule = Found::all(entries(value, "[[schedule]]")?)?;
            return Ok(());
        }
        (value, None) if name == "webhook" => {
            found.webhooks = webhook::Found::all(entries(value, "[[webhook]]")?)?;
            return Ok(());
        }
        (value, None) => return Err(mistakes::unknown(text, name, value.err().as_ref())),
        (Ok(value), Some(_)) => value,
        (Err(toml::Value::Boolean(switch)), Some(spec)) if spec.kind == Kind::Switch => {
            switch.to_string().into()
        }
        (Err(_), Some(spec)) if spec.kind == Kind::Switch => {
            return Err(phrase!(
                "{line}`{name}` must be true or false, like {name} = true",
                "{line}`{name}` 必须是 true 或 false，例如 {name} = true",
                line = mistakes::line(text, name),
                name = name,
            ));
        }
        (Err(toml::Value::Integer(number)), Some(spec)) if spec.takes_integer() => {
            number.to_string().into()
        }
        (Err(_), Some(spec)) if spec.is_number() => {
            return Err(phrase!(
                "{line}`{name}` must be a whole number, like {name} = {example}",
                "{line}`{name}` 必须是整数，例如 {name} = {example}",
                line = mistakes::line(text, name),
                name = name,
                example = spec.example,
            ));
        }
        (Err(_), Some(spec)) => {
            return Err(phrase!(
                "{line}`{name}` must be a string in quotes, like {name} = \"{example}\"",
                "{line}`{name}` 必须是带引号的字符串，例如 {name} = \"{example}\"",
                line = mistakes::line(text, name),
                name = name,
                example = spec.example,
            ));
        }
    };
    found.values.insert(name.to_owned(), value);
    Ok(())
}

/// Returns the value that should be a list of entries. A text, which may be a secret, is left out of it.
fn entries(value: Result<Secret, toml::Value>, header: &str) -> Result<toml::Value, Phrase> {
    let value = value.err().unwrap_or_else(|| toml::Value::String(String::new()));
    match mistakes::swallowed(&value, header) {
        Some(what) => Err(what),
        None => Ok(value),
    }
}

/// Describes access of other users to the file that is too wide.
#[cfg(unix)]
pub(super) fn exposure(file: &Path, has_secrets: bool) -> Option<Phrase> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let may = match mode {
        mode if mode & 0o022 != 0 => Text::new("others may change it", "他人可以更改它"),
        mode if mode & 0o077 != 0 && has_secrets => {
            Text::new("others may read its secrets", "他人可以读取其中的密钥")
        }
        _ => return None,
    };
    Some(phrase!(
        "{file} has mode {mode}; {may}: chmod 600 {file}",
        "{file} 的权限为 {mode}，{may}：chmod 600 {file}",
        file = file.display(),
        mode = format!("{mode:04o}"),
        may = may,
    ))
}

#[cfg(not(unix))]
pub(super) fn exposure(_: &Path, _: bool) -> Option<Phrase> {
    None
}
