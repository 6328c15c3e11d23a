//! What lines in JSON Lines begin with: robot and account.

use qopen_types::RobotId;

use crate::csv_row::quoted;

/// What a robot's lines begin with.
pub(super) fn prefix_of(robot: &RobotId) -> Vec<u8> {
    format!("{{\"robot_id\":{},\"account_id\":\"", quoted(robot.as_str())).into_bytes()
}

/// Reads the id behind the prefix of a line. Returns false if there is none.
pub(super) fn read_id(rest: &[u8], id: &mut String) -> bool {
    id.clear();
    let Some(end) = memchr::memchr2(b'"', b'\\', rest) else { return false };
    let (mut end, mut plain) = (end, true);
    while rest.get(end) == Some(&b'\\') {
        plain = false;
        // The escaped character is not the end.
        let Some(next) = rest.get(end + 2..).and_then(|it| memchr::memchr2(b'"', b'\\', it)) else {
            return false;
        };
        end += 2 + next;
    }
    let Ok(text) = std::str::from_utf8(&rest[..end]) else { return false };
    match plain {
        true => id.push_str(text),
        false => match serde_json::from_str::<String>(&format!("\"{text}\"")) {
            Ok(text) => *id = text,
            Err(_) => return false,
        },
    }
    !id.is_empty() && matches!(rest.get(end + 1), Some(b',' | b'}'))
}

/// The robot of a line.
pub(super) fn robot_of(line: &[u8]) -> Option<RobotId> {
    let rest = line.strip_prefix(b"{\"robot_id\":\"")?;
    let mut text = String::new();
    read_id(rest, &mut text).then_some(())?;
    let robot = RobotId::new(text).ok()?;
    line.starts_with(&prefix_of(&robot)).then_some(robot)
}
