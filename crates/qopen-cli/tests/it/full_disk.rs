//! A disk that is full for a while: a small one of its own, where one may be mounted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use qopen_simulator::{Chance, Dataset, Schedule};

use crate::crashes::Dice;
use crate::support::{Stage, ids, qopen, text, with_settings};

/// A file system in memory, mounted for as long as this lives.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// `None`, said loudly, where none can be mounted: that takes root.
    pub(crate) fn new(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"], &at);
        if !mounted {
            // Past what catches the words of a test that succeeds.
            let _ = writeln!(
                std::io::stderr(),
                "SKIP a full disk under the real binary: nothing can be mounted here; the same over storage that fails on command is in the tests of qopen and qopen-journal"
            );
        }
        mounted.then_some(Self(at))
    }

    pub(crate) fn resize(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], &self.0));
    }

    pub(crate) fn read_only(&self, yes: bool) {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        assert!(mount(&["-o", how], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let mut command = Command::new("mount");
    let done = command.args(arguments).arg(at).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

fn schedule(seed: u64) -> Schedule {
    Schedule {
        seed,
        accounts: 10_000,
        page_size: 50,
        description: 1000,
        max_attempts: 1000,
        lost_acks: Chance::new(10),
        ..Schedule::default()
    }
}

fn pull(stage: &Stage) -> Command {
    let times = ["--settle", "2s", "--idle-timeout", "30s"];
    let what = ["--robot", "r1", "--out", "list", "--data-dir", "disk"];
    stage.pull(&[&times[..], &what[..]].concat())
}

fn spawn(stage: &Stage) -> Running {
    let mut command = pull(stage);
    Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until it says that there is no room; false if it ends before.
fn says_that_there_is_no_room(process: &mut Running) -> bool {
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let said = lines.by_ref().any(|it| it.unwrap().contains("No space left on device"));
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    said
}

fn list_is_right(stage: &Stage, schedule: &Schedule) {
    let expected = Dataset::new(schedule, &"r1".parse().unwrap(), false).expected();
    let expected: Vec<_> = expected.into_keys().collect();
    assert_eq!(ids(&stage.read("list")), expected);
    let check = qopen(stage.folder.path(), &["pulls", "check", "--data-dir", "disk"]);
    let check = with_settings(check).output().unwrap();
    assert!(text(&check.stdout).contains("can be read"), "{}", text(&check.stdout));
}

#[test]
fn a_pull_waits_while_the_disk_is_full_and_goes_on_when_there_is_room() {
    let schedule = schedule(1);
    let stage = Stage::new(&schedule);
    let Some(disk) = Disk::new(stage.folder.path().join("disk"), "2m") else { return };
    let mut process = spawn(&stage);
    assert!(says_that_there_is_no_room(&mut process), "it ended");
    assert!(process.0.try_wait().unwrap().is_none() && !stage.exists("list"));
    disk.resize("64m");
    assert!(process.0.wait().unwrap().success());
    list_is_right(&stage, &schedule);
}

#[test]
fn killed_at_any_moment_on_a_full_disk_nothing_acknowledged_is_lost() {
    let mut dice = Dice::from_environment();
    println!("QOPEN_CRASH_SEED={}", dice.0);
    let schedule = schedule(2);
    let stage = Stage::new(&schedule);
    let Some(disk) = Disk::new(stage.folder.path().join("disk"), "1m") else { return };
    let mut size = 1000;
    for _ in 0..20 {
        // Room for some more pages, and not for all of them.
        size += dice.below(200);
        disk.resize(&format!("{size}k"));
        let mut process = spawn(&stage);
        // One that finds no room even to begin says so and ends.
        if says_that_there_is_no_room(&mut process) {
            std::thread::sleep(Duration::from_millis(dice.below(200)));
        }
        drop(process);
        assert!(!stage.exists("list"));
    }
    disk.read_only(true);
    let refused = pull(&stage).output().unwrap();
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("disk") && said.contains("Read-only file system"), "{said}");
    disk.read_only(false);
    disk.resize("64m");
    let mut process = spawn(&stage);
    assert!(!says_that_there_is_no_room(&mut process));
    assert!(process.0.wait().unwrap().success());
    list_is_right(&stage, &schedule);
}
