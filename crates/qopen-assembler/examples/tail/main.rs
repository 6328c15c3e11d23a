//! The assembler behind a log to which another process appends pages, a line each: half-written lines, rotation,
//! truncation, crashes. The fold is saved with the position in the log, so that reading at least once makes each list
//! exactly once. `cargo run -p qopen-assembler --features serde --example tail`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

#[path = "../pages/mod.rs"]
mod pages;
mod pipeline;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use qopen_assembler::{PullKey, Time};

use crate::pages::{Contacts, Sent, expected};
use crate::pipeline::log::Log;
use crate::pipeline::{Pipeline, list_path};

/// The list of a pull, if it is complete.
fn list(folder: &Path, mark: &str) -> Option<Contacts> {
    let list = fs::read(list_path(folder, &PullKey::new("robot", mark))).ok()?;
    serde_json::from_slice(&list).ok()
}

/// The same clock as in the log's lines.
fn second(second: u64) -> Time {
    Time::since_epoch(Duration::from_secs(second))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (path, folder) = (folder.path().join("pages.log"), folder.path());
    let mut log = Log::open(&path)?;
    let pages = [
        Sent::new("monday", false, &[("e", "Eve"), ("b", "Bob, moved")]),
        Sent::new("monday", true, &[("a", "Ann"), ("b", "Bob")]),
        Sent::new("tuesday", true, &[("a", "Anna")]),
        Sent::new("monday", true, &[("c", "Cy"), ("d", "Dan")]),
        Sent::new("tuesday", false, &[("f", "Flo")]),
    ];
    let lists = expected(&pages);
    let [monday, tuesday] = ["monday", "tuesday"].map(|it| lists.get(&PullKey::new("robot", it)));

    // A half-written line waits for its other half.
    let mut pipeline = Pipeline::open(&path, folder)?;
    log.append(1_000, &pages[0])?;
    log.append_half(2_000, &pages[1])?;
    pipeline.look(second(2))?;
    pipeline.save()?;
    // The log is rotated meanwhile: its writer still has the old file open.
    log.rotate()?;
    log.finish()?;
    log.append(2_500, &pages[2])?;
    pipeline.look(second(3))?;

    // A crash before the state was saved: the next run reads both lines again, one of them in the rotated file.
    drop(pipeline);
    log.append(3_500, &pages[3])?;
    log.copy_and_truncate()?;
    log.append(4_000, &pages[1])?; // a copy, in the truncated file
    let mut pipeline = Pipeline::open(&path, folder)?;
    pipeline.look(second(5))?;
    assert_eq!((list(folder, "monday"), pipeline.gaps), (None, 0), "it is not quiet yet");
    pipeline.look(second(8))?;
    assert_eq!(list(folder, "monday").as_ref(), monday);
    assert_eq!(list(folder, "tuesday"), None, "its last page is missing");

    // A crash after a list was published. The next run replaces the list by an equal one.
    drop(pipeline);
    let mut pipeline = Pipeline::open(&path, folder)?;
    pipeline.look(second(9))?;
    pipeline.save()?;
    assert_eq!((list(folder, "monday").as_ref(), pipeline.gaps), (monday, 0));

    // The writer dies within a line. Whose page that was is unknown: no list completes by mere quiet soon after.
    log.append_half(10_000, &pages[4])?;
    let mut log = Log::open(&path)?;
    log.rotate()?;
    log.append(11_000, &pages[4])?;
    pipeline.look(second(12))?;
    pipeline.look(second(20))?;
    assert_eq!((list(folder, "tuesday"), pipeline.gaps), (None, 1));
    pipeline.look(second(72))?;
    assert_eq!(list(folder, "tuesday").as_ref(), tuesday);
    pipeline.save()?;

    // Truncated without a copy, and every rotated file deleted: the pipeline says so, and goes on.
    for number in 1.. {
        if fs::remove_file(folder.join(format!("pages.log.{number}"))).is_err() {
            break;
        }
    }
    log.truncate()?;
    log.append(80_000, &Sent::new("wednesday", false, &[("g", "Gus")]))?;
    let mut pipeline = Pipeline::open(&path, folder)?;
    pipeline.look(second(84))?;
    assert_eq!((list(folder, "wednesday"), pipeline.gaps), (None, 1));
    pipeline.look(second(144))?;
    assert!(list(folder, "wednesday").is_some());
    println!("3 lists, each equal to what its pages make; 2 gaps found");
    Ok(())
}
