//! No dependency's type is in a public signature, unless the crate's manifest allows it.
//!
//! The list is in the format of cargo-check-external-types. That program needs one of a few nightly compilers,
//! and does not report unused entries.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::json;
use crate::Result;
use crate::cargo::{Metadata, Package};

/// Where a manifest has its list, below `[package.metadata]`.
const LIST: &str = "/cargo_check_external_types/allowed_external_types";

/// The language's own crates, and traits that most crates implement.
const COMMON: [&str; 5] = ["std", "core", "alloc", "serde", "serde_core"];

/// Fails if a crate shows a type that its manifest does not allow.
pub(super) fn check(metadata: &Metadata, folder: &Path) -> Result<()> {
    let mut wrong = BTreeSet::new();
    for package in metadata.libraries() {
        let name = package.name();
        let json = serde_json::from_str(&std::fs::read_to_string(json::of(folder, name))?)?;
        let mut allowed = Allowed::of(package)?;
        let foreign = foreign_types(&json, &mut allowed);
        wrong.extend(foreign.into_iter().map(|it| format!("{name}: {it}")));
        let unused = allowed.unused().map(|it| format!("{name}: allows {it}, and shows none"));
        wrong.extend(unused);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "foreign types in public signatures:\n  {}",
        wrong.into_iter().collect::<Vec<_>>().join("\n  ")
    )
    .into())
}

/// What a crate may show: paths of types, with `*` at the end for all that begin so.
struct Allowed<'a>(Vec<(&'a str, bool)>);

impl<'a> Allowed<'a> {
    fn of(package: Package<'a>) -> Result<Self> {
        let Some(list) = package.metadata(LIST) else { return Ok(Self(Vec::new())) };
        let patterns: Option<Vec<_>> = list
            .as_array()
            .and_then(|it| it.iter().map(|it| Some((it.as_str()?, false))).collect());
        let name = package.name();
        Ok(Self(
            patterns
                .ok_or_else(|| format!("{name}: allowed_external_types is no list of texts"))?,
        ))
    }

    /// Whether a type may be shown; notes by which entry.
    fn allows(&mut self, path: &str) -> bool {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == pattern,
        };
        let mut found = false;
        for (_, is_used) in self.0.iter_mut().filter(|(pattern, _)| fits(pattern)) {
            (*is_used, found) = (true, true);
        }
        found
    }

    fn unused(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|(_, is_used)| !is_used).map(|(pattern, _)| *pattern)
    }
}

fn foreign_types(json: &Value, allowed: &mut Allowed<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (Some(index), Some(paths)) = (json["index"].as_object(), json["paths"].as_object()) else {
        found.insert("rustdoc's JSON is not understood".to_owned());
        return found;
    };
    let crate_name = |id: &Value| {
        let path = paths.get(&id.to_string())?;
        let names: Vec<&str> = path["path"].as_array()?.iter().filter_map(Value::as_str).collect();
        Some((names.first()?.to_string(), names.join("::")))
    };
    if paths.is_empty() || index.is_empty() {
        found.insert("rustdoc's JSON holds nothing".to_owned());
    }
    for item in index.values() {
        let inner = &item["inner"];
        // The compiler and blanket implementations add these to every type.
        let given =
            !inner["impl"]["blanket_impl"].is_null() || inner["impl"]["is_synthetic"] == true;
        let local = item["crate_id"] == 0;
        let shown = matches!(item["visibility"].as_str(), Some("public" | "default"));
        // An item that another crate's module re-exports is allowed.
        if !local || !shown || given || !inner["use"].is_null() || !inner["module"].is_null() {
            continue;
        }
        let mut ids = Vec::new();
        collect(inner, &mut ids);
        for id in ids {
            let Some((owner, path)) = crate_name(id) else {
                continue;
            };
            let ours = owner.starts_with("qopen");
            if !ours && !COMMON.contains(&owner.as_str()) && !allowed.allows(&path) {
                let item = item["name"].as_str().unwrap_or("an implementation");
                found.insert(format!("{path} in {item}"));
            }
        }
    }
    found
}

/// The ids of all named types and traits.
fn collect<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for key in ["resolved_path", "trait"] {
                out.extend(fields.get(key).and_then(|it| it.get("id")));
            }
            fields.values().for_each(|it| collect(it, out));
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, out)),
        _ => {}
    }
}
