//! Whether lists are likely to fit into the format of their file, by the last ones.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use qopen::journal::{Note, PullState};
use qopen::sink::{Format, shown_path};

use super::Output;
use crate::format::Layout;
use crate::lang::{Phrase, Text, phrase};

/// Explains why the next lists of these robots are too long for the output: the last ones were. `states` are the
/// pulls of the journal.
pub(crate) fn too_long(
    output: &Output,
    layout: Layout,
    robots: &[&str],
    states: &[PullState],
) -> Option<Phrase> {
    let most = u64::from(Format::from(layout.format).most_customers()?);
    let title = layout.format.title();
    let last: Vec<_> = robots.iter().filter_map(|robot| last_of(robot, states)).collect();
    let advice = Text::new("write CSV or JSON Lines", "请写成 CSV 或 JSON Lines");
    if let Some((state, accounts)) = last.iter().find(|it| it.1 > most) {
        return Some(phrase!(
            "the last list of robot {robot}, mark {mark}, has {accounts} customers, and a list in {title} holds at most {most}; {advice}",
            "机器人 {robot} 的上一份列表（标记 {mark}）有 {accounts} 位客户，而 {title} 列表最多容纳 {most} 位；{advice}",
            robot = state.pull.robot_id,
            mark = state.pull.mark_id,
            accounts = accounts,
            title = title,
            most = most,
            advice = advice,
        ));
    }
    let all: u64 = last.iter().map(|it| it.1).sum();
    if !output.is_per_robot() && all > most {
        return Some(phrase!(
            "the last lists of these robots have {all} customers, and a list in {title} holds at most {most}; {advice}, or give --out FOLDER for a file per robot",
            "这些机器人的上一份列表共有 {all} 位客户，而 {title} 列表最多容纳 {most} 位；{advice}，或用 --out FOLDER 为每个机器人各写一个文件",
            all = all,
            title = title,
            most = most,
            advice = advice,
        ));
    }
    // A journal that was deleted does not know the last list. The file that kept it does.
    let unknown = robots.iter().filter(|robot| last_of(robot, states).is_none());
    let kept = unknown.map(|robot| output.file(robot).overflow_path());
    let kept = kept.into_iter().find(|path| has_more_lines(path, most))?;
    Some(phrase!(
        "the last list is in {kept}, because a list in {title} holds at most {most} customers; {advice}, or remove that file if the robot has fewer now",
        "上一份列表在 {kept} 中，因为 {title} 列表最多容纳 {most} 位客户；{advice}，若该机器人的客户已减少，请删除此文件",
        kept = shown_path(&kept),
        title = title,
        most = most,
        advice = advice,
    ))
}

/// The last complete pull of a robot, and its customers.
fn last_of<'a>(robot: &str, states: &'a [PullState]) -> Option<(&'a PullState, u64)> {
    let of_robot = |it: &&PullState| it.pull.robot_id.as_str() == robot && it.is_complete();
    let state = states.iter().filter(of_robot).max_by_key(|it| it.order)?;
    let note = state.published().or_else(|| state.ended()).map(|noted| &noted.note);
    match note {
        Some(Note::Published { accounts, .. } | Note::Ended { accounts, .. }) => {
            Some((state, *accounts))
        }
        _ => None,
    }
}

/// Whether a file has more than that number of lines.
fn has_more_lines(path: &Path, most: u64) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut lines = 0;
    while let Ok(bytes @ [_, ..]) = file.fill_buf() {
        lines += bytes.iter().filter(|it| **it == b'\n').count() as u64;
        if lines > most {
            return true;
        }
        let read = bytes.len();
        file.consume(read);
    }
    false
}
