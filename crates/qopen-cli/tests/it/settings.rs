//! Settings as people paste them: files and environments of every editor, shell and container.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{qopen, steady, text, with_settings};

/// A way to give settings, and what must come of it.
struct Row {
    name: &'static str,
    env: &'static [(&'static str, &'static [u8])],
    /// Variables of the good settings that are not set.
    without: &'static [&'static str],
    file: Option<&'static [u8]>,
    args: &'static [&'static str],
    /// The exit code, and what the output must have.
    expect: (i32, &'static [&'static str]),
}

const ROW: Row =
    Row { name: "", env: &[], without: &[], file: None, args: &["doctor"], expect: (0, &[]) };

/// A row of the environment.
const fn env(
    name: &'static str,
    env: &'static [(&'static str, &'static [u8])],
    expect: (i32, &'static [&'static str]),
) -> Row {
    Row { name, env, expect, ..ROW }
}

/// A row of a settings file.
const fn file(
    name: &'static str,
    file: &'static [u8],
    expect: (i32, &'static [&'static str]),
) -> Row {
    Row { name, file: Some(file), expect, ..ROW }
}

/// A row of the command line.
const fn args(
    name: &'static str,
    args: &'static [&'static str],
    expect: (i32, &'static [&'static str]),
) -> Row {
    Row { name, args, expect, ..ROW }
}

const SECRET: &[&str] = &["QOPEN_APP_SECRET"];
const ALL_OF_THEM: &[&str] = &[
    "QOPEN_APP_KEY",
    "QOPEN_APP_SECRET",
    "QOPEN_CALLBACK_TOKEN",
    "QOPEN_ENCODING_AES_KEY",
    "QOPEN_BASE_URL",
];

#[test]
fn the_home_folder_is_found_by_every_verb_that_takes_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = with_settings(qopen(folder.path(), arguments));
        let output = command.env("HOME", folder.path()).output().unwrap();
        let (code, said) = (output.status.code(), text(&output.stderr) + &text(&output.stdout));
        assert!(!said.contains('~'), "{arguments:?}: {said}");
        (code, said)
    };
    let page = r#"{"event_type":42016,"err_code":0,"robot_id":"r1","data":{"has_more":false,"mark_id":"m","account_list":[]}}"#;
    std::fs::write(folder.path().join("f"), page).unwrap();
    assert_eq!(run(&["assemble", "~/f", "--out=~/x.jsonl"]).0, Some(0));
    assert!(folder.path().join("x.jsonl").exists());
    let (_, said) = run(&["explain", "~/f"]);
    assert!(said.contains("already opened"), "{said}");
    let home = folder.path().to_str().unwrap();
    for arguments in
        [&["journal", "copy", "~/a", "~/b"][..], &["journal", "copy", "--", "~/a", "b"]]
    {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(&format!("there is no journal in {home}/a")), "{said}");
    }
    // The place is looked at before the journal.
    let (_, said) = run(&["pulls", "export", "mark", "--out=~/x.xlsm"]);
    assert!(said.contains(&format!("{home}/x.xlsm")), "{said}");
}

