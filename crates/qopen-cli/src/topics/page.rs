//! The pages `docs/ERRORS.md` and `docs/ERRORS.zh.md`, and what holds for every topic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use qopen::callback::RejectReason;
use qopen::journal::{EndReason, Layer};

use super::{ALSO, SECTIONS, Topic, all, callbacks, named, nearest, wrapped};
use super::{of_end, of_layer, of_rejection};
use crate::docs;
use crate::lang::{Lang, Text};

const HEAD: Text = Text::new(
    "# Errors and warnings

Every exit code, every reason why a callback is rejected or a list is not complete, and every warning has an entry here.
Messages name it: `more: qopen explain NAME`, or `[NAME]` at the end of a line. `qopen explain NAME` prints the entry,
and JSON has the name in the field `explain`. [This page in Chinese](ERRORS.zh.md).

This page is generated from `crates/qopen-cli/src/topics`; a test fails if it is stale.
",
    "# 错误与警告

每个退出码、每种拒绝回调或列表不完整的原因、每条警告都在此有一个条目。提示会指出其名称：`更多：qopen explain NAME`，
或行末的 `[NAME]`。`qopen explain NAME` 打印该条目；JSON 中的字段 `explain` 是该名称。[英文版](ERRORS.md)。

本页由 `crates/qopen-cli/src/topics` 生成；若已过时，测试会失败。
",
);

/// Columns of a line.
const WIDTH: usize = 118;

// Markdown knows no bold text that ends in Chinese punctuation before a character.
const TODO: Text = Text::new("**What to do:** ", "**处理办法**：");

const IN_LOG: Text = Text::new("In the log: ", "日志中的原文：");

fn entry(topic: &Topic, lang: Lang) -> String {
    let Topic { name, title, meaning, advice, see, log } = topic;
    let (title, meaning, advice) = (title.of(lang), meaning.of(lang), advice.of(lang));
    let (todo, end) = (TODO.of(lang), if lang == Lang::En { "." } else { "。" });
    let mut text =
        wrapped(&format!("### {name}\n\n**{title}{end}**\n{meaning}\n\n{todo}{advice}"), WIDTH);
    if !log.is_empty() {
        let messages: Vec<_> = log.iter().map(|it| format!("- `{it}`\n")).collect();
        text.push_str(&format!("\n{}\n\n{}", IN_LOG.of(lang).trim_end(), messages.concat()));
    }
    if !see.is_empty() {
        let links: Vec<_> = see.iter().map(|it| format!("[{it}](#{it})")).collect();
        let links = format!("\n{}{}", ALSO.of(lang), links.join(", "));
        text.push_str(&wrapped(&links, WIDTH));
    }
    text
}

fn page(lang: Lang) -> String {
    let mut text = HEAD.of(lang).to_owned();
    for section in &SECTIONS {
        text.push_str(&format!("\n## {}\n", section.title.of(lang)));
        for topic in section.topics {
            text.push_str(&format!("\n{}", entry(topic, lang)));
        }
    }
    text
}

#[test]
fn the_pages_are_as_the_topics_are() {
    for (lang, name) in [(Lang::En, "ERRORS.md"), (Lang::Zh, "ERRORS.zh.md")] {
        docs::assert_page(name, |_| page(lang));
    }
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    for (lang, name) in [(Lang::En, "ERRORS.md"), (Lang::Zh, "ERRORS.zh.md")] {
        let page = page(lang);
        let anchors: BTreeSet<&str> =
            page.lines().filter_map(|it| it.strip_prefix("### ")).collect();
        let mut links = 0;
        for link in page.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            match target.strip_prefix('#') {
                Some(anchor) => assert!(anchors.contains(anchor), "{name}: {target}"),
                None => assert!(docs::page(target).exists(), "{name}: {target}"),
            }
            links += 1;
        }
        assert!(links > 20, "{links}");
    }
}

#[test]
fn every_topic_is_in_both_languages_under_a_name_of_its_own() {
    let is_han = |it: char| ('\u{4E00}'..='\u{9FFF}').contains(&it);
    let mut names = BTreeSet::new();
    for topic in all() {
        let Topic { name, title, meaning, advice, see, .. } = topic;
        assert!(names.insert(*name), "{name} is there twice");
        assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'), "{name}");
        for text in [title, meaning, advice] {
            assert!(!text.en.is_empty() && !text.en.contains(is_han), "{name}: {}", text.en);
            assert!(text.zh.contains(is_han), "{name}: {}", text.zh);
            let code = |text: &str| {
                let parts = text.split('`').skip(1).step_by(2).map(str::to_owned);
                parts.collect::<BTreeSet<_>>()
            };
            assert_eq!(code(text.en), code(text.zh), "{name}");
        }
        for also in *see {
            assert!(named(also).is_some_and(|it| it.name != *name), "{name}: {also}");
        }
        let text = topic.to_text(Lang::Zh, 100);
        assert!(text.starts_with(&format!("{name}: ")) && text.contains("处理办法"), "{text}");
    }
}

