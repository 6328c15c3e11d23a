//! The columns against the first migration, and columns of later fields in a real database.

use qopen_sink::conformance::later_columns;
use qopen_sink::{ListInfo, ListKind, Sink};
use qopen_types::{Account, MarkId, RobotId};

use super::*;
use crate::PostgresSink;
use crate::testing::Server;

const TABLES: &str = include_str!("../1.sql");

/// Names and types of the columns that the first migration makes between the key and the record.
fn made_first() -> Vec<(String, String)> {
    let table = TABLES.split("CREATE TABLE qopen.robot_account (").nth(1).unwrap();
    let lines = table.split("PRIMARY KEY").next().unwrap().lines().map(str::trim);
    let columns = lines.filter(|it| !it.is_empty() && !it.starts_with("--"));
    let columns = columns.map(|it| {
        let (name, rest) = it.split_once(' ').unwrap();
        let sql_type = rest.trim_end_matches(',').trim_end_matches(" NOT NULL");
        (name.trim_matches('"').to_owned(), sql_type.to_owned())
    });
    let keys = ["robot_id", "account_id", "account"];
    columns.filter(|(name, _)| !keys.contains(&name.as_str())).collect()
}

#[test]
fn every_field_that_is_not_a_list_has_its_column() {
    let columns = Columns::of(Account::COLUMNS);
    for it in Account::COLUMNS.iter().filter(|it| it.path != "account_id") {
        let is_list = matches!(it.cell, Cell::Rows(..) | Cell::Json(_));
        let has_column = columns.0.iter().any(|column| column.path == it.path);
        assert!(has_column || is_list && !it.in_tables, "{}", it.path);
    }
    let first = made_first();
    assert_eq!(first.len(), FIRST);
    for ((name, sql_type), column) in first.iter().zip(&columns.0) {
        assert_eq!(declared(column), format!("\"{name}\" {sql_type}"));
    }
}

fn account(name: &str) -> Account {
    let json = format!(
        r#"{{"account_id":"a","profile":{{"name":"{name}"}},
            "nickname":"N {name}","order":7,"level":3,"seen_at":1700000000}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn publish(sink: &PostgresSink, name: &str) {
    let (robot, mark): (RobotId, MarkId) = ("r".parse().unwrap(), "m".parse().unwrap());
    let mut list = sink.begin(ListKind::Complete).unwrap();
    list.begin_list(&ListInfo::new(&robot, &mark, 1)).unwrap();
    list.write(&Record::new(&robot, &account(name))).unwrap();
    list.commit().unwrap();
}

/// Name, nickname and the other later columns of the only row.
fn row(sink: &PostgresSink) -> (String, Option<String>, Option<String>) {
    sink.ask("reading", async |client| {
        let read = r#"SELECT name, nickname,
            concat_ws(' ', "order", level, extract(epoch FROM seen_at)::bigint, vip, things, pairs)
            FROM qopen.robot_account"#;
        let row = client.query_one(read, &[]).await?;
        let rest: String = row.get(2);
        Ok((row.get(0), row.get(1), (!rest.is_empty()).then_some(rest)))
    })
    .unwrap()
}

/// A pooler that resets nothing gives a connection of an earlier client to the next one.
#[test]
fn temporary_tables_of_an_earlier_client_are_dropped() {
    let Some(server) = Server::start() else { return };
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.migrate().unwrap();
    sink.ask("leaving tables behind", async |client| {
        let leave =
            "CREATE TEMPORARY TABLE new_account (n text); INSERT INTO new_account VALUES ('a')";
        client.batch_execute(leave).await
    })
    .unwrap();
    publish(&sink, "Ann");
    publish(&sink, "Bob");
    let name: String = sink
        .ask("reading", async |client| {
            Ok(client.query_one("SELECT name FROM qopen.robot_account", &[]).await?.get(0))
        })
        .unwrap();
    assert_eq!(name, "Bob");
}

/// A process of this version and one of a later version publish into the same tables.
#[test]
fn a_later_field_is_a_column_and_an_earlier_process_goes_on() {
    let Some(server) = Server::start() else { return };
    let earlier = PostgresSink::new(&server.url()).unwrap();
    assert_eq!(earlier.migrate().unwrap(), 4);
    publish(&earlier, "Ann");

    let mut now = PostgresSink::new(&server.url()).unwrap();
    let all: Vec<Column> = Account::COLUMNS.iter().copied().chain(later_columns()).collect();
    now.columns = Columns::of(&all);
    assert_eq!(now.migrate().unwrap(), 2, "both tables get the columns");
    assert_eq!(now.migrate().unwrap(), 0, "once");
    now.check().unwrap();
    assert_eq!(row(&now), ("Ann".into(), None, None), "the row is as before");

    let others = Some(r#"7 3 1700000000 t [{"a":"\\"}] [["a"]]"#.to_owned());
    publish(&now, "Ann");
    assert_eq!(row(&now), ("Ann".into(), Some("N Ann".into()), others.clone()), "an equal record");

    // The earlier one knows neither the columns nor a newer schema.
    earlier.check().unwrap();
    publish(&earlier, "Bob");
    assert_eq!(row(&now), ("Bob".into(), Some("N Ann".into()), others.clone()));
    publish(&now, "Bob");
    assert_eq!(row(&now), ("Bob".into(), Some("N Bob".into()), others));
}