/// A row is a line.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    env("data folder that is a URL", &[("QOPEN_DATA_DIR", b" postgres//u:canary@h/d")], (2, &["from QOPEN_DATA_DIR", "./NAME", "set QOPEN_JOURNAL"])),
    env("everything as it should be", &[], (0, &["<secret, 17 characters>"])),
    // A secret, key, token or URL with what a file or a console adds.
    env("secret with a line break", &[("QOPEN_APP_SECRET", b"canary-app-secret\n")], (0, &["<secret, 17 characters>", "QOPEN_APP_SECRET: a line break at the end was removed"])),
    env("secret with CRLF", &[("QOPEN_APP_SECRET", b"canary-app-secret\r\n")], (0, &["<secret, 17 characters>", "QOPEN_APP_SECRET: a line break"])),
    env("secret with spaces", &[("QOPEN_APP_SECRET", b" canary-app-secret ")], (0, &["<secret, 17 characters>", "QOPEN_APP_SECRET: a space at the start", "QOPEN_APP_SECRET: a space at the end"])),
    env("secret with a no-break space", &[("QOPEN_APP_SECRET", b"canary-app-secret\xC2\xA0")], (0, &["<secret, 17 characters>", "a no-break space"])),
    env("secret with a byte order mark", &[("QOPEN_APP_SECRET", b"\xEF\xBB\xBFcanary-app-secret")], (0, &["<secret, 17 characters>", "a byte order mark"])),
    env("secret in quotes of docker --env-file", &[("QOPEN_APP_SECRET", b"\"canary-app-secret\"")], (0, &["<secret, 17 characters>", "QOPEN_APP_SECRET: the quotes around it were removed"])),
    env("secret in single quotes and CR", &[("QOPEN_APP_SECRET", b"'canary-app-secret'\r")], (0, &["<secret, 17 characters>", "the quotes"])),
    env("secret with one quote", &[("QOPEN_APP_SECRET", b"\"canary-secret")], (0, &["<secret, 14 characters>", "QOPEN_APP_SECRET: it has a quote at one end only"])),
    env("secret of two lines", &[("QOPEN_APP_SECRET", b"canary\nsecret")], (2, &["app secret", "from QOPEN_APP_SECRET", "a line break inside, as character 7", "example: QOPEN_APP_SECRET="])),
    env("secret with a space inside", &[("QOPEN_APP_SECRET", b"canary secret")], (2, &["app secret", "from QOPEN_APP_SECRET", "a space inside", "example: QOPEN_APP_SECRET="])),
    env("secret that is blank", &[("QOPEN_APP_SECRET", b" \n")], (2, &["app secret", "from QOPEN_APP_SECRET", "blank", "example: QOPEN_APP_SECRET="])),
    env("secret of two quotes", &[("QOPEN_APP_SECRET", b"\"\"")], (2, &["app secret", "from QOPEN_APP_SECRET", "blank", "example: QOPEN_APP_SECRET="])),
    env("secret that is empty is not set", &[("QOPEN_APP_SECRET", b"")], (2, &["the app secret is not set", "QOPEN_APP_SECRET and `app_secret` in", "example: QOPEN_APP_SECRET="])),
    env("secret that is the placeholder", &[("QOPEN_APP_SECRET", "…".as_bytes())], (2, &["app secret", "from QOPEN_APP_SECRET", "placeholder", "example: QOPEN_APP_SECRET="])),
    env("secret that is not UTF-8", &[("QOPEN_APP_SECRET", b"canary\xFF")], (2, &["app secret", "from QOPEN_APP_SECRET", "not UTF-8", "example: QOPEN_APP_SECRET="])),
    env("token that is not UTF-8", &[("QOPEN_CALLBACK_TOKEN", b"\xE4canary")], (2, &["callback token", "from QOPEN_CALLBACK_TOKEN", "not UTF-8", "example: QOPEN_CALLBACK_TOKEN="])),
    env("fixed token with a line break", &[("QOPEN_ACCESS_TOKEN", b"canary-token\n")], (0, &["<secret, 12 characters>"])),
    env("AES key in quotes with a line break", &[("QOPEN_ENCODING_AES_KEY", b"\"canary-aes-key-of-32-bytes-00000\"\n")], (0, &["<secret, 32 characters>"])),
    env("AES key of another length", &[("QOPEN_ENCODING_AES_KEY", b"canary")], (2, &["callback EncodingAESKey", "from QOPEN_ENCODING_AES_KEY", "16, 24, 32 or", "example: QOPEN_ENCODING_AES_KEY="])),
    env("next AES key that is wrong", &[("QOPEN_ENCODING_AES_KEY_NEXT", b"canary")], (2, &["next EncodingAESKey", "from QOPEN_ENCODING_AES_KEY_NEXT", "example: QOPEN_ENCODING_AES_KEY_NEXT="])),
    env("app key with a tab", &[("QOPEN_APP_KEY", b"\tapp")], (0, &["app key                      app  ", "QOPEN_APP_KEY: a tab"])),
    env("app key that is not UTF-8", &[("QOPEN_APP_KEY", b"app\xFF")], (2, &["app key", "from QOPEN_APP_KEY", "not UTF-8", "example: QOPEN_APP_KEY="])),
    // URLs and addresses.
    env("URL in quotes with CRLF", &[("QOPEN_BASE_URL", b"\"http://127.0.0.1:9\"\r\n")], (0, &["http://127.0.0.1:9  ", "QOPEN_BASE_URL: the quotes"])),
    env("URL in typographic quotes", &[("QOPEN_BASE_URL", "“http://127.0.0.1:9”".as_bytes())], (0, &["http://127.0.0.1:9  "])),
    env("URL with a full-width colon", &[("QOPEN_BASE_URL", "https：//a.example".as_bytes())], (2, &["platform base URL", "from QOPEN_BASE_URL", "full-width character ：", "example: QOPEN_BASE_URL='https://"])),
    env("URL with a line break inside", &[("QOPEN_BASE_URL", b"https://a.exa\nmple")], (2, &["platform base URL", "from QOPEN_BASE_URL", "a line break inside", "example: QOPEN_BASE_URL="])),
    env("URL with a password", &[("QOPEN_BASE_URL", b"https://me:canary@a.example/?key=canary")], (2, &["https://…@a.example/?…", "platform base URL", "from QOPEN_BASE_URL", "example: QOPEN_BASE_URL="])),
    env("URL without a scheme", &[("QOPEN_BASE_URL", b"a.example")], (2, &["platform base URL", "from QOPEN_BASE_URL", "http:// or https://", "example: QOPEN_BASE_URL="])),
    env("listener on localhost", &[("QOPEN_LISTEN", b"localhost:0")], (0, &["listener: 127.0.0.1:0 can be"])),
    env("listener on IPv6 without brackets", &[("QOPEN_LISTEN", b"::1:8080")], (2, &["callback listener", "from QOPEN_LISTEN", "write [::1]:8080", "example: QOPEN_LISTEN="])),
    env("listener that is a port", &[("QOPEN_LISTEN", b"8080")], (2, &["callback listener", "from QOPEN_LISTEN", "write 127.0.0.1:8080", "example: QOPEN_LISTEN="])),
    env("listener without a host", &[("QOPEN_LISTEN", b":8080")], (2, &["callback listener", "from QOPEN_LISTEN", "write 127.0.0.1:8080", "example: QOPEN_LISTEN="])),
    env("listener that is a URL", &[("QOPEN_LISTEN", b"http://127.0.0.1:8080")], (2, &["callback listener", "from QOPEN_LISTEN", "without a scheme", "example: QOPEN_LISTEN="])),
    env("listener with a port out of range", &[("QOPEN_LISTEN", b"127.0.0.1:80800")], (2, &["callback listener", "from QOPEN_LISTEN", "0 to 65535", "example: QOPEN_LISTEN="])),
    env("control on localhost needs no token", &[("QOPEN_CONTROL", b" localhost:0\n")], (0, &["localhost:0 "])),
    env("control elsewhere needs a token", &[("QOPEN_CONTROL", b"0.0.0.0:0")], (2, &["control listener", "from QOPEN_CONTROL", "QOPEN_CONTROL_TOKEN", "example: QOPEN_CONTROL="])),
    env("callback path without a slash", &[("QOPEN_CALLBACK_PATH", b"callback")], (2, &["callback path", "from QOPEN_CALLBACK_PATH", "begin with /", "example: QOPEN_CALLBACK_PATH="])),
    env("callback path that is a URL", &[("QOPEN_CALLBACK_PATH", b"https://a.example/cb")], (2, &["callback path", "from QOPEN_CALLBACK_PATH", "write only its path, /cb", "example: QOPEN_CALLBACK_PATH="])),
    env("app key in full-width letters", &[("QOPEN_APP_KEY", "ａpp".as_bytes())], (0, &["QOPEN_APP_KEY: it has characters that are not ASCII"])),
    env("number in full-width digits", &[("QOPEN_MAX_CONNECTIONS", "１０".as_bytes())], (2, &["maximum connections", "from QOPEN_MAX_CONNECTIONS", "type 1 instead", "example: QOPEN_MAX_CONNECTIONS="])),
    env("number in quotes", &[("QOPEN_MAX_CONNECTIONS", b"'10'")], (0, &["10 at once"])),
    env("number with a unit", &[("QOPEN_MAX_CONNECTIONS", b"1k")], (2, &["maximum connections", "from QOPEN_MAX_CONNECTIONS", "whole number", "example: QOPEN_MAX_CONNECTIONS="])),
    env("time without a unit", &[("QOPEN_REFUSE_STALE", b"10")], (2, &["maximum callback age", "from QOPEN_REFUSE_STALE", "a unit", "example: QOPEN_REFUSE_STALE="])),
    env("time with a line break", &[("QOPEN_REFUSE_STALE", b"10m\n")], (0, &["at most N s"])),
    // Paths.
    env("folder that is not UTF-8", &[("QOPEN_DATA_DIR", b"caf\xE9")], (0, &["journal: caf\u{FFFD} will be made"])),
    env("folder with CR", &[("QOPEN_DATA_DIR", b"data\r\n")], (0, &["journal: data will be made", "QOPEN_DATA_DIR: a line break"])),
    env("folder with spaces", &[("QOPEN_DATA_DIR", b"my data")], (0, &["journal: my data will be made"])),
    env("folder of other files", &[("QOPEN_DATA_DIR", b"folder")], (0, &["journal: folder holds no journal yet"])),
    env("folder under home", &[("QOPEN_DATA_DIR", b"~/data"), ("HOME", b"/nowhere")], (0, &["journal: /nowhere/data will be made"])),
    env("folder of another user", &[("QOPEN_DATA_DIR", b"~root/data")], (2, &["journal folder", "from QOPEN_DATA_DIR", "./~", "example: QOPEN_DATA_DIR="])),
    env("folder under no home", &[("QOPEN_DATA_DIR", b"~/data"), ("HOME", b"")], (2, &["journal folder", "from QOPEN_DATA_DIR", "HOME", "example: QOPEN_DATA_DIR="])),
    env("certificate without its key", &[("QOPEN_TLS_CERT", b"cert.pem")], (2, &["the TLS private key is not set", "--tls-key, QOPEN_TLS_KEY", "example: QOPEN_TLS_KEY="])),
    env("journal URL in quotes", &[("QOPEN_JOURNAL", b"\"mysql://canary@h/d\"")], (2, &["shared journal", "from QOPEN_JOURNAL", "example: QOPEN_JOURNAL="])),
    env("journal URL with a full-width colon", &[("QOPEN_JOURNAL", "postgres：//canary@h/d".as_bytes())], (2, &["shared journal", "from QOPEN_JOURNAL", "://", "example: QOPEN_JOURNAL="])),
    // Names.
    env("variable with a typing error", &[("QOPEN_APP_SECRT", b"canary")], (0, &["QOPEN_APP_SECRT in the environment is not a setting; did you mean QOPEN_APP_SECRET?"])),
    env("variable in small letters", &[("qopen_listen", b"1")], (0, &["did you mean QOPEN_LISTEN?"])),
    env("variable of a test", &[("QOPEN_TEST_LISTEN", b"1")], (0, &[])),
    env("log filter that is none", &[("QOPEN_LOG", b"qopen=loud")], (2, &["log filter", "from QOPEN_LOG", "example: QOPEN_LOG="])),
    env("log format that is none", &[("QOPEN_LOG_FORMAT", b"xml")], (2, &["log format", "from QOPEN_LOG_FORMAT", "example: QOPEN_LOG_FORMAT="])),
    // Everything that is missing or wrong, at once.
    Row { name: "nothing is set", without: ALL_OF_THEM, expect: (2, &["base URL is not set", "app key is not set", "app secret is not set", "callback token is not set", "EncodingAESKey is not set"]), ..ROW },
    Row { name: "nothing is set for a pull", without: ALL_OF_THEM, args: &["pull", "--robot", "r", "--out", "list"], expect: (2, &["5 settings are missing", "base URL is not set", "app key is not set", "app secret is not set", "callback token is not set", "EncodingAESKey is not set"]), ..ROW },
    Row { name: "nothing is set for a service", without: ALL_OF_THEM, args: &["serve"], expect: (2, &["5 settings are missing", "example: QOPEN_ENCODING_AES_KEY="]), ..ROW },
    Row { name: "several are wrong for a pull", without: SECRET, env: &[("QOPEN_LISTEN", b"8080"), ("QOPEN_MAX_CONNECTIONS", b"0")], args: &["pull", "--robot", "r", "--out", "list"], expect: (2, &["3 settings are missing or cannot be used", "app secret is not set", "from QOPEN_LISTEN", "from QOPEN_MAX_CONNECTIONS"]), ..ROW },
    env("several cannot be read", &[("QOPEN_APP_SECRET", b"canary 1"), ("QOPEN_APP_KEY", b"\xFF")], (2, &["from QOPEN_APP_SECRET", "from QOPEN_APP_KEY"])),
    // Files.
    Row { without: SECRET, ..file("file with a byte order mark and CRLF", b"\xEF\xBB\xBFapp_secret = \"canary-app-secret\"\r\n", (0, &["<secret, 17 characters>      qopen.toml"])) },
    Row { without: SECRET, ..file("file with a secret of two lines", b"app_secret = \"\"\"\ncanary-app-secret\n\"\"\"\n", (0, &["<secret, 17 characters>", "`app_secret` in qopen.toml: a line break at the end"])) },
    Row { without: SECRET, ..file("file with a secret that is broken", b"app_secret = \"canary secret\"\n", (2, &["app secret", "from `app_secret` in qopen.toml", "a space inside", "example: app_secret = "])) },
    Row { without: SECRET, ..file("file with a secret that is empty", b"app_secret = \"\"\n", (2, &["app secret", "from `app_secret` in qopen.toml", "blank", "example: app_secret = "])) },
    file("file in UTF-16", b"\xFF\xFEa\0p\0p\0", (2, &["settings file qopen.toml", "UTF-16", "UTF-8"])),
    Row { without: SECRET, ..file("file of an old Mac", b"# a\rapp_secret = \"canary-app-secret\"\r", (0, &["<secret, 17 characters>      qopen.toml"])) },
    file("file in JSON", b"{\"app_secret\": \"canary\"}", (2, &["settings file qopen.toml", "line 1 is JSON", "name = \"value\""])),
    file("file with an invisible character", "\u{200B}app_secret = \"canary\"".as_bytes(), (2, &["settings file qopen.toml", "line 1 has an invisible character", "name = \"value\""])),
    file("file in GBK", b"# a\n# \xB9\xC3\napp_key = \"a\"\n", (2, &["settings file qopen.toml", "line 2 is not UTF-8"])),
    file("key twice", b"app_secret = \"canary1\"\nlisten = \"127.0.0.1:0\"\napp_secret = \"canary2\"\n", (2, &["settings file qopen.toml", "`app_secret` is given twice, in line 1 and in line 3"])),
    file("value without quotes", b"listen = \"127.0.0.1:0\"\napp_secret = canary\n", (2, &["settings file qopen.toml", "line 2", "write app_secret = \"…\""])),
    file("value in typographic quotes", "app_secret = “canary”\n".as_bytes(), (2, &["settings file qopen.toml", "typographic quotes", "write app_secret = \"…\""])),
    file("lines of a shell", b"export QOPEN_APP_SECRET=canary\n", (2, &["settings file qopen.toml", "as for a shell", "write app_secret = \"…\""])),
    file("names of the environment", b"QOPEN_APP_SECRET = \"canary\"\n", (2, &["settings file qopen.toml", "line 1", "did you mean `app_secret`?"])),
    file("names with dashes", b"app-secret = \"canary\"\n", (2, &["settings file qopen.toml", "did you mean `app_secret`?"])),
    file("names in a table", b"[qopen]\napp_secret = \"canary\"\n", (2, &["settings file qopen.toml", "`app_secret` is under `qopen`", "without [qopen]"])),
    file("names with dots", b"qopen.app_secret = \"canary\"\n", (2, &["settings file qopen.toml", "`app_secret` is under `qopen`"])),
    file("setting after a schedule", b"[[schedule]]\ncron = \"0 2 * * *\"\nrobots = [\"r\"]\napp_secret = \"canary\"\n", (2, &["settings file qopen.toml", "`app_secret` comes after [[schedule]]", "move it above"])),
    file("schedule in one pair of brackets", b"[schedule]\ncron = \"0 2 * * *\"\n", (2, &["settings file qopen.toml", "write [[schedule]]"])),
    file("secret that is a number", b"app_secret = 12345\n", (2, &["settings file qopen.toml", "`app_secret` must be a string in quotes", "app_secret = \"…\""])),
    file("setting that is a list", b"listen = [\"127.0.0.1:0\"]\n", (2, &["settings file qopen.toml", "`listen` must be a string", "listen = \"127.0.0.1:8080\""])),
    file("number that is a number", b"max_connections = 77\n", (0, &["77 at once"])),
    file("several mistakes", b"app-key = \"a\"\nlisten = true\n", (2, &["did you mean `app_key`?", "`listen` must be a string"])),
    file("path of Windows", b"data_dir = \"C:\\qopen\"\n", (2, &["settings file qopen.toml", "a backslash", "write data_dir = '…'"])),
    file("file with nothing", b"", (0, &[])),
    // The command line.
    args("settings file that is not there", &["--config", "none.toml", "doctor"], (2, &["settings file none.toml", "from --config", "No such file"])),
    args("robot with an invisible character", &["pull", "--robot", "r\u{200B}1", "--out", "list"], (2, &["--robot", "invisible"])),
    args("settings file that is a folder", &["--config", "folder", "doctor"], (2, &["settings file folder", "it is a folder", "--config qopen.toml"])),
    args("settings file under another home", &["--config=~you/q.toml", "doctor"], (2, &["--config", "./~"])),
    args("listener with spaces", &["--listen", " localhost:0 ", "doctor"], (0, &["127.0.0.1:0", "--listen: a space"])),
    args("listener that is empty", &["--listen", "", "doctor"], (2, &["callback listener", "from --listen", "blank", "example: --listen '127.0.0.1:8080'"])),
    args("simulator without a host", &["simulate", "--on", ":9090"], (2, &["--on", "write 127.0.0.1:9090"])),
    Row { args: &["simulate", "--on", "127.0.0.1:0"], ..env("simulator with an AES key of another length", &[("QOPEN_ENCODING_AES_KEY", b"canary")], (2, &["callback EncodingAESKey", "from QOPEN_ENCODING_AES_KEY", "example: QOPEN_ENCODING_AES_KEY="])) },
    args("simulator with callbacks to no URL", &["simulate", "--on", "127.0.0.1:0", "--callback-url", "localhost:1/x"], (2, &["--callback-url", "http:// or https://", "like https://"])),
    args("schedule in UTF-16", &["simulate", "--on", "127.0.0.1:0", "--schedule", "utf16.txt"], (2, &["schedule utf16.txt", "UTF-16", "UTF-8"])),
    args("capture in UTF-16", &["assemble", "utf16.txt", "--out", "list"], (2, &["utf16.txt", "UTF-16", "UTF-8"])),
    args("callback in UTF-16", &["explain", "utf16.txt"], (2, &["utf16.txt", "UTF-16", "UTF-8"])),
    args("callback with a byte order mark", &["explain", "bom.json"], (1, &["ok    body: 2 bytes", "FAIL  envelope"])),
    args("robots file in UTF-16", &["pull", "--robots-file", "utf16.txt", "--out", "list"], (2, &["robots file utf16.txt", "--robots-file", "UTF-16"])),
    args("robots file with commas", &["pull", "--robots-file", "commas.txt", "--out", "list"], (2, &["robots file commas.txt", "line 2", "example: one id a line"])),
    args("robots file that is not UTF-8", &["pull", "--robots-file", "gbk.txt", "--out", "list"], (2, &["robots file gbk.txt", "line 2 is not UTF-8"])),
    args("output of another user", &["pull", "--robot", "r", "--out", "~you/list"], (2, &["--out", "./~"])),
];

