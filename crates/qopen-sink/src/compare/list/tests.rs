//! The parts of lists.

use proptest::prelude::*;
use qopen_types::Account;

use super::*;
use crate::format::{Encoder, Form};
use crate::{CsvOptions, Format, Labels, Record};

#[test]
fn a_list_that_is_cut_while_it_is_read_is_named() {
    let named = tempfile::NamedTempFile::new().unwrap();
    let line = |id: &str| format!("{{\"robot_id\":\"r\",\"account_id\":\"{id}\"}}\n");
    std::fs::write(named.path(), [line("a"), line("b")].concat()).unwrap();
    let list = List::new(named.reopen().unwrap(), named.path(), None, &|| {}).unwrap();
    named.as_file().set_len(line("a").len() as u64).unwrap();
    let mut accounts = list.accounts(&RobotId::new("r").unwrap()).unwrap();
    assert!(accounts.advance().unwrap());
    match accounts.advance() {
        Err(SinkError::NotAList { path, problem: ListProblem::CutOff { line: 2 } }) => {
            assert_eq!(path, named.path());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_with_too_many_parts_is_refused_however_many_follow() {
    let mut parts = WrittenParts::new(LineForm::Jsonl);
    let mut text = Vec::new();
    for n in 0..ROBOTS + 3 {
        let robot = RobotId::new(format!("r{n}")).unwrap();
        let line = format!("{{\"robot_id\":\"r{n}\",\"account_id\":\"a\"}}");
        parts.add(&robot, line.as_bytes());
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    assert_eq!(parts.parts.found.len(), ROBOTS + 1);
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(named.path(), text).unwrap();
    let file = || named.reopen().unwrap();
    let written = List::written(file(), named.path(), parts);
    let read = List::new(file(), named.path(), None, &|| {});
    for list in [written, read] {
        match list {
            Err(SinkError::NotAList { problem: ListProblem::TooManyRobots { line }, .. }) => {
                assert_eq!(line, ROBOTS as u64 + 1);
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn the_parts_of_a_written_list_are_those_that_are_read(
        // The robots of parts, and the names of their customers.
        parts in prop::collection::vec(("[=a,]{1,2}", prop::collection::vec("[a,\"\n\r]{0,4}", 0..4)), 0..5),
        format in prop::sample::select(vec![Format::Jsonl, Format::Csv]),
        (bom, safe, zh) in any::<(bool, bool, bool)>(),
    ) {
        let csv = CsvOptions::default().bom(bom).safe(safe).labels(zh.then_some(Labels::Zh));
        let form = Form { csv, ..Form::from(format) };
        let mut encoder = Encoder::new(&form, Vec::new()).unwrap().with_parts();
        for (robot, names) in &parts {
            let robot = RobotId::new(robot).unwrap();
            for (n, name) in names.iter().enumerate() {
                let mut account = Account::new(format!("{n}").parse().unwrap());
                account.profile.name.clone_from(name);
                encoder.write(&Record::new(&robot, &account)).unwrap();
            }
        }
        let written = encoder.take_parts().unwrap();
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), encoder.finish().unwrap()).unwrap();
        let found = |list: Result<List, SinkError>| match list {
            Ok(list) => {
                let parts: Vec<_> = list.robots.iter().map(|it| list.part(it)).collect();
                format!("{:?} {:?} {parts:?}", list.layout, list.robots)
            }
            Err(error) => format!("{error:?}"),
        };
        let file = || named.reopen().unwrap();
        let written = found(List::written(file(), named.path(), written));
        let read = found(List::new(file(), named.path(), Some(safe), &|| {}));
        prop_assert_eq!(written, read);
    }
}
