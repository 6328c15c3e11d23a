//! Texts as a worksheet writes them.

use std::fmt::Write as _;

/// Appends a text as the content of an XML element.
///
/// A character that XML 1.0 forbids, or that its readers change, is written as Excel writes it: `_x0007_`. A
/// text that looks like such an escape gets one for its first character.
pub(super) fn escape(text: &str, out: &mut String) {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let entity = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '_' if will_be_escape(&text[at..]) => "_x005F_",
            c if is_forbidden(c) => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        match entity {
            // Writing into a text does not fail.
            "" => drop(write!(out, "_x{:04X}_", u32::from(c))),
            entity => out.push_str(entity),
        }
    }
    out.push_str(&text[plain..]);
}

/// Whether XML forbids the character. Readers turn a carriage return into a line feed, so that it counts, too.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The rest of a text that begins like an escape without its end, such as `_x0041`.
fn after_digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("_x")?.as_bytes().get(..4)?;
    // Both are ASCII.
    digits.iter().all(u8::is_ascii_hexdigit).then(|| &text[6..])
}

/// Whether the text begins with an escape, such as `_x0041_`.
fn is_escape(text: &str) -> bool {
    after_digits(text).is_some_and(|rest| rest.starts_with('_'))
}

/// Whether the text will begin with an escape once its other characters are escaped.
fn will_be_escape(text: &str) -> bool {
    after_digits(text).is_some_and(|rest| rest.starts_with(|c| c == '_' || is_forbidden(c)))
}

/// Returns the text of an element's content; `None` if it is not as [`escape`] writes it.
pub(super) fn unescape(content: &str) -> Option<String> {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find(['&', '_']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if is_escape(rest) {
            let code = u32::from_str_radix(&rest[2..6], 16).ok()?;
            out.push(char::from_u32(code)?);
            rest = &rest[7..];
            continue;
        }
        let entities = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("_", '_')];
        let (entity, c) = entities.into_iter().find(|it| rest.starts_with(it.0))?;
        out.push(c);
        rest = &rest[entity.len()..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        escape(text, &mut out);
        out
    }

    #[test]
    fn a_character_that_xml_forbids_is_escaped_as_excel_escapes_it() {
        for (text, content) in [
            ("\u{7}", "_x0007_"),
            ("\0", "_x0000_"),
            ("a\r\nb\tc", "a_x000D_\nb\tc"),
            ("\u{1f}\u{7f}\u{85}\u{fffe}\u{ffff}", "_x001F_\u{7f}\u{85}_xFFFE__xFFFF_"),
            ("<a>&\"'", "&lt;a&gt;&amp;\"'"),
            ("_x0041_", "_x005F_x0041_"),
            ("_x000D_", "_x005F_x000D_"),
            ("_x005F_x0041_", "_x005F_x005F_x005F_x0041_"),
            ("_xabcd_", "_x005F_xabcd_"),
            ("_x0041\u{7}", "_x005F_x0041_x0007_"),
            ("_x004_ _xx041_ _X0041_ _x0041", "_x004_ _xx041_ _X0041_ _x0041"),
            ("_x00é_x0041_", "_x00é_x005F_x0041_"),
            ("👨‍👩‍👧 𝒳", "👨‍👩‍👧 𝒳"),
        ] {
            assert_eq!(escaped(text), content, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_text_comes_back(text in "([_x0-9A-F\0\r\n\t<&>;]|\\PC|\u{fffe}){0,24}") {
            let content = escaped(&text);
            prop_assert_eq!(unescape(&content), Some(text));
            let forbidden = |c: char| c < ' ' && !"\n\t".contains(c) || c == '\u{fffe}';
            prop_assert!(!content.contains(forbidden) && !content.contains(['<', '>']));
        }
    }
}
