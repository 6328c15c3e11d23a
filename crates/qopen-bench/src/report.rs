//! Tables for people, JSON for machines, and the page that a run writes.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;

/// The text before the tables.
const METHOD: &str = include_str!("method.md");

/// A table, printed and written to a file.
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

    /// Prints it, and writes it to `target/bench` as JSON and as Markdown.
    pub(crate) fn finish(self) -> Result<()> {
        let mut text = format!("### {}\n\n| {} |\n|", self.title, self.columns.join(" | "));
        text.push_str(&"---|".repeat(self.columns.len()));
        for row in &self.rows {
            write!(text, "\n| {} |", row.join(" | "))?;
        }
        println!("\n{text}");
        let object = |row: &Vec<String>| {
            self.columns.iter().cloned().zip(row.iter().map(|it| json!(it))).collect()
        };
        let rows: Vec<Value> = self.rows.iter().map(object).collect();
        let folder = folder()?;
        let json = serde_json::to_string_pretty(&json!({ "title": self.title, "rows": rows }))?;
        std::fs::write(folder.join(format!("{}.json", self.name)), json)?;
        std::fs::write(folder.join(format!("{}.md", self.name)), text)?;
        Ok(())
    }
}

fn folder() -> Result<PathBuf> {
    let folder = PathBuf::from("target/bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Removes the tables of earlier runs.
pub(crate) fn forget() -> Result<()> {
    for file in std::fs::read_dir(folder()?)? {
        let path = file?.path();
        if path.extension().is_some_and(|it| it == "md") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Writes the page with the tables of these names, and the names of those that there are not.
pub(crate) fn write_page(names: &[&str]) -> Result<()> {
    let (mut tables, mut missing) = (String::new(), Vec::new());
    for &name in names {
        match std::fs::read_to_string(folder()?.join(format!("{name}.md"))) {
            Ok(table) => write!(tables, "\n{table}\n")?,
            Err(_) => missing.push(name),
        }
    }
    let missing = match missing.is_empty() {
        true => "none".to_owned(),
        false => missing.join(", "),
    };
    let method = METHOD.replace("{machine}", &machine()).replace("{missing}", &missing);
    std::fs::write("docs/BENCHMARKS.md", method + &tables)?;
    Ok(())
}

/// The machine in a line.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |it| it.1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let kernel = said("uname", "-sr").unwrap_or_default();
    let rustc = said("rustc", "--version").unwrap_or_default();
    format!("{model}, {cores} cores, {kernel}, {rustc}")
}
