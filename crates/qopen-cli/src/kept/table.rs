//! The table of kept pulls.

use qopen::journal::Comparison;

use super::pull::{Line, Resume};
use crate::lang::{Lang, Phrase, SEMICOLON, Text, phrase};
use crate::report::{kinds_in_words, states};
use crate::say::{one_line, say};
use crate::table::{self, Cell, Column, Reader, Tint};

const COLUMNS: [Column; 10] = [
    Column::text(table::MARK, 0, 14),
    Column::text(table::ROBOT, 0, 8),
    Column::word(Text::new("STATUS", "状态"), 0),
    Column::number(table::CUSTOMERS, 1),
    Column::number(Text::new("PAGES", "分页数"), 6),
    Column::word(Text::new("STARTED", "开始时间"), 3),
    Column::text(Text::new("CHANGES", "变化"), 2, 16),
    Column::number(Text::new("REVISION", "修订"), 7),
    Column::text(Text::new("OUTPUT", "发布位置"), 5, 16),
    Column::text(Text::new("NOTES", "备注"), 4, 16),
];

/// Prints pulls as a table on standard output. A terminal also gets the commands for what waits.
pub(crate) fn print(pulls: &[Line], hint: Resume) {
    let reader = Reader::of_stdout();
    let rows: Vec<_> = pulls.iter().map(|it| row(it, hint)).collect();
    table::print(&COLUMNS, &rows, reader);
    if reader != Reader::Program {
        // The notes that name them may be cut.
        advice(pulls, hint).iter().for_each(|it| say!("qopen: {}", it.shown()));
    }
}

fn row(line: &Line, hint: Resume) -> [Cell; 10] {
    let state = state(line);
    let published = line.output.is_some();
    [
        Cell::new(&line.mark_id),
        Cell::new(&line.robot_id),
        Cell::new(states::state(state)).tinted(tint(state)),
        Cell::of(line.accounts),
        Cell::of(Some(line.pages)),
        Cell::of(line.started.as_ref()),
        Cell::new(line.changes.as_ref().filter(|_| published).map(changes).unwrap_or_default()),
        Cell::of(line.revision),
        Cell::of(line.output.as_ref()),
        Cell::new(Phrase::join(&line.notes(hint), SEMICOLON)),
    ]
}

/// Returns the status in one word, with the two that decide about a complete list.
fn state(line: &Line) -> &str {
    match (line.superseded, line.held) {
        (true, _) => states::SUPERSEDED.en,
        (false, true) => states::HELD.en,
        (false, false) => &line.status,
    }
}

fn tint(state: &str) -> Option<Tint> {
    let tints = [
        (states::COMPLETE, Tint::Good),
        (states::HELD, Tint::Doubtful),
        (states::INCOMPLETE, Tint::Doubtful),
        (states::FAILED, Tint::Bad),
    ];
    tints.into_iter().find(|(it, _)| it.en == state).map(|(_, tint)| tint)
}

/// Counts the changes in one field, for a program `added=3,gone=1`.
fn changes(compared: &Comparison) -> Phrase {
    if compared.baseline {
        return phrase!("first", "首份");
    }
    let Some(kinds) = kinds_in_words(&compared.counts) else {
        return phrase!("none", "无变化");
    };
    let named = compared.counts.named().into_iter().filter(|(_, count)| *count > 0);
    let named: Vec<_> = named.map(|(name, count)| format!("{name}={count}")).collect();
    Phrase::new(named.join(","), kinds.of(Lang::Zh))
}

/// Returns one sentence for each kind of waiting list.
fn advice(pulls: &[Line], hint: Resume) -> Vec<Phrase> {
    let mark = |which: &dyn Fn(&Line) -> bool| {
        let mut waiting = pulls.iter().filter(|it| which(it));
        let first = waiting.next()?;
        Some(waiting.next().map_or_else(|| one_line(&first.mark_id), |_| "MARK".to_owned()))
    };
    let held = mark(&|it| it.held && !it.superseded).map(|mark| {
        phrase!(
            "`qopen pulls accept {mark}` publishes a held list",
            "`qopen pulls accept {mark}` 可发布被拦下的列表",
            mark = mark,
        )
    });
    let newer = mark(&|it| it.newer_pages).map(|mark| {
        phrase!(
            "{how} publishes pages that came later",
            "{how} 可发布之后到达的分页",
            how = hint.of(&mark),
        )
    });
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
        insta::assert_snapshot!(table::for_each_reader(&COLUMNS, &rows));
    }

    #[test]
    fn a_terminal_gets_the_command_for_what_waits() {
        let advice = |pulls: &[Line], lang| -> Vec<String> {
            let all = advice(pulls, Resume::Command);
            all.iter().map(|it| it.of(lang).to_owned()).collect()
        };
        assert_eq!(
            advice(&pulls(), Lang::En),
            [
                "`qopen pulls accept 0193ab12-34cd-7000-8000-000000000002` publishes a held list",
                "qopen pull --resume odd\\u001b[2J mark publishes pages that came later",
            ]
        );
        let twice = [pulls(), pulls()].concat();
        assert_eq!(
            advice(&twice, Lang::Zh),
            [
                "`qopen pulls accept MARK` 可发布被拦下的列表",
                "qopen pull --resume MARK 可发布之后到达的分页",
            ]
        );
    }
}
