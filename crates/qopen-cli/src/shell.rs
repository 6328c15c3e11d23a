//! Words of a POSIX shell.

use crate::say::escaped;

/// Returns an option and its value in the words of a shell.
pub(crate) fn option(name: &str, value: &str) -> String {
    match value.starts_with('-') && value != "-" {
        true => quoted(&format!("{name}={value}")),
        false => format!("{name} {}", quoted(value)),
    }
}

/// Quotes a word for a POSIX shell, if it needs that.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "_-./:@%+=,".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", escaped(word).replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for (word, text) in [
            ("r1", "r1"),
            ("客服-1", "客服-1"),
            ("a b", "'a b'"),
            ("it's $HOME `x`", r"'it'\''s $HOME `x`'"),
            ("", "''"),
            ("~/x", "'~/x'"),
            ("a;b", "'a;b'"),
        ] {
            assert_eq!(quoted(word), text);
        }
        assert_eq!(option("--robot", "-x"), "--robot=-x");
        assert_eq!(option("--robot", "-x y"), "'--robot=-x y'");
        assert_eq!(option("--out", "-"), "--out -");
    }
}
