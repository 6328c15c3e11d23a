#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::args::Common;
use crate::lang::Phrase;
use crate::settings::{ALL, APP_KEY, APP_SECRET, Answers, CALLBACK_TOKEN, ENCODING_AES_KEY, Given};

fn nothing() -> Settings {
    Settings::collect(&Given::default(), None).unwrap()
}

/// The settings that a file with that text gives.
fn read(text: &str) -> Settings {
    let bytes = Zeroizing::new(text.as_bytes().to_vec());
    let answers = Answers { name: Phrase::default(), place: "qopen.toml".into(), text: bytes };
    let settings = Settings::collect(&Given::default(), Some(answers));
    let settings = settings.unwrap_or_else(|failure| panic!("{failure}:\n{text}"));
    let problems: Vec<_> = settings.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:?}:\n{text}");
    settings
}

fn survives(settings: &Settings) {
    let text = text(settings, &Chosen::default()).unwrap();
    let back = read(&text);
    assert_eq!(back.changed_since(settings, &[]), [""; 0], "{}", *text);
    assert!(
        back.notes.iter().all(|it| !it.1.english().contains("was removed")),
        "{:?}",
        back.notes
    );
}

#[test]
fn hostile_values_are_read_back_as_they_were_given() {
    for value in [
        "a\"b",
        "'quoted'x",
        "a#b",
        "a\\b",
        "a\\n",
        "“x",
        "客服",
        "a=b",
        "[[x]]",
        "\"\"\"",
        "'''",
        "$HOME",
        "\"'a'\"",
        "'\"b\"'",
        "```x",
        "«y",
        "a\u{200d}b",
    ] {
        let mut settings = nothing();
        for spec in [&APP_KEY, &APP_SECRET, &CALLBACK_TOKEN] {
            // An invisible character is refused, as from everywhere else.
            assert_eq!(settings.answer(spec, &value.into()).is_ok(), !value.contains('\u{200d}'));
        }
        survives(&settings);
    }
    for path in ["a\nb", "a\u{7f}b", "a b ", "\"q", "./~x", "it's", "\"\"two\"\"", "#", "\u{202e}x"]
    {
        let mut settings = nothing();
        settings.answer(&DATA_DIR, &path.into()).unwrap();
        survives(&settings);
    }
    let quotes = "\\\"#".repeat(8);
    for key in ["\"23456789012345\"", "'2345678901234567890123'", &quotes] {
        let mut settings = nothing();
        settings.answer(&ENCODING_AES_KEY, &key.into()).unwrap();
        survives(&settings);
    }
}

fn hostile() -> impl Strategy<Value = String> {
    const PARTS: [&str; 20] = [
        "\"", "'", "\\", "#", "=", "[", "]", "a", "中", "\u{7f}", "\u{202e}", "\n", " ", "~", "/",
        ".", "`", "\u{feff}", "://", "1",
    ];
    prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..10).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_rules_accept_is_read_back(
        answers in prop::collection::vec((0..ALL.len(), hostile()), 1..6),
    ) {
        let mut settings = nothing();
        for (at, answer) in answers {
            let _ = settings.answer(ALL[at], &answer.into());
        }
        survives(&settings);
    }
}

#[test]
fn the_commented_schedule_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let robot = Some("r\"1#\u{202e}".parse().unwrap());
    let text = text(&nothing(), &Chosen { robot, ..Chosen::default() }).unwrap();
    let (settings, schedule) = text.split_once("such as:\n").unwrap();
    let file = folder.path().join("qopen.toml");
    std::fs::write(&file, format!("{settings}such as:\n{}", schedule.replace("# ", ""))).unwrap();
    let common = Common { config: Some(file), ..Common::default() };
    let settings = Settings::load(&common).unwrap();
    assert!(settings.schedule[0].entry().is_ok(), "{schedule}");
    assert_eq!(settings.schedule.len(), 1);
}

#[test]
fn a_file_appears_whole_and_only_where_nothing_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qopen.toml");
    let file = NewFile::at(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the check leaves nothing");
    // Something takes the name between the check and the writing.
    std::fs::write(&path, "theirs").unwrap();
    assert!(file.write("ours").unwrap_err().to_string().contains("is not overwritten"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    std::fs::remove_file(&path).unwrap();
    file.write("ours").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "ours");
}
