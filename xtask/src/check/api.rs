//! No dependency's type stands in a public signature, but where that is the point.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::Result;
use crate::cargo::command;

/// The published libraries, and the foreign crates whose types they may show: axum's router and
/// tokio's socket where routes are the
/// product and are served, and futures-core's `Stream` where there is no other name for it.
const CRATES: [(&str, &[&str]); 10] = [
    ("qopen-types", &[]),
    ("qopen-assembler", &[]),
    ("qopen-http", &[]),
    ("qopen-callback", &["axum", "tokio"]),
    ("qopen-journal", &["futures_core"]),
    ("qopen-sink", &[]),
    ("qopen-engine", &[]),
    ("qopen", &["axum"]),
    ("qopen-postgres", &["futures_core"]),
    ("qopen-simulator", &[]),
];

/// The language's own crates, and the traits that everybody implements.
const COMMON: [&str; 5] = ["std", "core", "alloc", "serde", "serde_core"];

pub(crate) fn check(root: &Path) -> Result<()> {
    make_json(root)?;
    let mut wrong = BTreeSet::new();
    for (name, allowed) in CRATES {
        let json = rustdoc_json(root, name)?;
        for foreign in foreign_types(&json, allowed) {
            wrong.insert(format!("{name}: {foreign}"));
        }
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

/// Set for the process that stands in for rustdoc.
const STAND_IN: &str = "QOPEN_XTASK_IS_RUSTDOC";

/// Makes every crate's description of itself.
///
/// Rustdoc's JSON is the compiler's own view of the API, and is not stable yet: only names are
/// taken from it, and a layout that is not understood is an error, not a pass. The switch that
/// allows it must reach rustdoc and not the compiler, or every dependency is built anew; so this
/// program stands between cargo and rustdoc.
fn make_json(root: &Path) -> Result<()> {
    let doc = ["doc", "--workspace", "--no-deps", "--lib", "--all-features", "--locked"];
    let status = command(root, &doc)
        .env("RUSTDOC", std::env::current_exe()?)
        .env(STAND_IN, "1")
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json")
        .status()?;
    if status.success() { Ok(()) } else { Err("rustdoc failed".into()) }
}

/// In the process that stands in for rustdoc: runs it, and says how it ended.
pub(crate) fn stand_in() -> Option<std::process::ExitCode> {
    std::env::var_os(STAND_IN)?;
    let status = std::process::Command::new("rustdoc")
        .args(std::env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1")
        .status();
    let success = status.is_ok_and(|it| it.success());
    Some(if success { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE })
}

fn rustdoc_json(root: &Path, name: &str) -> Result<Value> {
    let file = root.join("target/doc").join(format!("{}.json", name.replace('-', "_")));
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn foreign_types(json: &Value, allowed: &[&str]) -> BTreeSet<String> {
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
        // Implementations that the compiler or another crate's blanket gives to everything.
        let given =
            !inner["impl"]["blanket_impl"].is_null() || inner["impl"]["is_synthetic"] == true;
        let local = item["crate_id"] == 0;
        let shown = matches!(item["visibility"].as_str(), Some("public" | "default"));
        // What another crate's module re-exports of itself is ours to pass on.
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
            if !ours && !COMMON.contains(&owner.as_str()) && !allowed.contains(&owner.as_str()) {
                let item = item["name"].as_str().unwrap_or("an implementation");
                found.insert(format!("{path} in {item}"));
            }
        }
    }
    found
}

/// The ids of every type and trait that is named.
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
