//! The tables of lists, and their versions.

use crate::schema::Schema;

pub(super) const SCHEMA: Schema = Schema::new(
    "qopen",
    &[include_str!("1.sql"), include_str!("2.sql"), include_str!("3.sql"), include_str!("4.sql")],
);
