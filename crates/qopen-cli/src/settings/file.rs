//! The settings file, `qopen.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::spec::ALL;
use crate::exit::Failure;
use crate::serve::Entry;

/// What a settings file holds: values by name, and pulls at set times.
type InFile = (BTreeMap<String, Secret>, Vec<Entry>);

/// The file's values; `None` where there is no file and none was named.
pub(super) fn read(path: &Path, explicit: bool) -> Result<Option<InFile>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => return Ok(None),
        Err(error) => {
            return Err(Failure::usage_of(
                &format!("the settings file {}", path.display()),
                &error,
            ));
        }
    };
    let wrong =
        |what: String| Failure::usage(format!("the settings file {}: {what}", path.display()));
    // The parser's own message quotes the line, and the line may hold a secret.
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        wrong(format!("line {line} is not TOML; a setting is written name = \"value\""))
    })?;
    let mut values = BTreeMap::new();
    let mut schedule = Vec::new();
    for (name, value) in table {
        if name == "schedule" {
            // What stands here is no secret.
            schedule = value.try_into().map_err(|error: toml::de::Error| {
                wrong(format!("[[schedule]]: {}", error.message()))
            })?;
            continue;
        }
        let Some(spec) = ALL.iter().find(|spec| spec.name == name) else {
            let known: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
            return Err(wrong(format!(
                "no setting is called `{name}`; there are {}",
                known.join(", ")
            )));
        };
        let value = match value {
            toml::Value::String(value) => value,
            toml::Value::Integer(number) if !spec.secret => number.to_string(),
            _ => return Err(wrong(format!("`{name}` must be a string in quotes"))),
        };
        values.insert(name, Secret::new(value));
    }
    Ok(Some((values, schedule)))
}

/// The mode of a file that others than its owner may read or write: it may hold secrets.
#[cfg(unix)]
pub(super) fn mode_open_to_others(file: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(super) fn mode_open_to_others(_: &Path) -> Option<u32> {
    None
}
