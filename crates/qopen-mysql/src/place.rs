//! A database with the tables of lists.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use qopen_sink::SinkError;

use crate::columns::Columns;
use crate::schema;
use crate::server::Server;

/// A database and the columns of its tables.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) columns: Columns,
}

impl Place {
    /// Connects, and makes the tables if they are missing.
    pub(crate) async fn open(&self) -> Result<Conn, SinkError> {
        let mut connection = self.server.connect().await?;
        schema::prepare(&mut connection, &self.server, &self.columns).await?;
        Ok(connection)
    }

    /// Returns the server's time in UTC, and the largest message that it takes, in bytes.
    pub(crate) async fn now(&self, connection: &mut Conn) -> Result<(String, usize), Error> {
        let read = "SELECT CAST(UTC_TIMESTAMP() AS CHAR), @@max_allowed_packet";
        Ok(connection.query_first(read).await?.unwrap_or_default())
    }
}
