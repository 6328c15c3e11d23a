//! Markdown pages as the checks read them: headings with anchors, code blocks, links, and code in sentences.

use std::collections::BTreeSet;

/// A heading, and everything down to the next one.
#[derive(Default)]
pub(super) struct Section {
    /// Line of the heading, from 1.
    pub(super) line: usize,
    /// Number of `#`; 0 for what comes before the first heading.
    pub(super) level: usize,
    /// Anchor that GitHub gives to the heading.
    pub(super) anchor: String,
    /// Anchor that the heading gives itself: `<a id="…">`.
    pub(super) id: Option<String>,
    pub(super) blocks: Vec<Block>,
    /// Number of items in lists.
    pub(super) items: usize,
    /// Number of lines of tables.
    pub(super) rows: usize,
    /// Heading and sentences. Lines of code blocks are empty, so that lines can be counted.
    prose: String,
}

/// A code block.
pub(super) struct Block {
    /// Line of the fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) lines: Vec<String>,
}

impl Section {
    /// Anchor by which links name the section: its own, else GitHub's.
    pub(super) fn name(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.anchor)
    }

    /// Whether a link to this anchor leads into the section.
    pub(super) fn has_anchor(&self, anchor: &str) -> bool {
        self.anchor == anchor || self.prose.contains(&format!("<a id=\"{anchor}\">"))
    }

    /// Targets of the links, with their lines.
    pub(super) fn links(&self) -> Vec<(usize, &str)> {
        let links = inline(&self.prose).into_iter().filter(|it| it.kind == Kind::Link);
        links.map(|it| (self.line + it.line, it.text)).collect()
    }

    /// Code in sentences, with one space for any white space.
    pub(super) fn code(&self) -> BTreeSet<String> {
        let code = inline(&self.prose).into_iter().filter(|it| it.kind == Kind::Code);
        code.map(|it| it.text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }
}

/// Reads the sections of a page.
pub(super) fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![Section { line: 1, ..Section::default() }];
    let mut anchors: Vec<String> = Vec::new();
    let mut fence = None;
    for (number, line) in (1..).zip(page.lines()) {
        let (begin, level) = (line.trim_start(), level(line));
        if fence.is_none() && level > 0 {
            let made = anchor(line);
            let earlier = anchors.iter().filter(|it| **it == made).count();
            let unique = if earlier == 0 { made.clone() } else { format!("{made}-{earlier}") };
            anchors.push(made);
            sections.push(Section { line: number, level, anchor: unique, ..Section::default() });
        }
        let section = sections.last_mut().expect("the first one was given");
        if level > 0 && section.line == number {
            section.id = between(line, "<a id=\"", "\"").map(str::to_owned);
        }
        match fence {
            Some(mark) if begin.starts_with(mark) => fence = None,
            Some(_) => {
                let block = section.blocks.last_mut().expect("a fence begins one");
                block.lines.push(line.to_owned());
            }
            None if begin.starts_with("```") => {
                let (mark, language) =
                    begin.split_at(begin.find(|it| it != '`').unwrap_or(begin.len()));
                fence = Some(mark);
                let language = language.trim().to_owned();
                section.blocks.push(Block { line: number, language, lines: Vec::new() });
            }
            None => {
                section.items += usize::from(is_item(begin));
                section.rows += usize::from(begin.starts_with('|'));
                section.prose.push_str(line);
            }
        }
        section.prose.push('\n');
    }
    sections.retain(|it| it.level > 0 || !it.prose.trim().is_empty());
    sections
}

/// The number of `#` that make a line a heading, or 0.
fn level(line: &str) -> usize {
    let level = line.bytes().take_while(|it| *it == b'#').count();
    if line[level..].starts_with(' ') && level <= 6 { level } else { 0 }
}

fn is_item(begin: &str) -> bool {
    let rest = begin.strip_prefix(['-', '*']);
    let digits = begin.trim_start_matches(|it: char| it.is_ascii_digit());
    let numbered = digits.strip_prefix('.').filter(|_| digits.len() < begin.len());
    rest.or(numbered).is_some_and(|it| it.starts_with(' '))
}

