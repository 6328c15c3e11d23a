//! Ids of robots from command lines, files, schedules and requests.

use std::collections::BTreeSet;
use std::path::Path;

use qopen::types::RobotId;
use zeroize::Zeroizing;

use crate::args::PullArgs;
use crate::exit::{Failure, chained};
use crate::lang::{Phrase, Text, phrase};
use crate::say::caution;
use crate::topics::warnings;
use crate::values::{is_space, text_file, trim};

/// Separators of ids in other kinds of lists.
const SEPARATORS: [char; 5] = [',', ';', '，', '；', '、'];

/// Returns the robots of `--robot` and `--robots-file`, each once, in their order.
pub(crate) fn wanted(args: &PullArgs) -> Result<Vec<RobotId>, Failure> {
    let mut all = Vec::new();
    for name in &args.robots {
        let robot = one(trim(name)).map_err(|why| {
            let what = phrase!(
                "--robot: the id {name}",
                "--robot：ID {name}",
                name = format!("{name:?}"),
            );
            Failure::usage(Phrase::about(what, why))
        })?;
        if robot.as_str().contains(SEPARATORS) {
            caution!(
                warnings::ROBOT_SEPARATORS,
                "--robot: {robot} is used as one id; give --robot once for each robot",
                "--robot：{robot} 被当作一个 ID；请为每个机器人各写一次 --robot",
                robot = robot,
            );
        }
        all.push(robot);
    }
    if let Some(file) = &args.robots_file {
        all.extend(in_file(file)?);
    }
    let mut seen = BTreeSet::new();
    all.retain(|robot| seen.insert(robot.clone()));
    if all.is_empty() {
        return Err(Failure::usage(phrase!(
            "no robot was named; give --robot ID, --robots-file FILE or --all-robots",
            "没有指定机器人；请给出 --robot ID、--robots-file FILE 或 --all-robots",
        )));
    }
    Ok(all)
}

fn in_file(file: &Path) -> Result<Vec<RobotId>, Failure> {
    let what = phrase!(
        "the robots file {file}",
        "机器人文件 {file}",
        file = qopen::sink::shown_path(file),
    );
    let bytes = std::fs::read(file).map_err(|error| Failure::usage_of(&what, &error))?;
    let text = text_file::decode(Zeroizing::new(bytes));
    let robots = text.and_then(|text| parse(&text));
    robots.map_err(|reason| {
        Failure::usage(phrase!(
            "{what} (from --robots-file): {reason}\n  example: one id a line, # before a comment",
            "{what}（来自 --robots-file）：{reason}\n  示例：每行一个 ID，# 之后为注释",
            what = what,
            reason = reason,
        ))
    })
}

/// Parses a single id.
pub(crate) fn one(text: &str) -> Result<RobotId, Phrase> {
    visible(text)?;
    RobotId::new(text).map_err(|error| chained("", &error))
}

/// Parses an id of a list, in which a separator is a mistake. `each` says how to write a list.
pub(crate) fn listed(text: &str, each: Text) -> Result<RobotId, Phrase> {
    let text = trim(text);
    if text.contains(SEPARATORS) {
        return Err(phrase!(
            "it has a comma or a semicolon; {each}",
            "其中有逗号或分号；{each}",
            each = each,
        ));
    }
    if text.contains(is_space) {
        return Err(phrase!("it has a space inside; {each}", "其中有空格；{each}", each = each,));
    }
    if text.starts_with(['"', '\'', '“', '[', '{']) {
        return Err(phrase!(
            "it begins with a quote or a bracket; write the bare id",
            "以引号或括号开头；请直接写 ID",
        ));
    }
    RobotId::new(text).map_err(|error| chained("", &error))
}

/// Refuses an id with invisible characters, which looks like another id.
pub(crate) fn visible(id: &str) -> Result<(), Phrase> {
    if trim(id) != id {
        return Err(phrase!(
            "it begins or ends with a space or an invisible character; remove that",
            "首尾有空格或不可见的字符；请去掉",
        ));
    }
    match id.contains(|it: char| is_space(it) && it != ' ') {
        true => Err(phrase!(
            "it has an invisible character inside; type it again",
            "其中有不可见的字符；请重新输入",
        )),
        false => Ok(()),
    }
}

/// Reads one id per line.
fn parse(text: &str) -> Result<Vec<RobotId>, Phrase> {
    let each = Text::new("write each id on a line of its own", "请每行写一个 ID");
    let mut robots = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let name = trim(line.split('#').next().unwrap_or_default());
        if name.is_empty() {
            continue;
        }
        let robot = listed(name, each).map_err(|why| {
            phrase!("line {line}: {why}", "第 {line} 行：{why}", line = at + 1, why = why)
        });
        robots.push(robot?);
    }
    Ok(robots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_files_of_all_editors() {
        for text in ["a\nb\n", "a\r\nb\r\n", "\n a \u{A0}\n\tb # c\n", "# x\na\n\u{FEFF}b"] {
            let robots = parse(text).map(|it| it.iter().map(ToString::to_string).collect());
            assert_eq!(robots, Ok(vec!["a".to_owned(), "b".to_owned()]), "{text:?}");
        }
        for (text, reason) in [
            ("a\nb,c", "line 2: it has a comma"),
            ("a；b", "line 1: it has a comma or a semicolon"),
            ("a b", "line 1: it has a space inside"),
            ("a\u{200B}b", "line 1: it has a space inside"),
            ("\r\n\"a\"", "line 2: it begins with a quote"),
            ("[\"a\"]", "line 1: it begins"),
            ("a\u{7}b", "line 1: an identifier cannot contain control"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.english().starts_with(reason), "{text:?}: {error:?}");
            error.assert_chinese();
        }
    }
}
