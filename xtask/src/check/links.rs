//! Each link of a Markdown page to a file of this repository leads to one, and to an anchor that it has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::markdown::{self, Section};
use crate::{Result, files};

/// Addresses of this repository's files, for pages that are read elsewhere.
const REPOSITORY: [&str; 2] = [
    "https://github.com/qopen-rs/qopen/blob/main/",
    "https://github.com/qopen-rs/qopen/tree/main/",
];

/// The sections of each page, by its path without links and `..`.
type Pages = BTreeMap<PathBuf, Vec<Section>>;

/// Reads every Markdown page of the repository.
pub(crate) fn check(root: &Path) -> Result<()> {
    let root = root.canonicalize()?;
    let mut pages = Pages::new();
    for path in files::below(&root, &["target", ".git"])? {
        if path.extension().is_some_and(|it| it == "md") {
            let sections = markdown::sections(&std::fs::read_to_string(&path)?);
            pages.insert(path, sections);
        }
    }
    let mut wrong = Vec::new();
    for (page, sections) in &pages {
        let name = page.strip_prefix(&root).unwrap_or(page).display();
        for (line, target) in sections.iter().flat_map(Section::links) {
            let problem = problem(&root, &pages, page, target);
            wrong.extend(problem.map(|it| format!("{name}:{line}: {target}: {it}")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// Says what a link of a page lacks.
fn problem(root: &Path, pages: &Pages, page: &Path, target: &str) -> Option<&'static str> {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let place = match REPOSITORY.iter().find_map(|it| path.strip_prefix(it)) {
        Some(inside) => root.join(inside),
        None if path.contains("://") || path.starts_with("mailto:") => return None,
        None if path.is_empty() => page.to_owned(),
        None => page.parent()?.join(path),
    };
    let Ok(place) = place.canonicalize() else {
        return Some("no such file; correct the path");
    };
    let place = if place.is_dir() { place.join("README.md") } else { place };
    let (anchor, sections) = (anchor?, pages.get(&place)?);
    let is_there = sections.iter().any(|it| it.has_anchor(anchor));
    (!is_there).then_some("no such heading there; correct the anchor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        std::fs::create_dir_all(root.join("docs/vectors"))?;
        std::fs::write(root.join("docs/vectors/README.md"), "# A\n## 中文\n")?;
        std::fs::write(root.join("docs/b.rs"), "")?;
        std::fs::write(
            root.join("docs/a.md"),
            format!("# One\n\n## <a id=\"own\"></a>二\n{text}"),
        )?;
        check(root)
    }

    #[test]
    fn links_to_what_is_there_pass() {
        let there = [
            "[a](#one) [b](#own) [c](#二) [d](a.md#own) [e](../docs/a.md)",
            "[a](vectors) [b](vectors#中文) [c](vectors/README.md#a) [d](b.rs) [e](b.rs#L1)",
            "[a](https://a.example/b#c) [b](mailto:a@a.example)",
            "[a](https://github.com/qopen-rs/qopen/blob/main/docs/a.md#one)",
            "[a](https://github.com/qopen-rs/qopen/tree/main/docs/vectors#a)",
            "`[a](b)`\n```md\n[a](b)\n```",
        ];
        for text in there {
            checked(text).unwrap();
        }
    }

    #[test]
    fn links_to_what_is_missing_are_named_with_their_lines() {
        let missing = [
            ("[a](#two)", "heading"),
            ("[a](vectors#b)", "heading"),
            ("[a](b.md)", "file"),
            ("[a](../a.md#one)", "file"),
            ("[a](https://github.com/qopen-rs/qopen/blob/main/a.md)", "file"),
            ("[a](https://github.com/qopen-rs/qopen/blob/main/docs/a.md#two)", "heading"),
        ];
        for (text, what) in missing {
            let error = checked(text).unwrap_err().to_string();
            assert!(error.starts_with("docs/a.md:4: "), "{error}");
            assert!(error.contains(&format!("no such {what}")), "{error}");
        }
    }
}
