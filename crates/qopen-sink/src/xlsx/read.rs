//! Whether a workbook has customers of a robot.

use std::io::{self, BufRead, BufReader, Read, Seek};

use qopen_types::RobotId;
use zip::ZipArchive;
use zip::result::ZipError;

use super::parts::SHEET;
use super::text::unescape;

/// The longest tag or text of a cell that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Whether the list in a workbook has a customer of that robot. A workbook that another program saved counts
/// as one that has.
pub(crate) fn holds(workbook: impl Read + Seek, robot: &RobotId) -> io::Result<bool> {
    let mut archive = ZipArchive::new(workbook).map_err(io::Error::other)?;
    let sheet = match archive.by_name(SHEET) {
        Ok(sheet) => sheet,
        Err(ZipError::FileNotFound) => return Ok(true),
        Err(error) => return Err(io::Error::other(error)),
    };
    let mut sheet = BufReader::new(sheet);
    let (mut part, mut rows, mut is_robot) = (Vec::new(), 0_u64, false);
    loop {
        part.clear();
        // A text has no `>` in it.
        if (&mut sheet).take(LONGEST).read_until(b'>', &mut part)? == 0 {
            // A worksheet without a header is not one of ours.
            return Ok(rows == 0);
        }
        if part.starts_with(b"<row ") {
            rows += 1;
        } else if rows < 2 {
            // The header, or what comes before it.
        } else if part.starts_with(FIRST) {
            if !part.ends_with(INLINE) {
                return Ok(true);
            }
            is_robot = true;
        } else if is_robot && !part.starts_with(b"<") {
            is_robot = false;
            let content = part.strip_suffix(b"</t>").and_then(|it| std::str::from_utf8(it).ok());
            match content.and_then(unescape) {
                Some(text) if text != robot.as_str() => {}
                _ => return Ok(true),
            }
        }
    }
}

/// The beginning of a cell of the first column, and the end of a cell's tag with its text behind it.
const FIRST: &[u8] = b"<c r=\"A";
const INLINE: &[u8] = b" t=\"inlineStr\">";
