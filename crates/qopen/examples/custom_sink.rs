//! A sink of your own: a table in memory that each complete list replaces in one step.
//! `cargo run -p qopen --example custom_sink`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use qopen::Replay;
use qopen::sink::{Committed, ListKind, ListWriter, Record, Sink, SinkError};

type Rows = BTreeMap<String, String>;

#[derive(Clone, Default)]
struct Table(Arc<Mutex<Rows>>);

impl Sink for Table {
    fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        Ok(Box::new(Writer { table: self.clone(), kind, rows: Rows::new() }))
    }
}

/// Readers of the table see the list before until `commit`.
struct Writer {
    table: Table,
    kind: ListKind,
    rows: Rows,
}

impl ListWriter for Writer {
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let account = record.account();
        self.rows.insert(account.account_id.to_string(), account.profile.name.clone());
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Committed, SinkError> {
        let Self { table, kind, rows } = *self;
        // A partial list never replaces a complete one.
        if kind == ListKind::Complete {
            *table.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
        }
        Ok(Committed::new("memory"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table::default();
    let mut replay = Replay::default();
    let page = r#"{"event_type":42016,"robot_id":"robot","data":{"mark_id":"mark",
        "has_more":false,"account_list":[{"account_id":"a","profile":{"name":"Ann"}}]}}"#;
    replay.add(page.into())?;
    for outcome in replay.finish()? {
        let published = outcome.publish(Arc::new(table.clone())).await?;
        println!("{} customers in {}", published.lists[0].accounts, published.location);
    }
    println!("{:?}", table.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}
