//! Runs programs.

use std::path::Path;
use std::process::{Command, Output};

use crate::Result;

/// Runs a program with this process's streams. Fails if the program fails.
pub(crate) fn status(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| unstarted(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", line(command)).into())
    }
}

/// Runs a program and returns the bytes that it prints. Fails with its message if the program fails.
pub(crate) fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| unstarted(command, &error))?;
    if status.success() {
        return Ok(stdout);
    }
    let why = String::from_utf8_lossy(&stderr);
    Err(format!("{} failed: {}", line(command), why.trim()).into())
}

/// Runs a program and returns the text that it prints. Fails with its message if the program fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(bytes(command)?)?)
}

/// Runs a program and returns the first line that it prints, if it succeeds.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    Some(output(command).ok()?.lines().next()?.trim().to_owned())
}

/// The first line that rustc prints, if it succeeds.
pub(crate) fn rustc(arguments: &[&str]) -> Option<String> {
    first_line(Command::new("rustc").args(arguments))
}

fn unstarted(command: &Command, error: &std::io::Error) -> String {
    format!("{} could not be started: {error}", name(command))
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// The command as a person types it.
fn line(command: &Command) -> String {
    let arguments = command.get_args().map(|it| format!(" {}", it.to_string_lossy()));
    format!("`{}{}`", name(command), arguments.collect::<String>())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named_with_its_arguments() {
        let sh = |script| {
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", script]);
            sh
        };
        let mut good = sh("echo one; echo two; echo why >&2");
        assert_eq!(output(&mut good).unwrap(), "one\ntwo\n");
        assert_eq!(first_line(&mut good).unwrap(), "one");
        status(&mut sh("exit 0")).unwrap();
        let mut bad = sh("echo one; echo why >&2; exit 3");
        let failed = output(&mut bad).unwrap_err().to_string();
        assert_eq!(failed, "`sh -c echo one; echo why >&2; exit 3` failed: why");
        assert_eq!(first_line(&mut bad), None);
        let failed = status(&mut sh("exit 3")).unwrap_err().to_string();
        assert!(
            failed.starts_with("`sh -c exit 3` ended with ") && failed.ends_with(" 3"),
            "{failed}"
        );
        let missing = output(&mut Command::new("/nowhere/x")).unwrap_err().to_string();
        assert!(missing.starts_with("x could not be started: "), "{missing}");
    }
}
