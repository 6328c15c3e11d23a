//! The crates in the binary, and the texts of their licences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cargo::command;
use crate::program::output;
use crate::{Result, files};

/// A crate of another project that is linked into the binary.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its licences, as an SPDX expression.
    pub(crate) licence: String,
    pub(crate) repository: Option<String>,
    pub(crate) folder: PathBuf,
}

/// Returns the crates that are linked into the binary of a target, without those of the workspace.
pub(crate) fn components(root: &Path, target: &str) -> Result<BTreeSet<Component>> {
    // Unlike the metadata, the tree has the features of the binary alone.
    let tree = ["tree", "--locked", "-p", "qopen-cli", "-e", "normal,no-proc-macro"];
    let form = ["--target", target, "--prefix", "none", "-f", "{p}"];
    let tree = output(&mut command(root, &[&tree[..], &form].concat()))?;
    let linked: BTreeSet<(&str, &str)> = tree.lines().filter_map(name_and_version).collect();
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", target];
    let metadata: Value = serde_json::from_str(&output(&mut command(root, &arguments))?)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let mut components = BTreeSet::new();
    for package in packages.iter().filter(|it| !it["source"].is_null()) {
        let text = |name: &str| package[name].as_str();
        let (name, version) = (text("name").unwrap_or(""), text("version").unwrap_or(""));
        if !linked.contains(&(name, version)) {
            continue;
        }
        let manifest = Path::new(text("manifest_path").ok_or("a crate has no manifest")?);
        components.insert(Component {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: text("license").unwrap_or("see the texts").to_owned(),
            repository: text("repository").map(str::to_owned),
            folder: manifest.parent().unwrap_or(manifest).to_owned(),
        });
    }
    if components.is_empty() {
        return Err("the list of components is empty".into());
    }
    Ok(components)
}

/// The name and the version in a line of cargo's tree: `serde v1.0.0`, and more words.
fn name_and_version(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// Returns the components as a bill of materials: CycloneDX 1.5.
pub(crate) fn bill(version: &str, target: &str, components: &BTreeSet<Component>) -> String {
    let purl =
        |name: &str, version: &str| format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
    let component = |it: &Component| {
        let purl = purl(&it.name, &it.version);
        let mut component = json!({
            "type": "library",
            "bom-ref": purl,
            "name": it.name,
            "version": it.version,
            "purl": purl,
            // Old manifests have a slash for "or".
            "licenses": [{ "expression": it.licence.replace('/', " OR ") }],
        });
        if let Some(url) = &it.repository {
            component["externalReferences"] = json!([{ "type": "vcs", "url": url }]);
        }
        component
    };
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": purl("qopen-cli", version),
                "name": "qopen",
                "version": version,
                "purl": purl("qopen-cli", version),
                "properties": [{ "name": "target", "value": target }],
            },
        },
        "components": components.iter().map(component).collect::<Vec<_>>(),
    });
    format!("{bill:#}\n")
}

/// Returns every licence text of the components once, with the crates to which it applies. A crate under the MIT licence
/// that has no file with a text gets the standard one, `mit`.
///
/// # Errors
/// A crate has no text, and is not under the MIT licence.
pub(crate) fn texts(components: &BTreeSet<Component>, mit: &str) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut bare = Vec::new();
    for it in components {
        let title = format!("{} {} ({})", it.name, it.version, it.licence);
        let found = files::below(&it.folder, &["target", "tests", "benches"])?;
        let found = found.into_iter().filter(|path| is_licence(path));
        let mut has_text = false;
        for path in found {
            let bytes = std::fs::read(&path)?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            let crates = texts.entry(text.trim_end().to_owned()).or_default();
            if !crates.contains(&title) {
                crates.push(title.clone());
            }
            has_text = true;
        }
        if !has_text {
            if !it.licence.split([' ', '/', '(', ')']).any(|word| word == "MIT") {
                return Err(format!("{title} has no file with the text of its licence").into());
            }
            let from = it.repository.as_deref().unwrap_or("crates.io");
            bare.push(format!("{title}: {from}"));
            texts.entry(mit.trim_end().to_owned()).or_default().push(title);
        }
    }
    let mut by_crates: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, crates)| (crates, text)).collect();
    by_crates.sort();
    let line = "=".repeat(80);
    let mut all = "Licences of the crates that the binary contains. Each text follows the crates that have it.\n".to_owned();
    if !bare.is_empty() {
        all.push_str("\nThese crates name the MIT licence in their manifest, and have no file with its text. The standard text is below:\n");
        bare.iter().for_each(|it| all.push_str(&format!("  {it}\n")));
    }
    for (crates, text) in by_crates {
        all.push_str(&format!("\n{line}\n{}\n{line}\n\n{text}\n", crates.join("\n")));
    }
    Ok(all)
}

fn is_licence(path: &Path) -> bool {
    const BEGINNINGS: [&str; 6] =
        ["license", "licence", "copying", "copyright", "notice", "unlicense"];
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_text = path.extension().is_none_or(|it| it != "rs" && it != "toml" && it != "html");
    is_text && BEGINNINGS.iter().any(|it| name.starts_with(it))
}
