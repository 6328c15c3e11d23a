use proptest::prelude::*;

use super::super::declared::*;
use super::*;

const AES: &str = "canary-aes-key-of-32-bytes-00000";

fn read(spec: &Spec, raw: &str) -> Result<(String, usize), String> {
    let read = spec.read(raw.into()).map_err(|it| it.english().to_owned());
    read.map(|it| (it.text.expose().to_owned(), it.notes.len()))
}

#[test]
fn what_cannot_be_meant_is_trimmed_and_noted() {
    for (spec, raw, text, notes) in [
        (&APP_SECRET, "s3", "s3", 0),
        (&APP_SECRET, "s3\n", "s3", 1),
        (&APP_SECRET, "s3\r\n", "s3", 1),
        (&APP_SECRET, "\u{FEFF}s3\u{A0}", "s3", 2),
        (&APP_SECRET, "\u{200B}s3\u{3000}", "s3", 2),
        (&APP_SECRET, "\"s3\"\n", "s3", 2),
        (&APP_SECRET, "'\"s3\"'", "\"s3\"", 1),
        (&APP_SECRET, "s\"3", "s\"3", 0),
        (&APP_SECRET, "\"s3", "\"s3", 1),
        (&APP_KEY, "“k”", "k", 1),
        (&APP_KEY, "ａk", "ａk", 1),
        (&BASE_URL, "'\"https://a.example\"'", "https://a.example", 1),
        (&ENCODING_AES_KEY, &format!("\"{AES}\""), AES, 1),
        (&ENCODING_AES_KEY, "\"14-characters!\"", "\"14-characters!\"", 0),
        (&MAX_CONNECTIONS, " 12\t", "12", 2),
        (&DATA_DIR, " a b ", " a b ", 1),
        (&DATA_DIR, "a\r\n", "a", 1),
        (&DATA_DIR, "\"/a b\"", "/a b", 1),
        (&DATA_DIR, "./\"x\"", "./\"x\"", 0),
        (&JOURNAL, "\"postgres://a@b/c\"\n", "postgres://a@b/c", 2),
        (&JOURNAL, "a folder\n", "a folder", 1),
        (&JOURNAL, "postgres-journal", "postgres-journal", 0),
        (&JOURNAL, "./host=a", "./host=a", 0),
    ] {
        assert_eq!(read(spec, raw), Ok((text.to_owned(), notes)), "{raw:?}");
    }
}

#[test]
fn what_is_broken_inside_is_refused_and_never_quoted() {
    for (spec, raw, reason) in [
        (&APP_SECRET, "canary 1", "a space inside, as character 7"),
        (&APP_SECRET, "canary\n1", "a line break inside"),
        (&CALLBACK_TOKEN, "canary\u{200B}1", "an invisible character inside"),
        (&CALLBACK_TOKEN, "canary\u{7}1", "a control character inside"),
        (&APP_KEY, "canary\u{A0}1", "a no-break space inside"),
        (&APP_SECRET, " \n", "blank"),
        (&APP_SECRET, "\"\"", "blank"),
        (&JOURNAL, "postgres：//canary@h/d", "postgres://USER@HOST"),
        (&JOURNAL, "postgres:canary@h/d", "postgres://USER@HOST"),
        (&JOURNAL, "host=h password=canary", "postgres://USER@HOST"),
        (&DATA_DIR, "''", "blank"),
        (&DATA_DIR, "\n", "blank"),
        (&DATA_DIR, "a\0canary", "NUL"),
        (&APP_SECRET, "…", "placeholder"),
        (&BASE_URL, "https：//canary.example", "the full-width character ：; type : instead"),
        (&LISTEN, "127。0.0.1:1", "full-width"),
        (&MAX_CONNECTIONS, "１２", "type 1 instead"),
        (&ENCODING_AES_KEY, "canary：", "not ASCII"),
    ] {
        let error = read(spec, raw).expect_err(raw);
        assert!(error.contains(reason) && !error.contains("canary"), "{raw:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn bytes_that_are_not_utf8_stay_in_paths_and_are_refused_elsewhere() {
    use std::os::unix::ffi::OsStringExt as _;
    let raw = || OsString::from_vec(b"canary-\xFF\n".to_vec());
    let path = DATA_DIR.read(raw()).ok().and_then(|it| it.path);
    assert_eq!(
        path.map(PathBuf::into_os_string),
        Some(OsString::from_vec(b"canary-\xFF".to_vec()))
    );
    for spec in [&APP_SECRET, &APP_KEY, &LISTEN, &ENCODING_AES_KEY] {
        let error = spec.read(raw()).map(|it| it.text).expect_err(spec.name).english().to_owned();
        assert!(error.contains("UTF-8") && !error.contains("canary"), "{error}");
    }
}

proptest! {
    /// Whatever is pasted around a secret of one word, the word is what is used, also when the
    /// result is read once more.
    #[test]
    fn a_word_is_read_whatever_is_around_it(
        before in "[ \t\r\n\u{A0}\u{FEFF}\u{200B}\u{3000}]{0,3}",
        word in "[!#-&(-_a-z~]{1,40}",
        quote in prop::sample::select(vec!["", "\"", "'"]),
        after in "[ \t\r\n\u{A0}\u{FEFF}\u{200B}\u{3000}]{0,3}",
    ) {
        prop_assume!(word != "...");
        let raw = format!("{before}{quote}{word}{quote}{after}");
        for spec in [&APP_SECRET, &APP_KEY] {
            let once = spec.read(raw.clone().into()).expect("it is one word");
            prop_assert_eq!(once.text.expose(), &*word);
            prop_assert_eq!(once.notes.is_empty(), raw == word);
            let twice = spec.read(word.clone().into()).expect("it is one word");
            prop_assert!(twice.text == once.text && twice.notes.is_empty());
        }
    }
}
