//! Names that identifiers from outside are given.

use std::path::{Component, Path};

use proptest::prelude::*;
use qopen_sink::{FileSink, Format, ListKind, Sink as _, file_name, may_hold_password};
use qopen_types::RobotId;

/// What a name means, read back: a name has one meaning.
fn meaning(name: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
    while let [first, others @ ..] = rest {
        rest = match (first, others) {
            (b'%', [high, low, others @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                others
            }
            _ => {
                bytes.push(*first);
                others
            }
        };
    }
    bytes
}

#[test]
fn ordinary_identifiers_are_their_own_names() {
    for id in ["1688850000000001", "wm_Abc-12", "R1"] {
        assert_eq!(file_name(id), id);
    }
    for (id, name) in [
        ("../escaped", "%2E%2E%2Fescaped"),
        ("/etc/passwd", "%2Fetc%2Fpasswd"),
        ("..", "%2E%2E"),
        ("x.jsonl.quarantine", "x%2Ejsonl%2Equarantine"),
        ("a%2Fb", "a%252Fb"),
        ("机器人", "%E6%9C%BA%E5%99%A8%E4%BA%BA"),
        (r"C:\x", "C%3A%5Cx"),
    ] {
        assert_eq!(file_name(id), name);
    }
}

proptest! {
    #[test]
    fn i14_distinct_identifiers_have_distinct_names_inside_their_folder(
        one in "[a./\\\\%:~\\-]{1,6}|\\PC{1,40}",
        other in "[a./\\\\%:~\\-]{1,6}|\\PC{1,40}",
    ) {
        let (Ok(one), Ok(other)) = (RobotId::new(&one), RobotId::new(&other)) else {
            return Ok(());
        };
        let folder = Path::new("/lists");
        let files = |robot: &RobotId| {
            let file = FileSink::of_robot(folder, robot, Format::Jsonl);
            [file.path().to_owned(), file.partial_path(), file.quarantine_path()]
        };
        prop_assert_eq!(meaning(&file_name(one.as_str())), one.as_str().as_bytes());
        for file in files(&one) {
            prop_assert_eq!(file.parent(), Some(folder));
            prop_assert!(file.components().all(|it| !matches!(it, Component::ParentDir)));
            let name = file.file_name().unwrap().to_str().unwrap();
            // Ours begin with a point.
            prop_assert!(!name.starts_with('.') && name.contains(".jsonl"));
            if one != other {
                prop_assert!(!files(&other).contains(&file), "{:?} {:?}", one, other);
            }
        }
    }
}

#[test]
fn an_error_does_not_quote_a_path_that_may_hold_a_password() {
    for path in ["pg//u:canary@h/d", "u:canary@h/d", "x/Pass%77ord = canary/d"] {
        assert!(may_hold_password(path), "{path}");
        let error = FileSink::new(path, Format::Csv).begin(ListKind::Complete).err().unwrap();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let error = FileSink::new("no/list", Format::Csv).begin(ListKind::Complete).err().unwrap();
    assert!(error.to_string().contains("the folder no does not exist"), "{error}");
}
