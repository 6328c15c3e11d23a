//! Whether a file has customers of a robot.

use std::fs::File;
use std::io;

use ::parquet::file::metadata::ParquetMetaDataReader;
use qopen_types::RobotId;

use super::robots::{KEY, ListOf};

/// Whether the list in a file has a customer of that robot. A file that another program wrote counts as one that
/// has, unless it is empty.
pub(crate) fn holds(list: &File, robot: &RobotId) -> io::Result<bool> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(list);
    let metadata = metadata.map_err(io::Error::other)?;
    let file = metadata.file_metadata();
    if file.num_rows() == 0 {
        return Ok(false);
    }
    let lists = file.key_value_metadata().into_iter().flatten().find(|it| it.key == KEY);
    let lists = lists.and_then(|it| it.value.as_deref());
    let lists = lists.and_then(|it| serde_json::from_str::<Vec<ListOf>>(it).ok());
    Ok(lists
        .is_none_or(|all| all.iter().any(|it| it.robot_id == robot.as_str() && it.customers > 0)))
}
