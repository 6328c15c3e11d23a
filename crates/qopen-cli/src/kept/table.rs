//! The table of kept pulls.

use qopen::journal::{Comparison, EndState};

use super::pull::{Line, Resume};
use crate::say::{one_line, say};
use crate::table::{self, Cell, Column, Reader, Tint};

const COLUMNS: [Column; 10] = [
    Column::text("MARK", 0, 14),
    Column::text("ROBOT", 0, 8),
    Column::word("STATUS", 0),
    Column::number("CUSTOMERS", 1),
    Column::number("PAGES", 6),
    Column::word("STARTED", 3),
    Column::text("CHANGES", 2, 16),
    Column::number("REVISION", 7),
    Column::text("OUTPUT", 5, 16),
    Column::text("NOTES", 4, 16),
];

/// Prints pulls as a table on standard output. A terminal also gets the commands for what waits.
pub(crate) fn print(pulls: &[Line], hint: Resume) {
    let reader = Reader::of_stdout();
    let rows: Vec<_> = pulls.iter().map(|it| row(it, hint)).collect();
    table::print(&COLUMNS, &rows, reader);
    if reader != Reader::Program {
        // The notes that name them may be cut.
        advice(pulls, hint).iter().for_each(|it| say!("qopen: {it}"));
    }
}

fn row(line: &Line, hint: Resume) -> [Cell; 10] {
    let state = state(line);
    let published = line.output.is_some();
    [
        Cell::new(&line.mark_id),
        Cell::new(&line.robot_id),
        Cell::new(state).tinted(tint(state)),
        Cell::of(line.accounts),
        Cell::of(Some(line.pages)),
        Cell::of(line.started.as_ref()),
        Cell::of(line.changes.as_ref().filter(|_| published).map(changes)),
        Cell::of(line.revision),
        Cell::of(line.output.as_ref()),
        Cell::new(line.notes(hint).join("; ")),
    ]
}

/// Returns the status in one word, with the two that decide about a complete list.
fn state(line: &Line) -> &str {
    match (line.superseded, line.held) {
        (true, _) => "superseded",
        (false, true) => "held",
        (false, false) => &line.status,
    }
}

fn tint(state: &str) -> Option<Tint> {
    match state {
        "held" => Some(Tint::Doubtful),
        it if it == EndState::Complete.as_str() => Some(Tint::Good),
        it if it == EndState::Incomplete.as_str() => Some(Tint::Doubtful),
        it if it == EndState::Failed.as_str() => Some(Tint::Bad),
        _ => None,
    }
}

/// Counts the changes in one field: `added=3,gone=1`.
fn changes(compared: &Comparison) -> String {
    if compared.baseline {
        return "first".to_owned();
    }
    let named = compared.counts.named().into_iter().filter(|(_, count)| *count > 0);
    let named: Vec<_> = named.map(|(name, count)| format!("{name}={count}")).collect();
    if named.is_empty() { "none".to_owned() } else { named.join(",") }
}

/// Returns one sentence for each kind of waiting list.
fn advice(pulls: &[Line], hint: Resume) -> Vec<String> {
    let mark = |which: &dyn Fn(&Line) -> bool| {
        let mut waiting = pulls.iter().filter(|it| which(it));
        let first = waiting.next()?;
        Some(waiting.next().map_or_else(|| one_line(&first.mark_id), |_| "MARK".to_owned()))
    };
    let held = mark(&|it| it.held && !it.superseded);
    let newer = mark(&|it| it.newer_pages);
    let held = held.map(|mark| format!("`qopen pulls accept {mark}` publishes a held list"));
    let newer = newer.map(|mark| format!("{} publishes pages that came later", hint.of(&mark)));
    held.into_iter().chain(newer).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn pulls() -> Vec<Line> {
        let plain = json!({
            "type": "pull", "robot_id": "wo-robot-1", "mark_id": "0193ab12-34cd-7000-8000-000000000001",
            "status": "complete", "started": "2026-03-01T12:00:00Z", "last_activity": null,
            "pages": 12, "accounts": 11_873, "bytes": 9, "quarantined": 0, "set_aside": 0, "damaged": 0,
            "revision": 1, "output": "/srv/lists/wo-robot-1.jsonl", "newer_pages": false,
            "superseded": false, "changes": {
                "baseline": true, "added": 0, "gone": 0, "lost": 0, "removed": 0, "returned": 0, "changed": 0,
            },
        });
        let with = |parts: serde_json::Value| {
            let mut all = plain.clone();
            all.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
            serde_json::from_value(all).unwrap()
        };
        vec![
            with(json!({})),
            with(json!({
                "mark_id": "0193ab12-34cd-7000-8000-000000000002", "held": true, "accounts": 9_001,
                "robot_id": "客服小王的机器人一二三四五", "revision": null, "output": null, "changes": null,
            })),
            with(json!({
                "mark_id": "manual", "status": "open", "accounts": null, "pages": 0, "started": null,
                "revision": null, "output": null, "changes": null, "quarantined": 2, "damaged": 1,
            })),
            with(json!({
                "mark_id": "odd\u{1b}[2J mark", "status": "incomplete", "newer_pages": true, "revision": 3,
                "output": "/srv/a folder/列表.csv", "set_aside": 4, "changes": {
                    "baseline": false, "since": "m", "added": 12, "gone": 3, "lost": 0, "removed": 1,
                    "returned": 0, "changed": 40,
                },
            })),
        ]
    }

    #[test]
    fn the_table_of_pulls() {
        let rows: Vec<_> = pulls().iter().map(|it| row(it, Resume::Command)).collect();
        let readers = [40, 80, 120].map(Reader::Terminal).into_iter().chain([Reader::Program]);
        let text: Vec<_> = readers
            .map(|reader| format!("{reader:?}\n{}", table::render(&COLUMNS, &rows, reader, false)))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn a_terminal_gets_the_command_for_what_waits() {
        assert_eq!(
            advice(&pulls(), Resume::Command),
            [
                "`qopen pulls accept 0193ab12-34cd-7000-8000-000000000002` publishes a held list",
                "qopen pull --resume odd\\u001b[2J mark publishes pages that came later",
            ]
        );
        let twice = [pulls(), pulls()].concat();
        assert!(advice(&twice, Resume::Command)[0].contains("accept MARK`"));
    }
}
