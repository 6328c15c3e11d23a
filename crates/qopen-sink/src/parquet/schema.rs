//! The schema of a list.

use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::TypePtr;
use qopen_types::{Cell, Column};

use crate::csv_row::{REST, ROBOT};

/// Returns the schema of lists with these columns of an account: the columns of CSV, each with a type.
pub(super) fn schema(columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let mut message = format!("message customers {{ required binary {} (STRING);", ROBOT.name());
    columns.iter().for_each(|it| message.push_str(&field(it)));
    for column in &REST {
        message.push_str(&format!("optional binary {} (STRING);", column.name()));
    }
    message.push('}');
    parse_message_type(&message).map(Arc::new)
}

fn field(column: &Column) -> String {
    let name = column.name;
    match column.cell {
        Cell::Text(_) | Cell::Json(_) => format!("required binary {name} (STRING);"),
        // An open enumeration has codes of 64 bits.
        Cell::Integer(_) | Cell::Code(_) => format!("required int64 {name};"),
        Cell::UnixSeconds(_) => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
        Cell::Flag(_) => format!("required boolean {name};"),
        Cell::Rows(..) => {
            let texts = column.element_names().map(|it| format!("required binary {it} (STRING);"));
            let texts: String = texts.collect();
            match texts.is_empty() {
                true => format!("required binary {name} (STRING);"),
                false => format!(
                    "required group {name} (LIST) {{ repeated group list {{ required group element {{ {texts} }} }} }}"
                ),
            }
        }
    }
}
