//! Keys that are there twice.

use std::collections::BTreeSet;

/// Says of each key of a mapping that is there twice, on which line. The reader of YAML takes the last one
/// and says nothing. Looks at the keys that begin a line.
pub(super) fn of(yaml: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut open: Vec<(usize, BTreeSet<&str>)> = Vec::new();
    let mut text_below = None;
    for (n, line) in yaml.lines().enumerate() {
        let bare = line.trim_start();
        let mut indent = line.len() - bare.len();
        if bare.is_empty() || bare.starts_with('#') || text_below.is_some_and(|it| indent > it) {
            continue;
        }
        text_below = None;
        let key_line = bare.trim_start_matches("- ");
        open.retain(|(at, _)| *at <= indent);
        if key_line.len() < bare.len() {
            indent += bare.len() - key_line.len();
            open.retain(|(at, _)| *at < indent);
        }
        if key_line.starts_with('{') {
            continue;
        }
        let Some((key, rest)) =
            key_line.split_once(": ").or(key_line.strip_suffix(':').map(|it| (it, "")))
        else {
            continue;
        };
        text_below = rest.trim_start().starts_with(['>', '|']).then_some(indent);
        if open.last().is_none_or(|(at, _)| *at < indent) {
            open.push((indent, BTreeSet::new()));
        }
        if open.last_mut().is_some_and(|(_, keys)| !keys.insert(key)) {
            wrong.push(format!("line {}: `{key}` is there twice", n + 1));
        }
    }
    wrong
}
