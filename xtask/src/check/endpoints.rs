//! Every endpoint and every event of the specification has what no generator can make.
//!
//! docs/CONTRIBUTING.md has the steps; this check finds a forgotten one by the names that its files must have.

use std::path::Path;

use crate::codegen::Model;
use crate::{Result, files};

/// A file or folder that must name something, and what to do if it does not.
struct Step {
    place: &'static str,
    names: String,
    action: &'static str,
}

pub(crate) fn check(root: &Path, spec: &Path) -> Result<()> {
    let model = Model::read(&std::fs::read_to_string(spec)?)?;
    let mut forgotten = Vec::new();
    for Step { place, names, action } in steps(&model) {
        if !is_named(&root.join(place), &names)? {
            forgotten.push(format!("{place} does not name {names}: {action}"));
        }
    }
    if forgotten.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\n  docs/CONTRIBUTING.md has the steps (\"Adding an endpoint\")",
        forgotten.join("\n  ")
    )
    .into())
}

fn steps(model: &Model) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |place, names: String, action| steps.push(Step { place, names, action });
    for it in &model.endpoints {
        add("crates/qopen-types/tests", it.response.clone(), "test how the response is read");
        add("crates/qopen-simulator/src", format!("{}::PATH", it.name), "give it a route");
        add("docs/PROTOCOL.md", it.name.clone(), "describe the endpoint");
    }
    for it in &model.types {
        let Some(event_type) = it.event_type else { continue };
        let event_type = event_type.to_string();
        add("crates/qopen-types/tests", it.name.clone(), "test how the payload is read");
        add("crates/qopen/tests", event_type.clone(), "test what a client does with the event");
        add("docs/PROTOCOL.md", event_type, "describe the event");
    }
    steps
}

/// Whether a file, or one in a folder, has a text.
fn is_named(place: &Path, text: &str) -> Result<bool> {
    let is_folder =
        std::fs::metadata(place).map_err(|error| format!("{}: {error}", place.display()))?.is_dir();
    let files = if is_folder { files::below(place, &[])? } else { vec![place.to_owned()] };
    for file in files {
        if String::from_utf8_lossy(&std::fs::read(file)?).contains(text) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SMALL: &str = include_str!("../codegen/tests/fixtures/small.yaml");

    #[test]
    fn each_forgotten_step_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let spec = root.join("spec.yaml");
        fs::write(&spec, SMALL).unwrap();
        let all = steps(&Model::read(SMALL).unwrap());
        assert_eq!(all.len(), 6);
        let write = |without: usize| {
            for step in &all {
                let place = root.join(step.place);
                let file = if step.place.ends_with(".md") { place } else { place.join("a/b.rs") };
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                let others = all
                    .iter()
                    .enumerate()
                    .filter(|(other, it)| it.place == step.place && *other != without);
                let names: Vec<_> = others.map(|(_, it)| it.names.as_str()).collect();
                fs::write(&file, names.join("\n")).unwrap();
            }
        };
        write(usize::MAX);
        check(root, &spec).unwrap();
        for (n, step) in all.iter().enumerate() {
            write(n);
            let found = check(root, &spec).unwrap_err().to_string();
            assert!(
                found.starts_with(&format!("{} does not name {}", step.place, step.names)),
                "{found}"
            );
        }
    }
}
