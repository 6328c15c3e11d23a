//! Numbers with their nouns, and widths of text on a terminal.

/// Returns the noun in the number of `n`.
pub(crate) fn of<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// A number and its noun: `1 page`, `2 pages`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", of(n, one, many))
}

/// Truncates the text to `width` columns, with `…` at a cut end.
pub(super) fn cut(text: &str, width: usize) -> String {
    if console::measure_text_width(text) <= width {
        return text.to_owned();
    }
    console::truncate_str(text, width, "…").into_owned()
}

/// Returns the columns of the terminal at standard error.
pub(super) fn columns() -> usize {
    crate::terminal::columns(&console::Term::stderr())
}
