//! Texts with code.

use maud::{Markup, html};

/// Shows the parts of a text between backticks as code.
pub(super) fn coded(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::coded;

    #[test]
    fn a_part_between_backticks_is_code() {
        let shown = coded("`a <b>` and `c`.").into_string();
        assert_eq!(shown, "<code>a &lt;b&gt;</code> and <code>c</code>.");
        assert_eq!(coded("plain").into_string(), "plain");
    }
}
