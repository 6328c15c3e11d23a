//! The Chinese pages have what the English ones have: sections, code, tables, lists and links.
//!
//! A heading of a Chinese page names the anchor of the English one, `## <a id="guards"></a>保护规则`, so links are
//! the same in both languages. A Chinese heading without an id begins a section of the Chinese page alone.

use std::collections::BTreeSet;
use std::path::Path;

use super::markdown::{self, Block, Section};
use crate::Result;

/// English pages with a translation beside them: `NAME.zh.md`.
const PAGES: [&str; 1] = ["docs/GUIDE.md"];

/// The page whose second half is the translation of the first, one level deeper.
const HALVES: &str = "README.md";

/// Anchor of the second half.
const CHINESE: &str = "中文";

/// A section, with the level and the anchor by which its translation is found.
type Keyed<'a> = (usize, &'a str, &'a Section);

pub(crate) fn check(root: &Path) -> Result<()> {
    let read = |name: &str| -> Result<Vec<Section>> {
        let page = std::fs::read_to_string(root.join(name));
        Ok(markdown::sections(&page.map_err(|error| format!("{name}: {error}"))?))
    };
    let mut wrong = Vec::new();
    for page in PAGES {
        let translation = page.replace(".md", ".zh.md");
        wrong.extend(of_pages([page, &translation], &read(page)?, &read(&translation)?));
    }
    wrong.extend(of_halves(HALVES, &read(HALVES)?));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// Says how a page and its translation differ.
fn of_pages(names: [&str; 2], english: &[Section], chinese: &[Section]) -> Vec<String> {
    let is_translated = |it: &&Section| it.id.is_some() || it.anchor.is_ascii();
    let chinese: Vec<_> = chinese.iter().filter(is_translated).map(keyed).collect();
    differences(names, &english.iter().map(keyed).collect::<Vec<_>>(), &chinese)
}

fn keyed(section: &Section) -> Keyed<'_> {
    (section.level, section.name(), section)
}

/// Says how the halves of a page differ.
fn of_halves(name: &str, sections: &[Section]) -> Vec<String> {
    let Some(half) = sections.iter().position(|it| it.anchor == CHINESE) else {
        return vec![format!("{name} has no heading {CHINESE}")];
    };
    let (english, chinese) = sections.split_at(half);
    let english: Vec<Keyed<'_>> = english.iter().map(|it| (it.level, "", it)).collect();
    let chinese: Vec<Keyed<'_>> = chinese.iter().map(|it| (it.level - 1, "", it)).collect();
    differences([name, name], &english, &chinese)
}

fn differences(names: [&str; 2], english: &[Keyed<'_>], chinese: &[Keyed<'_>]) -> Vec<String> {
    let pairs = english.iter().zip(chinese);
    let same =
        pairs.clone().take_while(|(one, other)| (one.0, one.1) == (other.0, other.1)).count();
    let mut found: Vec<_> =
        pairs.take(same).flat_map(|(one, other)| of_sections(names, one.2, other.2)).collect();
    let heading = |sections: &[Keyed<'_>]| match sections.get(same) {
        Some((.., it)) => format!("{} {} in line {}", "#".repeat(it.level), it.name(), it.line),
        None => "no more sections".to_owned(),
    };
    if same < english.len().max(chinese.len()) {
        let [one, other] = [heading(english), heading(chinese)];
        found.push(format!("{} has {one}, where {} has {other}", names[0], names[1]));
    }
    found
}

/// Says how a section and its translation differ.
fn of_sections(names: [&str; 2], english: &Section, chinese: &Section) -> Vec<String> {
    let place = |line| format!("{}:{line}", names[1]);
    let here = format!("{} (English: line {})", place(chinese.line), english.line);
    let mut found = Vec::new();
    for (what, english, chinese) in [
        ("items of lists", english.items, chinese.items),
        ("lines of tables", english.rows, chinese.rows),
        ("code blocks", english.blocks.len(), chinese.blocks.len()),
    ] {
        if english != chinese {
            found.push(format!("{here}: {chinese} {what} instead of {english}"));
        }
    }
    for (english, chinese) in english.blocks.iter().zip(&chinese.blocks) {
        if english.language != chinese.language || code(english) != code(chinese) {
            let line = english.line;
            found.push(format!("{}: not the code of line {line} in English", place(chinese.line)));
        }
    }
    // The halves of a page have links to their own headings.
    let links = |section| links(section, chinese.id.is_some());
    let sets = [(english.code(), chinese.code()), (links(english), links(chinese))];
    for (english, chinese) in sets {
        found.extend(english.difference(&chinese).map(|it| format!("{here} lacks {it}")));
        found.extend(chinese.difference(&english).map(|it| format!("{here} has its own {it}")));
    }
    found
}

