//! Tables on a real terminal, which `script` makes, and in a pipe.

use std::process::{Command, Output, Stdio};

use qopen_simulator::{Schedule, SimulatedRobot};

use crate::support::{Stage, text};
use crate::switches::is_usable;

const NAME: &str = "客服小王负责华东地区的全部客户的机器人";

fn stage() -> Stage {
    let mut robots = vec![SimulatedRobot::host("r1".parse().unwrap(), NAME)];
    robots.push(SimulatedRobot::host("r2".parse().unwrap(), "odd\u{1b}]0;title\u{7}\r\n\tname"));
    let stage = Stage::new(&Schedule { accounts: 30, robots, ..Schedule::default() });
    for robot in ["r1", "r2"] {
        let output = stage.run(&["--robot", robot, "--out", &format!("{robot}.jsonl")]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    stage
}

/// Runs a command by a shell whose standard output is a terminal of `columns`. `rest` follows the command.
pub(crate) fn on_terminal(command: &Command, columns: usize, rest: &str) -> Output {
    let program = command.get_program().to_string_lossy();
    let arguments: Vec<_> = command.get_args().map(|it| format!(" '{}'", it.display())).collect();
    let shell = format!("stty cols {columns} rows 24; {program}{}{rest}", arguments.concat());
    let mut script = Command::new("script");
    script.args(["-qec", &shell, "/dev/null"]);
    script.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        script.env_remove(name);
    }
    script.env("TERM", "xterm").stdin(Stdio::null()).output().unwrap()
}

/// Whether [`on_terminal`] works here.
pub(crate) fn is_there() -> bool {
    is_usable("script", &["-qec", "stty size", "/dev/null"], "QOPEN_TEST_TERMINAL")
}

fn list(stage: &Stage, columns: usize, verb: &str, rest: &str) -> String {
    let output = on_terminal(&stage.verb(verb, &["list"]), columns, rest);
    assert!(output.status.success(), "{}", text(&output.stdout));
    text(&output.stdout)
}

#[test]
fn a_table_fits_the_terminal_and_a_pipe_gets_whole_fields() {
    let script = is_there();
    let stage = stage();
    for verb in ["robots", "pulls"] {
        // A variable of the shell does not make a terminal.
        let mut piped = stage.verb(verb, &["list"]);
        let piped = text(&piped.env("COLUMNS", "20").output().unwrap().stdout);
        let fields: Vec<Vec<&str>> = piped.lines().map(|it| it.split('\t').collect()).collect();
        assert_eq!(fields.len(), 3, "{piped}");
        assert!(fields.iter().all(|it| it.len() == fields[0].len()), "{piped}");
        assert!(!piped.contains('…') && !piped.contains('\u{1b}'), "{piped}");
        if verb == "robots" {
            assert_eq!((fields[1][0], fields[1][8]), ("r1", NAME), "{piped}");
            assert_eq!(fields[2][8], "odd\\u001b]0;title\\u0007   name", "{piped}");
        } else {
            assert_eq!(fields[1][1..5], ["r1", "complete", "30", "1"], "{piped}");
        }
        if !script {
            continue;
        }
        for columns in [40, 80, 120] {
            let table = list(&stage, columns, verb, "");
            // Titles and states are coloured by the rule of standard error.
            assert!(table.contains("\u{1b}[1m"), "{table:?}");
            let plain = console::strip_ansi_codes(&table).replace('\r', "");
            assert_eq!(plain.lines().count(), 3, "{plain}");
            for line in plain.lines() {
                assert!(console::measure_text_width(line) <= columns, "{columns}: {line:?}");
            }
            assert!(!plain.contains(|it: char| it.is_control() && it != '\n'), "{plain:?}");
            assert!(plain.contains('…') || columns == 120, "{columns}: {plain}");
        }
        let plain = list(&stage, 40, verb, " --color never");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let inner = list(&stage, 40, verb, " | cat");
        // An age of one second more is another text of the same fields.
        let of = |text: &str| text.lines().map(|it| it.matches('\t').count()).collect::<Vec<_>>();
        assert_eq!(of(&inner), of(&piped), "{inner}");
        assert!(!inner.contains(['…', '\u{1b}']), "{inner}");
    }
}
