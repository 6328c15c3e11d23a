//! The document around every page.

use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::lang::Lang;

/// A whole document.
pub(super) fn document(lang: Lang, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · qopen" }
                link rel="stylesheet" href=(STYLE.path);
                link rel="icon" href=(ICON.path);
                script src=(SCRIPT.path) defer {}
            }
            body { (body) }
        }
    }
}
