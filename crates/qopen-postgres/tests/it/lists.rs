//! Lists, and their publication as the engine does it.

use std::collections::BTreeMap;

use qopen_postgres::PostgresSink;
use qopen_postgres::testing::Server;
use qopen_sink::{
    CompareOptions, Compared, ListBasis, ListInfo, ListKind, Record, Sink, SinkError,
};
use qopen_types::{Account, MarkId, RobotId};
use tokio_postgres::Client;

use crate::support::connect;

/// A list: its customers by id.
pub(crate) type List = BTreeMap<String, Account>;

/// A list to publish.
#[derive(Clone)]
pub(crate) struct Given {
    robot: RobotId,
    mark: MarkId,
    revision: u32,
    list: List,
}

pub(crate) fn given(robot: &str, mark: &str, revision: u32, list: &List) -> Given {
    let (robot, mark) = (robot.parse().unwrap(), mark.parse().unwrap());
    Given { robot, mark, revision, list: list.clone() }
}

pub(crate) fn account(id: &str, edit: impl FnOnce(&mut Account)) -> (String, Account) {
    let mut account = Account::new(id.parse().unwrap());
    account.profile.name = format!("name of {id}");
    edit(&mut account);
    (id.to_owned(), account)
}

/// The result of a publication: comparisons, and who is gone.
pub(crate) type Done = Result<(Option<Vec<Compared>>, Vec<(String, String)>), SinkError>;

/// How a publication ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    CommitWithoutBasis,
    Hold,
    Drop,
}

/// Publishes lists as the engine does. On a thread that may block.
pub(crate) async fn publish_with(
    sink: &(impl Sink + Clone + 'static),
    lists: Vec<Given>,
    options: CompareOptions,
    end: impl FnOnce() -> End + Send + 'static,
) -> Done {
    let sink = sink.clone();
    let write = move || {
        let mut writer = sink.begin(ListKind::Complete)?;
        for Given { robot, mark, revision, list } in &lists {
            writer.begin_list(&ListInfo::new(robot, mark, *revision))?;
            for account in list.values() {
                writer.write(&Record::new(robot, account))?;
            }
        }
        writer.settle()?;
        let mut gone = Vec::new();
        let compared = writer.compare(options, &mut |robot, account| {
            gone.push((robot.to_string(), account.to_string()));
            Ok(())
        })?;
        match end() {
            End::Commit => {
                for Given { robot, mark, .. } in &lists {
                    let evidence = format!("{{\"confirmed_by\":\"{mark}\"}}");
                    writer
                        .set_basis(robot, ListBasis::new(format!("of {mark}"), Some(evidence)))?;
                }
                drop(writer.commit()?);
            }
            End::CommitWithoutBasis => drop(writer.commit()?),
            End::Hold => assert!(writer.commit_held()?.is_none()),
            End::Drop => drop(writer),
        }
        Ok((compared, gone))
    };
    tokio::task::spawn_blocking(move || std::thread::spawn(write).join().unwrap()).await.unwrap()
}

/// A server with the tables, and a connection.
pub(crate) async fn place(server: &Server) -> (PostgresSink, Client) {
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    (sink, connect(&server.url()).await)
}
