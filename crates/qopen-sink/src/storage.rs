//! Parts for a sink of your own.

pub use crate::compare::{Digester, compare_records, write_change};
pub use crate::database::{
    KEPT_CHANGES, KEPT_LISTS, LATEST_TIME, LastList, ListHistory, TableNames, robot_of_line,
    table_columns,
};
pub use crate::file::{absolute, location_of, target};
pub use crate::format::write_record_json;
pub use crate::temporary::{can_create_in, create_empty, unnamed};