/// The exit code, standard output and standard error.
fn run(row: &Row, folder: &Path) -> (i32, String, String) {
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::write(folder.join("utf16.txt"), b"\xFF\xFEr\x001\0\n\0").unwrap();
    std::fs::write(folder.join("bom.json"), b"\xEF\xBB\xBF{}").unwrap();
    std::fs::write(folder.join("commas.txt"), b"r1\r\nr2, r3\r\n").unwrap();
    std::fs::write(folder.join("gbk.txt"), b"r1\n\xB9\xC3\n").unwrap();
    if let Some(content) = row.file {
        let file = folder.join("qopen.toml");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut command = with_settings(qopen(folder, row.args));
    command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").env("QOPEN_LISTEN", "127.0.0.1:0");
    for name in row.without {
        command.env_remove(name);
    }
    for (name, value) in row.env {
        command.env(name, OsStr::from_bytes(value));
    }
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| steady(&text(bytes), folder);
    (output.status.code().unwrap(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn settings_of_every_editor_shell_and_container_work_or_are_named_with_an_example() {
    let mut told = String::new();
    for row in ROWS {
        let folder = tempfile::tempdir().unwrap();
        let (exit, out, err) = run(row, folder.path());
        let said = format!("{out}{err}");
        let (expected, needles) = row.expect;
        assert_eq!(exit, expected, "{}:\n{said}", row.name);
        for needle in needles {
            assert!(said.contains(needle), "{}: no {needle:?} in\n{said}", row.name);
        }
        assert!(!said.contains("canary"), "{}:\n{said}", row.name);
        // Looking makes nothing.
        let made = std::fs::read_dir(folder.path().join("folder")).unwrap().count();
        assert_eq!((made, folder.path().join("qopen-data").exists()), (0, false), "{}", row.name);
        told.push_str(&format!("== {}: exit {exit}\n", row.name));
        // Below doctor's table, what is not well.
        let below = out.split_once("\n\n").map_or("", |(_, below)| below);
        let lines = below.lines().filter(|line| !line.starts_with("ok "));
        lines.chain(err.lines()).for_each(|line| told.push_str(&format!("{}\n", line.trim_end())));
    }
    assert!(ROWS.len() >= 40);
    insta::assert_snapshot!(told);
}
