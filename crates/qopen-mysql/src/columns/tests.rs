//! Columns of later fields in tables of an earlier version.

use qopen_sink::conformance::later_columns;
use qopen_sink::storage::TableWriter;
use qopen_sink::{ListInfo, ListKind, ListWriter as _, Record, SinkError};
use qopen_types::{MarkId, RobotId};

use super::*;
use crate::blocking::on_a_runtime;
use crate::place::Place;
use crate::server::{Server as Database, end};
use crate::testing::Server;
use crate::writer::Tables;

fn publish(place: &Place, names: &[&str]) -> Result<(), SinkError> {
    let (robot, mark): (RobotId, MarkId) = ("r".parse().unwrap(), "m".parse().unwrap());
    let mut list = TableWriter::begin(Tables(place.clone()), ListKind::Complete, None)?;
    list.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    for name in names {
        let json = format!(
            r#"{{"account_id":"{name}","nickname":"N {name}","order":7,"level":3,"seen_at":1700000000}}"#
        );
        let account: Account = serde_json::from_str(&json).unwrap();
        list.write(&Record::new(&robot, &account))?;
    }
    Box::new(list).commit().map(drop)
}

/// Brings the tables to the columns of this place. Returns how many steps that took.
fn migrate(place: &Place) -> usize {
    let migrated = on_a_runtime(async || {
        let mut connection = place.server.connect().await?;
        let steps = crate::schema::prepare(&mut connection, &place.server, &place.columns).await;
        end(connection).await;
        steps
    });
    migrated.unwrap()
}

#[test]
fn tables_of_an_earlier_version_get_the_columns_of_later_fields_filled() {
    let Some(server) = Server::start() else { return };
    let columns = Columns::of(Account::COLUMNS);
    let earlier = Place { server: Database::new(&server.url()).unwrap(), columns };
    let names: Vec<String> = (0..600).map(|n| format!("{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    publish(&earlier, &names).unwrap();

    let all: Vec<Column> = Account::COLUMNS.iter().copied().chain(later_columns()).collect();
    let now = Place { columns: Columns::of(&all), ..earlier.clone() };
    assert_eq!([migrate(&now), migrate(&now)], [1, 0]);
    let filled = "SELECT count(*) FROM robot_account
        WHERE nickname = concat('N ', account_id) AND `order` = 7 AND level = 3 AND vip
            AND seen_at = '2023-11-14 22:13:20'";
    let count = || server.query(filled)[0][0].clone();
    assert_eq!(count(), "600");

    // A migration that was killed after it had added the columns, and before it filled them.
    let _ = server.query("UPDATE robot_account SET nickname = NULL, vip = NULL");
    let _ = server.query("DELETE FROM qopen_version ORDER BY version DESC LIMIT 1");
    migrate(&now);
    assert_eq!(count(), "600");

    publish(&now, &["0001", "new"]).unwrap();
    assert_eq!(count(), "2");
    // The earlier version would write rows without the columns.
    let error = publish(&earlier, &["a"]).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("use the later qopen"), "{source}");
    assert_eq!(count(), "2");
}
