//! The settings file, `qopen.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use qopen::types::Secret;
use zeroize::Zeroizing;

use super::spec::ALL;
use crate::exit::Failure;
use crate::serve::Found;

/// What a settings file holds: values by name, and pulls at set times.
type InFile = (BTreeMap<String, Secret>, Vec<Found>);

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
    // Whatever is a text may be a secret, wherever it stands: it is wiped also when the rest is wrong.
    let table: Vec<(String, Result<Secret, toml::Value>)> = table
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::String(text) => (name, Ok(Secret::new(text))),
            value => (name, Err(value)),
        })
        .collect();
    let mut values = BTreeMap::new();
    let mut schedule = Vec::new();
    for (name, value) in table {
        let spec = ALL.iter().find(|spec| spec.name == name);
        let value = match (value, spec) {
            // What stands here is no secret.
            (Err(value), None) if name == "schedule" => {
                schedule = Found::all(value).map_err(wrong)?;
                continue;
            }
            (Ok(_), None) if name == "schedule" => {
                schedule = Found::all(toml::Value::String(String::new())).map_err(wrong)?;
                continue;
            }
            (_, None) => {
                let known: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
                return Err(wrong(format!(
                    "no setting is called `{name}`; there are {} and [[schedule]]",
                    known.join(", ")
                )));
            }
            (Ok(value), Some(_)) => value,
            (Err(toml::Value::Integer(number)), Some(spec)) if !spec.secret => {
                number.to_string().into()
            }
            (Err(_), Some(_)) => {
                return Err(wrong(format!("`{name}` must be a string in quotes")));
            }
        };
        values.insert(name, value);
    }
    Ok(Some((values, schedule)))
}

/// What others than its owner may do with the file and should not.
#[cfg(unix)]
pub(super) fn exposure(file: &Path, has_secrets: bool) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let file = file.display();
    let may = match mode {
        mode if mode & 0o022 != 0 => "others may change it",
        mode if mode & 0o077 != 0 && has_secrets => "others may read its secrets",
        _ => return None,
    };
    Some(format!("{file} has mode {mode:04o}; {may}: chmod 600 {file}"))
}

#[cfg(not(unix))]
pub(super) fn exposure(_: &Path, _: bool) -> Option<String> {
    None
}
