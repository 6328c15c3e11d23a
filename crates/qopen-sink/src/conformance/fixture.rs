//! Databases that earlier versions wrote, and what readers get of them.

use qopen_types::Account;

use super::given::{
    End, Given, List, account, counts, given, must_fit_together, only, plain, publish,
    publish_plain, publish_with, read, since,
};
use super::{Reader, Subject};
use crate::{CompareOptions, ListBasis, ListKind, Sink};

/// Publishes the lists of a fixture to a database without lists: each kind of change, tags, a partial list, an item
/// in quarantine.
///
/// # Panics
/// If the database refuses one.
pub fn publish_fixture(sink: &dyn Sink) {
    let with_basis = |mut list: Given| {
        let evidence = r#"{"quiet_ms":3000}"#.to_owned();
        list.basis = Some(ListBasis::new("the last page was seen", Some(evidence)));
        list.order = sink.next_order().unwrap();
        list
    };
    let mut first = plain(&["b", "c", "d"]);
    first.extend([tagged("it's \\\\ \\\"odd\\\" 企业微信")]);
    let mut second = plain(&["d", "e"]);
    second.extend([tagged("another"), account("c", |it| it.deleted_by_contact = true)]);
    let options = CompareOptions::default();
    let item = r#"{"robot_id":"r1","mark_id":"m","kind":"account","reason":"no id"}"#;
    let first = with_basis(given("r1", "m1", 1, &first));
    publish_with(sink, &[first], options, &[item], || End::Commit).unwrap();
    let second = with_basis(given("r1", "m2", 1, &second));
    publish_with(sink, &[second], options, &[item], || End::Commit).unwrap();
    publish_plain(sink, ListKind::Partial, &given("r2", "m3", 1, &plain(&["a", "b"]))).unwrap();
    publish(sink, &[given("r3", "m4", 2, &List::new())]).unwrap();
}

/// A customer with tags. The name is as JSON has it.
fn tagged(name: &str) -> (String, Account) {
    read(&format!(
        r#"{{"account_id":"a","profile":{{"name":"{name}","add_at":1700000000}},"tag_info_list":
        [{{"parent_tag_name":"level","tag_name":"1"}},{{"parent_tag_name":"level","tag_name":"2"}}]}}"#
    ))
}

/// Returns what readers get of a fixture: queries, each with its rows.
#[must_use]
pub fn fixture_rows(reader: &mut dyn Reader) -> String {
    let (fields, account) = (reader.fields(), reader.text("account"));
    let (before, entry) = (reader.text("\"before\""), reader.text("entry"));
    let accounts = format!(
        "robot_id, account_id, account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar, alias, \
         phone, add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\", {account}"
    );
    let tags = "robot_id, account_id, place, parent_tag_name, tag_name";
    let by_account = "ORDER BY robot_id, account_id";
    let queries = [
        format!("SELECT {accounts} FROM qopen.robot_account {by_account}"),
        format!("SELECT {accounts} FROM qopen.partial_robot_account {by_account}"),
        format!("SELECT {tags} FROM qopen.tag {by_account}, place"),
        format!("SELECT {tags} FROM qopen.partial_tag {by_account}, place"),
        "SELECT robot_id, complete, mark_id, revision, accounts, list_order, basis, evidence IS NULL \
         FROM qopen.pull ORDER BY robot_id, complete"
            .to_owned(),
        format!("SELECT robot_id, place, {entry} FROM qopen.quarantine ORDER BY robot_id, place"),
        "SELECT robot_id, number, mark_id, revision, baseline, since_mark_id, since_revision, accounts_before, \
         accounts, added, gone, lost, removed, returned, changed, list_order, basis, evidence IS NULL, \
         digest_before, digest FROM qopen.list ORDER BY robot_id, number"
            .to_owned(),
        format!(
            "SELECT robot_id, number, account_id, mark_id, revision, since_mark_id, since_revision, \"change\", \
             {fields}, {before}, {account} FROM qopen.change ORDER BY robot_id, number, account_id"
        ),
    ];
    queries.iter().map(|query| rows_of(reader, query)).collect()
}

/// What a query begins with in the text of a fixture.
const QUERY: &str = "-- ";

fn rows_of(reader: &mut dyn Reader, query: &str) -> String {
    let rows = reader.query(query).into_iter().map(|row| row.join(" | ") + "\n");
    format!("{QUERY}{query}\n{}", rows.collect::<String>())
}

/// Checks a database of an earlier format: readers get what they got of that version, and the next list is compared
/// with the last one. `expected` is the text that [`fixture_rows`] returned then.
///
/// # Panics
/// If readers get something else, or the next list cannot be published.
pub fn check_fixture(subject: &dyn Subject, expected: &str) {
    let sink = subject.sink();
    sink.check().unwrap();
    let mut reader = subject.reader();
    let found: String = expected
        .lines()
        .filter_map(|line| line.strip_prefix(QUERY))
        .map(|query| rows_of(&mut *reader, query))
        .collect();
    assert!(!found.is_empty());
    assert_eq!(found, expected);
    let robot = "r1".parse().unwrap();
    assert!(sink.holds(&robot).unwrap());
    let mut next = plain(&["e", "f"]);
    next.extend([tagged("another")]);
    let mut next = given("r1", "next", 1, &next);
    next.order = sink.next_order().unwrap();
    let compared = only(publish(&*sink, &[next]));
    assert_eq!((compared.since, compared.counts), (since("m2", 1), counts([1, 2, 0, 0, 0, 0])));
    must_fit_together(&mut *reader, "r1");
}
