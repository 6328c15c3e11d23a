//! Pages of the documentation that come from declarations.

use std::path::{Path, PathBuf};

/// Returns the path of a page.
pub(crate) fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

/// Asserts that a page is as `declared` makes it of the present one. `INSTA_UPDATE=always` writes it instead.
pub(crate) fn assert_page(name: &str, declared: impl FnOnce(&str) -> String) {
    let path = page(name);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let declared = declared(&written);
    if written != declared && std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&path, declared).expect("written");
        return;
    }
    assert!(written == declared, "{name} is stale; INSTA_UPDATE=always writes it");
}

/// Asserts the same of a table, whose first line begins with `head`.
pub(crate) fn assert_table(name: &str, head: &str, table: &str) {
    assert_page(name, |page| {
        let start = page.find(head).expect("the table");
        let end = start + page[start..].find("\n\n").expect("its end") + 1;
        format!("{}{table}{}", &page[..start], &page[end..])
    });
}
