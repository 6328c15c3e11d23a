//! Finds words that the style of words refuses (docs/CONTRIBUTING.md), in documents, comments and texts.

use std::path::Path;

use crate::{Result, files};

/// Words and phrases that are refused, each between bars.
const REFUSED: &str = "|whoever|nobody|somebody|anybody|in vain|so many|as it was|where there is none|\
    is to be|that of|it is what|stands|taken up|let go of|comes to be|";

/// Sentences that may keep their words.
const ALLOWED: [&str; 5] = [
    // It does not mean "is".
    "stands for",
    // Published migrations are never changed.
    "for whoever writes into the same one",
    "Null where nobody knows whose it is",
    "whoever works on a pull sees the count",
    "A partial list stands beside the last complete one",
];

/// Folders and files that are generated, recorded or built, and this file.
const SKIPPED: [&str; 7] =
    ["target", "generated", "fixtures", "proptest-regressions", ".git", "CHANGELOG.md", "words.rs"];

/// Reads every document, comment and text of the repository.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    for path in files::below(root, &SKIPPED)? {
        let prose: fn(&str) -> String = match path.extension().and_then(|it| it.to_str()) {
            Some("rs") => rust,
            Some("md") => str::to_owned,
            Some("json") if path.ends_with("openapi.json") => str::to_owned,
            Some("toml" | "yaml" | "yml" | "sh" | "sql") => marked,
            None if path.parent() == Some(&root.join(".ci")) => marked,
            _ => continue,
        };
        let text = prose(&std::fs::read_to_string(&path)?);
        let path = path.strip_prefix(root).unwrap_or(&path).display();
        wrong.extend(refused(&text).iter().map(|(line, it)| format!("{path}:{line}: \"{it}\"")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// The refused phrases of a text with their lines. A phrase may go over a line's end.
fn refused(text: &str) -> Vec<(usize, &'static str)> {
    let text = ALLOWED.iter().fold(text.to_owned(), |text, it| text.replace(it, "\0"));
    let mut words: Vec<(usize, String)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut word = String::new();
        for letter in text.chars().chain([' ']) {
            if letter.is_alphanumeric() || letter == '_' {
                word.extend(letter.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                words.push((line + 1, std::mem::take(&mut word)));
            }
            if !letter.is_whitespace() {
                words.push((line + 1, letter.to_string()));
            }
        }
    }
    let mut found = Vec::new();
    for (at, (line, _)) in words.iter().enumerate() {
        let same = |phrase: &&str| {
            let mut rest = words[at..].iter().map(|(_, word)| word.as_str());
            phrase.split(' ').all(|it| rest.next() == Some(it))
        };
        found.extend(REFUSED.split('|').filter(same).map(|it| (*line, it)));
    }
    found
}

/// A text in which `#` and `--` begin comments, without these marks.
fn marked(text: &str) -> String {
    text.replace("--", "  ").replace('#', " ")
}

/// The comments and string literals of Rust code, line by line. Code becomes NUL.
///
/// A literal that is nothing but a refused phrase mentions it, as the list above does, and is left out.
fn rust(text: &str) -> String {
    let (mut prose, mut rest, mut in_name) = (String::new(), text, false);
    while let Some(letter) = rest.chars().next() {
        let literal = if in_name { None } else { literal(rest) };
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            prose.push_str(rest[..length].trim_start_matches(['/', '!']));
            length
        } else if rest.starts_with("/*") {
            let length = block(rest);
            prose.push_str(&rest[..length].replace(['*', '/'], " "));
            length
        } else if let Some((before, length)) = literal {
            let content = rest[before..length].trim_end_matches(['"', '#']);
            let content = content.replace("\\n", "  ").replace("\\\n", " \n").replace("\\\"", "\"");
            prose.push('\0');
            if !REFUSED.contains(&format!("|{content}|")) {
                prose.push_str(&content);
            }
            prose.push('\0');
            length
        } else {
            prose.push(if letter.is_whitespace() { letter } else { '\0' });
            // A quote that is a character begins no literal.
            let quotes = ["'\"'", "'\\\"'", "'\\''", "'\\\\'"];
            let quote = quotes.iter().find(|it| rest.starts_with(**it));
            quote.map_or(letter.len_utf8(), |it| it.len())
        };
        in_name = length == 1 && (letter.is_alphanumeric() || letter == '_');
        rest = &rest[length..];
    }
    prose
}

/// Where the content of a string literal begins, and the literal's length.
fn literal(text: &str) -> Option<(usize, usize)> {
    let prefix = text.find(|it| !matches!(it, 'b' | 'c' | 'r')).filter(|it| *it <= 2)?;
    let raw = text[..prefix].contains('r');
    let hashes = text[prefix..].bytes().take_while(|it| raw && *it == b'#').count();
    let begin = prefix + hashes + 1;
    if text.as_bytes().get(begin - 1) != Some(&b'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let mut at = begin;
    while at < text.len() && !text.as_bytes()[at..].starts_with(end.as_bytes()) {
        at += if !raw && text.as_bytes()[at] == b'\\' { 2 } else { 1 };
    }
    Some((begin, (at + end.len()).min(text.len())))
}

/// The length of a block comment; they nest.
fn block(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let pair = text.as_bytes().get(at..at + 2);
        match pair {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {}
        }
        at += if matches!(pair, Some(b"/*" | b"*/")) { 2 } else { 1 };
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, &'static str)> {
        refused(&rust(text))
    }

    #[test]
    fn comments_and_literals_are_read_and_code_is_not() {
        assert_eq!(lines("fn nobody() { stands() }\n// Nobody"), [(2, "nobody")]);
        assert_eq!(lines("/* a /* b */ whoever */ whoever"), [(1, "whoever")]);
        assert_eq!(lines("let a = \"in \\\"x\\\" vain\"; f(\"tried in vain\")"), [(1, "in vain")]);
        assert_eq!(lines("let a = r#\"a \"nobody\" b\"#; nobody"), [(1, "nobody")]);
        assert_eq!(lines("let a = b\"\\\\\"; whoever(\"// x\", 'a', '\"', '\\'', '\\u{1f}')"), []);
        assert_eq!(lines("fn f<'a>(a: &'a str) -> char { 'b' } // is to be"), [(1, "is to be")]);
    }

    #[test]
    fn a_phrase_goes_over_the_end_of_a_line_and_not_over_a_sign() {
        assert_eq!(lines("/// There are so\n/// many of them"), [(1, "so many")]);
        assert_eq!(lines("f(\"so \\\n  many of them\")"), [(1, "so many")]);
        assert_eq!(lines("// If so, many fail.\nf(\"so\", \"many\")"), []);
        assert_eq!(refused(&marked("# as it\n# was\n-- so\n-- many")).len(), 2);
    }

    #[test]
    fn a_mention_another_meaning_and_an_allowed_sentence_pass() {
        assert_eq!(lines("[\"nobody\", \"that of\"]; // `*` stands for any"), []);
        assert_eq!(lines("// It stands there"), [(1, "stands")]);
        assert_eq!(refused("A mark stands for a request."), []);
    }
}
