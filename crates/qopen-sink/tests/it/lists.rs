//! Lists to publish, and what was found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use qopen_sink::{
    CompareOptions, Compared, FileSink, Format, ListChanges, ListInfo, ListKind, ListWriter,
    Predecessor, Record, Sink as _, SinkError,
};
use qopen_types::{Account, AccountId, Item, Json, RobotId};

/// A robot's list: robot, mark, revision and accounts with a name.
pub(crate) type List<'a> = (&'a str, &'a str, u32, &'a [(&'a str, &'a str)]);

pub(crate) fn settled(sink: &FileSink, lists: &[List<'_>]) -> Box<dyn ListWriter> {
    let mut writer = sink.begin(ListKind::Complete).unwrap();
    for (robot, mark, revision, accounts) in lists {
        let (robot, mark) = (robot.parse().unwrap(), mark.parse().unwrap());
        writer.begin_list(&ListInfo::new(&robot, &mark, *revision)).unwrap();
        for (id, name) in *accounts {
            let json = format!("{{\"account_id\":\"{id}\",\"profile\":{{\"name\":\"{name}\"}}}}");
            let (Item::Valid(account), _) = Item::<Account>::read_with(Json::parse(&json).unwrap())
            else {
                panic!("{json}");
            };
            writer.write(&Record::new(&robot, &account)).unwrap();
        }
    }
    writer.settle().unwrap();
    writer
}

/// Compares without a commit. Returns what was found, and who is gone.
pub(crate) fn compare(
    writer: &mut dyn ListWriter,
    options: CompareOptions,
) -> Result<(Vec<Compared>, Vec<String>), SinkError> {
    let mut names = Vec::new();
    let mut gone = |robot: &RobotId, id: &AccountId| {
        names.push(format!("{robot}/{id}"));
        Ok(())
    };
    let compared = writer.compare(options, &mut gone)?.unwrap();
    Ok((compared, names))
}

pub(crate) fn publish(
    sink: &FileSink,
    lists: &[List<'_>],
) -> Result<(Vec<Compared>, Vec<String>), SinkError> {
    let mut writer = settled(sink, lists);
    let found = compare(&mut *writer, CompareOptions::default())?;
    writer.commit()?;
    Ok(found)
}

/// Publishes [`B`] as `m2` over [`A`], which is `m1` and also in the file `earlier`.
pub(crate) fn publish_b_after_a(sink: &FileSink, earlier: &Path) {
    let (found, gone) = publish(sink, &[("r", "m2", 1, B)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].accounts_before), (since("m1", 1), 3));
    let counts = found[0].counts;
    assert_eq!((counts.added, counts.gone, counts.changed, counts.total()), (1, 1, 1, 3));
    assert_eq!(gone, ["r/c"]);
    let mut later = Vec::new();
    ListChanges::open(sink.changes_path()).unwrap().apply(earlier, &mut later).unwrap();
    assert_eq!(String::from_utf8(later).unwrap(), read(sink.path()));
}

pub(crate) fn sink() -> (tempfile::TempDir, FileSink) {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    (folder, sink)
}

/// A list in plain CSV.
pub(crate) fn csv_sink() -> (tempfile::TempDir, FileSink) {
    let (folder, sink) = sink();
    (folder, FileSink::new(sink.path(), Format::Csv))
}

pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

pub(crate) fn since(mark: &str, revision: u32) -> Predecessor {
    Predecessor::List { mark_id: Some(mark.parse().unwrap()), revision: Some(revision) }
}

pub(crate) const UNKNOWN: Predecessor = Predecessor::List { mark_id: None, revision: None };

pub(crate) const A: &[(&str, &str)] = &[("a", "1"), ("b", "1"), ("c", "1")];
pub(crate) const B: &[(&str, &str)] = &[("a", "2"), ("b", "1"), ("d", "1")];
pub(crate) const C: &[(&str, &str)] = &[("a", "1"), ("c", "3"), ("d", "1")];