#[test]
fn every_reason_has_a_topic_under_its_own_name() {
    let dashed = |name: &str| name.replace('_', "-");
    for reason in RejectReason::ALL {
        let topic = of_rejection(reason);
        assert_eq!(topic.name, format!("rejected-{}", dashed(reason.as_str())));
    }
    for layer in Layer::ALL {
        assert_eq!(of_layer(layer).name, format!("quarantine-{layer}"));
    }
    // A reason that is missing here fails `of_end`'s own fallback.
    for (reason, name) in [
        (EndReason::NoCallback, "no-callback"),
        (EndReason::LastPageMissing, "last-page-missing"),
        (EndReason::FewerThanExpected { expected: 1 }, "fewer-than-expected"),
        (EndReason::UnreadablePages, "unreadable-pages"),
        (EndReason::UnidentifiedAccounts { accounts: 1 }, "unidentified-accounts"),
        (EndReason::OwedPages, "owed-pages"),
        (EndReason::Deadline, "deadline"),
        (EndReason::LimitReached, "limit-reached"),
        (EndReason::Reported { code: 1 }, "reported"),
        (EndReason::Refused, "refused"),
        (EndReason::NotSent, "not-sent"),
        (EndReason::Cancelled, "cancelled"),
    ] {
        assert_eq!(of_end(&reason).name, name);
        // The name in the journal is the same one.
        let journaled = serde_json::to_value(&reason).unwrap()["kind"].as_str().map(dashed);
        assert_eq!(journaled.as_deref(), Some(name));
    }
}

#[test]
fn names_are_found_in_other_spellings_and_mistyped_ones_are_near() {
    assert_eq!(named("Rejected_Signature").unwrap().name, callbacks::SIGNATURE.name);
    assert!(named("signature").is_none());
    assert_eq!(nearest("no-calback").unwrap().name, "no-callback");
    assert_eq!(nearest("interupted").unwrap().name, "interrupted");
    assert!(nearest("capture.json").is_none() && nearest("x").is_none());
}

/// Messages of `tracing::error!` and `tracing::warn!` in a source, without its tests.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let calls = ["tracing::error!(", "tracing::warn!("].into_iter();
    let calls = calls.flat_map(|it| source.split(it).skip(1));
    // The message is the last text of the call.
    let call = |text: &str| {
        let (mut depth, mut in_text) = (1, false);
        let end = text.bytes().position(|it| {
            match it {
                b'"' => in_text = !in_text,
                b'(' if !in_text => depth += 1,
                b')' if !in_text => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        text[..end.unwrap()].rsplit('"').nth(1).map(str::to_owned)
    };
    calls.filter_map(call).filter(|it| it != "{what}").collect()
}

/// Messages that reach the log by a variable, and where they are.
const BY_VARIABLE: [(&str, &str); 3] = [
    ("qopen/src/other_events.rs", "let what = \""),
    ("qopen-engine/src/intake/outage.rs", "let what = \""),
    ("qopen-engine/src/event_queue/delivery.rs", "self.complain(\""),
];

#[test]
fn every_warning_and_error_of_the_log_has_a_topic() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let explained: BTreeSet<String> =
        all().flat_map(|it| it.log).map(|it| (*it).to_owned()).collect();
    let mut said = BTreeSet::new();
    let mut folders = vec![crates.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&crates).unwrap().to_string_lossy().into_owned();
            // The simulator and the tools have readers who know them.
            let is_other = ["qopen-simulator", "qopen-bench", "qopen-fuzz"].contains(&&*name);
            if path.is_dir()
                && !is_other
                && !["tests", "examples", "target"].iter().any(|it| name.ends_with(it))
            {
                folders.push(path);
            } else if name.ends_with(".rs") && name.contains("/src/") {
                let source = std::fs::read_to_string(&path).unwrap();
                said.extend(messages(&source));
                for (_, before) in BY_VARIABLE.iter().filter(|it| name.ends_with(it.0)) {
                    let found: Vec<_> = source.split(before).skip(1).collect();
                    assert!(!found.is_empty(), "{name}");
                    said.extend(found.iter().map(|it| it.split('"').next().unwrap().to_owned()));
                }
            }
        }
    }
    let missing: Vec<_> = said.difference(&explained).collect();
    assert!(missing.is_empty(), "no topic explains these messages of the log: {missing:#?}");
    let gone: Vec<_> = explained.difference(&said).collect();
    assert!(gone.is_empty(), "no code writes these messages any more: {gone:#?}");
}