/// The lines of a code block without comments, which are translated.
fn code(block: &Block) -> Vec<&str> {
    let mark = match block.language.as_str() {
        "sh" | "toml" | "python" | "nginx" => "# ",
        "sql" => "-- ",
        _ => return block.lines.iter().map(String::as_str).collect(),
    };
    let without = |line: &str| match line.trim_start().starts_with(mark) {
        true => 0,
        false => line.find(&format!(" {mark}")).unwrap_or(line.len()),
    };
    block.lines.iter().map(|it| it[..without(it)].trim_end()).collect()
}

/// The links of a section, as the English one has them. Those to the same page only if `inside`.
fn links(section: &Section, inside: bool) -> BTreeSet<String> {
    let links = section.links().into_iter().map(|(_, it)| it);
    let links = links.filter(|it| inside || !it.starts_with('#'));
    let english = |it: &str| it.replace(".zh.md", ".md").replace(".zh.png", ".en.png");
    links.map(|it| english(it.strip_suffix("#中文").unwrap_or(it))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "\
# Guide

[中文](A.zh.md)

## Pull

`--out` names a [file](#guide), and ![this](a.en.png).

```sh
qopen pull --out a    # a comment
# another
```

- one
- two

| `a` | b |
|---|---|
";

    const CHINESE_PAGE: &str = "\
# <a id=\"guide\"></a>手册

[English](A.md)

## 术语

`own`

## <a id=\"pull\"></a>拉取

`--out` 是[文件](#guide)，如![图](a.zh.png)。

```sh
qopen pull --out a  # 注释
# 又一个
```

- 一
- 二

| `a` | 乙 |
|---|---|
";

    fn found(chinese: &str) -> Vec<String> {
        let [english, chinese] = [ENGLISH, chinese].map(markdown::sections);
        of_pages(["A.md", "A.zh.md"], &english, &chinese)
    }

    #[test]
    fn a_translation_has_its_own_words_and_sections() {
        assert_eq!(found(CHINESE_PAGE), [""; 0]);
    }

    #[test]
    fn each_difference_is_found() {
        let changes = [
            ("qopen pull --out a  #", "qopen pull --out b  #", "not the code"),
            ("# 又一个\n", "", "not the code"),
            ("```sh", "```toml", "not the code"),
            ("- 二\n", "", "1 items of lists instead of 2"),
            ("| `a` | 乙 |\n", "`a`\n", "1 lines of tables instead of 2"),
            ("`--out` 是", "是", "lacks --out"),
            ("`--out` 是", "`--out` `--in`", "has its own --in"),
            ("(#guide)", "(#pull)", "lacks #guide"),
            ("a.zh.png", "b.zh.png", "lacks a.en.png"),
            (
                "id=\"pull\"",
                "id=\"output\"",
                "A.md has ## pull in line 5, where A.zh.md has ## output",
            ),
            ("## <a id=\"pull\"", "### <a id=\"pull\"", "where A.zh.md has ### pull"),
            ("## <a id=\"pull\"></a>拉取", "拉取", "where A.zh.md has no more sections"),
        ];
        for (from, to, expected) in changes {
            let changed = CHINESE_PAGE.replacen(from, to, 1);
            assert_ne!(changed, CHINESE_PAGE);
            let found = found(&changed).join("\n");
            assert!(found.contains(expected), "{from}: {found}");
        }
    }

    #[test]
    fn the_second_half_of_a_page_is_the_first_one_level_deeper() {
        let page =
            "# A\n[中文](#中文)\n## Use\n`a` [b](c.md#d)\n## 中文\n### 使用\n`a` [乙](c.zh.md#d)\n";
        assert_eq!(of_halves("A.md", &markdown::sections(page)), [""; 0]);
        let without = page.replace("`a` [乙]", "[乙]");
        assert_eq!(of_halves("A.md", &markdown::sections(&without)).len(), 1);
        let shallow = page.replace("### ", "## ");
        assert_eq!(of_halves("A.md", &markdown::sections(&shallow)).len(), 1);
        assert_eq!(of_halves("A.md", &markdown::sections(ENGLISH)).len(), 1);
    }
}