/// The anchor that GitHub gives to a heading: letters of any script, in lower case, digits, `_`, and `-` for
/// each space. Signs are left out. A later heading of the same anchor gets a number, too.
fn anchor(heading: &str) -> String {
    let visible = visible(heading.trim_start_matches('#').trim());
    let kept = visible.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|it| if it == ' ' { '-' } else { it }).collect()
}

/// A heading without its tags and without the targets of its links.
fn visible(heading: &str) -> String {
    let mut heading = heading.to_owned();
    for (begin, end) in [("<a ", ">"), ("</a", ">"), ("](", ")")] {
        while let Some(inner) = between(&heading, begin, end) {
            heading = heading.replacen(&format!("{begin}{inner}{end}"), "", 1);
        }
    }
    heading
}

/// What comes between the first `begin` of a text and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(begin)?.1.split_once(end)?.0)
}

#[derive(PartialEq)]
enum Kind {
    Code,
    Link,
}

/// Code in a sentence, or the target of a link.
struct Inline<'a> {
    kind: Kind,
    /// Number of lines before it.
    line: usize,
    text: &'a str,
}

fn inline(prose: &str) -> Vec<Inline<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = prose[at..].find(['`', ']']) {
        at += next;
        let rest = &prose[at..];
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (kind, begin, end) = match ticks {
            0 => (Kind::Link, "](", ")"),
            _ => (Kind::Code, &rest[..ticks], &rest[..ticks]),
        };
        let inner = rest.strip_prefix(begin).and_then(|it| it.split_once(end)).map(|it| it.0);
        match inner.filter(|it| !it.contains("\n\n")) {
            Some(text) => {
                found.push(Inline { kind, line: prose[..at].matches('\n').count(), text });
                at += begin.len() + text.len() + end.len();
            }
            None => at += ticks.max(1),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_made_as_github_makes_it() {
        let cases = [
            ("# Guide", "guide"),
            ("## When a list is complete", "when-a-list-is-complete"),
            ("## 6. Siblings of the customer list", "6-siblings-of-the-customer-list"),
            ("## `--max-gone`, and others: why?", "--max-gone-and-others-why"),
            ("## Log & terminal", "log--terminal"),
            ("## snake_case and Ünïcode", "snake_case-and-ünïcode"),
            ("## [A link](https://a.example/b)", "a-link"),
            ("### 各个 crate", "各个-crate"),
            ("## “完整”是推断：为什么？", "完整是推断为什么"),
            ("## <a id=\"guards\"></a>保护规则", "保护规则"),
        ];
        for (heading, expected) in cases {
            assert_eq!(anchor(heading), expected, "{heading}");
        }
    }

    #[test]
    fn a_heading_ends_a_section_and_a_comment_in_code_does_not() {
        let page =
            "before\n# One\n```sh\n# comment\n```\n#hashtag\n## One\n### <a id=\"x\"></a>一\n";
        let found = sections(page);
        let seen: Vec<_> = found.iter().map(|it| (it.line, it.level, it.name())).collect();
        assert_eq!(seen, [(1, 0, ""), (2, 1, "one"), (7, 2, "one-1"), (8, 3, "x")]);
        assert_eq!(found[1].blocks[0].language, "sh");
        assert_eq!(found[1].blocks[0].lines, ["# comment"]);
        assert!(found[3].has_anchor("x") && found[3].has_anchor("一"));
        assert!(!found[3].has_anchor("one"));
    }

    #[test]
    fn links_and_code_of_sentences_are_found_with_their_lines() {
        let page = "# A\n\n- [`a` b](c.md#d) and `e\n  f`\n- ``g ` h``, ` alone\n\n| `[i](j)` | [k\nl](m) |\n";
        let section = &sections(page)[0];
        assert_eq!(section.links(), [(3, "c.md#d"), (8, "m")]);
        let code: Vec<_> = section.code().into_iter().collect();
        assert_eq!(code, ["[i](j)", "a", "e f", "g ` h"]);
        assert_eq!((section.items, section.rows), (2, 1));
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let found = sections("# A\n````md\n```sh\n[x](y)\n```\n````\n[z](w)\n");
        assert_eq!(found[0].blocks.len(), 1);
        assert_eq!(found[0].blocks[0].lines.len(), 3);
        assert_eq!(found[0].links(), [(7, "w")]);
    }
}
