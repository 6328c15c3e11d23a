//! Keys of robots.

use std::fmt::Write as _;

use qopen_sink::storage::NewList;
use sha2::{Digest as _, Sha256};

/// Returns the key of a robot: the first 16 bytes of the SHA-256 of its id, in hexadecimal digits.
///
/// A key of a table has 3,072 bytes at most. The ids of a robot and an account, of 512 characters each, may need 4,096.
pub(crate) fn robot_key(robot_id: &str) -> String {
    let digest = Sha256::digest(robot_id);
    let mut key = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        // Writing to a string does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// Returns the key of a list's robot.
pub(crate) fn key_of(list: &NewList) -> String {
    robot_key(list.robot_id.as_str())
}
