//! Tables for people, JSON for machines.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Result;

/// A table as it is printed and written down.
pub(crate) struct Table {
    name: &'static str,
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(name: &'static str, title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&it| it.to_owned()).collect();
        Self { name, title: title.into(), columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it as Markdown, and writes it to `target/bench`.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n### {}\n", self.title);
        println!("| {} |", self.columns.join(" | "));
        println!("|{}", "---|".repeat(self.columns.len()));
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| self.columns.iter().cloned().zip(row.iter().map(|it| json!(it))).collect())
            .collect();
        let folder = PathBuf::from("target/bench");
        std::fs::create_dir_all(&folder)?;
        let json = serde_json::to_string_pretty(&json!({ "title": self.title, "rows": rows }))?;
        std::fs::write(folder.join(format!("{}.json", self.name)), json)?;
        Ok(())
    }
}
