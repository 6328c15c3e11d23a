//! The help of every verb, found by walking the tree of verbs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use clap::Command;

use super::command;
use crate::lang::Lang;
use crate::settings::ALL;
use crate::topics;

/// Calls `visit` with each verb and its path, the root first.
pub(super) fn walk(command: &Command, path: &[&str], visit: &mut impl FnMut(&[&str], &Command)) {
    visit(path, command);
    for verb in command.get_subcommands() {
        walk(verb, &[path, &[verb.get_name()]].concat(), visit);
    }
}

fn help(path: &[&str], switch: &str) -> String {
    let arguments = [&["qopen"], path, &[switch]].concat();
    command().term_width(100).try_get_matches_from(arguments).unwrap_err().to_string()
}

#[test]
fn the_help_of_every_verb() {
    let root = help(&[], "--help");
    let start = root.find("\nSettings:\n").unwrap() + 1;
    let settings = &root[start..root.find("\n\nExit codes:").unwrap()];
    let mut verbs = 0;
    walk(&command(), &[], &mut |path, _| {
        let (short, mut long) = (help(path, "-h"), help(path, "--help"));
        if !path.is_empty() {
            assert!(long.contains(settings), "{path:?} has other settings:\n{long}");
            long = long.replace(settings, "Settings: those of `qopen --help`");
            verbs += 1;
        }
        let name = [&["help"], path].concat().join("_");
        insta::assert_snapshot!(name, format!("{short}\n{}\n{long}", "=".repeat(100)));
    });
    assert!(verbs >= 12, "{verbs}");
}

/// Words of no help.
const AVOIDED: [&str; 17] = [
    "whoever",
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "in vain",
    "so many",
    "as it was",
    "where there is none",
    "is to be",
    "that of",
    "it is what",
    "stands",
    "taken up",
    "take up",
    "let go of",
    "comes to be",
];

/// Beginnings of lines that tell what a thing is, not what to do with it.
const NO_VERBS: [&str; 13] =
    ["A", "All", "An", "As", "How", "It", "Its", "One", "The", "What", "Where", "Which", "With"];

const LONGEST: usize = 70;

#[test]
fn a_line_of_help_is_short_and_says_what_to_do() {
    let check = |what: &str, line: &str, full: &str| {
        let first = line.split(' ').next().unwrap();
        assert!(line.chars().count() <= LONGEST, "{what}: {line:?} is too long");
        assert!(!line.ends_with('.'), "{what}: {line:?} ends in a period");
        assert!(first.starts_with(|it: char| it.is_ascii_uppercase()), "{what}: {line:?}");
        assert!(!NO_VERBS.contains(&first), "{what}: {line:?} begins with no verb");
        let full =
            format!(" {} ", full.to_lowercase().replace(|it: char| !it.is_alphabetic(), " "));
        for words in AVOIDED {
            assert!(!full.contains(&format!(" {words} ")), "{what}: {words:?} in {full:?}");
        }
    };
    let mut lines = 0;
    walk(&command(), &[], &mut |path, verb| {
        let about = verb.get_about().unwrap().to_string();
        check(&format!("{path:?}"), &about, &format!("{about} {}", verb.get_after_help().unwrap()));
        for arg in verb.get_arguments() {
            let what = format!("{path:?} {}", arg.get_id());
            let line = arg.get_help().unwrap_or_else(|| panic!("{what}: no help")).to_string();
            let full = arg.get_long_help().map_or_else(|| line.clone(), ToString::to_string);
            assert!(full.starts_with(&line), "{what}: {full:?}");
            check(&what, &line, &full);
            for value in arg.get_possible_values() {
                let help = value.get_help().map_or(0, |it| it.to_string().chars().count());
                assert!(help <= LONGEST, "{what}: {value:?}");
            }
            lines += 1;
        }
    });
    assert!(lines >= 70, "{lines}");
}

/// Commands, options and settings in the entries of `qopen explain` exist.
#[test]
fn topics_name_real_commands_options_and_settings() {
    let (root, mut flags) = (command(), BTreeSet::new());
    walk(&root, &[], &mut |_, verb| {
        flags.extend(
            verb.get_arguments().filter_map(|it| it.get_long()).map(|it| format!("--{it}")),
        );
    });
    let (mut commands, mut options) = (0, 0);
    for topic in topics::all() {
        let text = topic.to_text(Lang::En, usize::MAX);
        for code in text.split('`').skip(1).step_by(2) {
            for flag in code.split([' ', '=']).filter(|it| it.starts_with("--")) {
                // Options of other programs, and of every command.
                let is_other = ["--env-file", "--help"].contains(&flag);
                assert!(is_other || flags.contains(flag), "{}: {flag}", topic.name);
                options += 1;
            }
            let variable = code.split(['=', ' ']).find(|it| it.starts_with("QOPEN_"));
            let is_known = |it: &str| it == "QOPEN_LOG" || ALL.iter().any(|spec| spec.env == it);
            // A name that ends in _ is the beginning of several.
            assert!(variable.is_none_or(|it| it.ends_with('_') || is_known(it)), "{code}");
            let Some(words) = code.strip_prefix("qopen ") else { continue };
            let mut verb = &root;
            for word in words.split(' ').take_while(|it| it.starts_with(char::is_lowercase)) {
                let known = verb.find_subcommand(word);
                verb = known.unwrap_or_else(|| panic!("{}: `{code}`", topic.name));
            }
            commands += 1;
        }
    }
    assert!(commands > 30 && options > 30, "{commands} {options}");
}
