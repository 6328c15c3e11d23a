//! The man pages: one for each verb.

use std::io;
use std::path::Path;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::SETTINGS;
use crate::exit::{self, Exit, Failure};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes the pages into a folder.
///
/// # Errors
/// A page cannot be written.
pub(crate) fn write(folder: &Path) -> Result<Exit, Failure> {
    let date = date(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref());
    for (name, page) in pages(&date) {
        let path = folder.join(name);
        std::fs::write(&path, page)
            .map_err(|error| Failure::output(path.display().to_string(), &error))?;
    }
    Ok(Exit::Complete)
}

/// Returns the date of the pages: the date of a reproducible build, or none.
fn date(epoch: Option<&str>) -> String {
    let seconds = epoch.and_then(|it| it.parse().ok());
    let time = seconds.and_then(|it| Timestamp::from_second(it).ok());
    time.map_or_else(String::new, |it| it.to_zoned(TimeZone::UTC).date().to_string())
}

/// Returns the name and the text of each page.
fn pages(date: &str) -> Vec<(String, String)> {
    let mut root = super::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, date, &mut pages);
    pages
}

fn collect(command: &Command, date: &str, pages: &mut Vec<(String, String)>) {
    let is_root = command.get_name() == "qopen";
    let settings = |arg: Arg| {
        // The page has the long help, and nothing for an option without one that the short help hides.
        let help = arg.get_long_help().or(arg.get_help()).cloned();
        let is_setting = arg.get_help_heading() == Some(SETTINGS);
        let is_hidden = arg.is_hide_set() || !is_root && is_setting;
        let arg = arg.hide(is_hidden);
        match help {
            Some(help) => arg.long_help(help),
            None => arg,
        }
    };
    // It would join the lines of the footer.
    let own = command.clone().mut_args(settings).after_help(None).after_long_help(None);
    let man = Man::new(own).date(date).source(format!("qopen {VERSION}")).manual("qopen");
    let mut page = Vec::new();
    render(&man, command, is_root, &mut page).expect("memory takes every page");
    // Three ways to ask for one blank line, of which roff needs one.
    let page = String::from_utf8_lossy(&page).replace(".br\n\n.br\n", ".sp\n");
    pages.push((man.get_filename(), page));
    for verb in command.get_subcommands() {
        collect(verb, date, pages);
    }
}

fn render(man: &Man, command: &Command, is_root: bool, page: &mut Vec<u8>) -> io::Result<()> {
    man.render(page)?;
    let mut roff = Roff::default();
    let mut section = |title: &str, text: &str| {
        roff.control("SH", [title]);
        roff.control("nf", []);
        for line in text.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    };
    if is_root {
        section("EXIT STATUS", exit::HELP);
    } else {
        // The footer of the verb itself.
        let footer = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if let Some((own, _)) = footer.split_once("\n\n") {
            section("NOTES", own);
        }
        section(
            "SEE ALSO",
            "qopen(1) has the settings, which every verb takes, and the exit codes.",
        );
    }
    roff.to_writer(page)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_options() {
        let pages = pages("2026-03-01");
        let page = |name: &str| {
            let (_, page) = pages.iter().find(|(it, _)| it == name).unwrap();
            page.clone()
        };
        let (root, pull) = (page("qopen.1"), page("qopen-pull.1"));
        assert!(root.contains(r"\-\-base\-url") && root.contains("EXIT STATUS"), "{root}");
        assert!(root.contains("\nLog more to standard error"), "{root}");
        assert!(pull.contains(r"\-\-settle") && !pull.contains(r"\-\-base\-url"), "{pull}");
        assert!(pull.contains(".TH qopen-pull 1 2026-03-01"), "{pull}");
        assert!(page("qopen-serve.1").contains("QOPEN_CONTROL_TOKEN"));
        let mut verbs = 0;
        super::super::tests::walk(&super::super::command(), &[], &mut |path, _| {
            page(&format!("{}.1", [&["qopen"], path].concat().join("-")));
            verbs += 1;
        });
        assert_eq!(verbs, pages.len());
    }

    #[test]
    fn the_date_is_that_of_the_build_or_none() {
        assert_eq!(date(Some("1772323200")), "2026-03-01");
        assert_eq!((date(Some("soon")), date(None)), (String::new(), String::new()));
    }
}
