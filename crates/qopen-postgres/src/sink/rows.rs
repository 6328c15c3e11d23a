//! Rows in COPY's text format.

/// Writes a row in COPY's text format. PostgreSQL's texts cannot have NUL: U+FFFD replaces it.
pub(super) fn put_row(out: &mut Vec<u8>, row: &[impl AsRef<str>]) {
    for (n, text) in row.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        for byte in text.as_ref().bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0 => out.extend_from_slice("\u{fffd}".as_bytes()),
                other => out.push(other),
            }
        }
    }
    out.push(b'\n');
}

/// An array of texts, as a text.
pub(super) fn text_array(texts: &[String]) -> String {
    let mut out = String::from("{");
    for (n, text) in texts.iter().enumerate() {
        out.push_str(if n > 0 { ",\"" } else { "\"" });
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    }
    out.push('}');
    out
}
