//! Parts for a sink of your own.

pub use crate::compare::{Digester, compare_records, write_change};
pub use crate::database::{
    Before, Gone, KEPT_CHANGES, KEPT_LISTS, LATEST_TIME, LastList, LastPublished, ListComparison,
    ListHistory, ListPass, ListPlan, ListTables, NewList, NewLists, OldRow, Passed, Planner,
    Progress, RECORDS, RecordError, RecordReader, Records, Spool, SpooledRecord, Step, StepChange,
    StepReader, TableNames, TableWriter, account_of, robot_of_line, table_columns, without_nul,
};
pub use crate::file::{absolute, location_of, target};
pub use crate::history::{FoundChanges, KEPT_LIST, KeptList, ListsSince, NotKept, lists_since};
pub use crate::line_form::json_encoder;
pub use crate::temporary::{can_create_in, create_empty, unnamed};
