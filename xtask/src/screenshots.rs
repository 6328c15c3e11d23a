//! Makes the pictures of the console.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cargo::command;
use crate::program::status;

/// Starts a simulated platform and a service whose pages have something to show, and writes a picture of each
/// page in both languages.
///
/// # Errors
/// A message, if a program is missing, or a picture is too large.
pub(crate) fn run(root: &Path) -> Result<()> {
    // Without a font the browser draws boxes.
    let fonts = Command::new("fc-list").arg(":lang=zh").output();
    if !fonts.is_ok_and(|it| !it.stdout.is_empty()) {
        let missing = "no font for Chinese is installed; install one, such as Debian's fonts-wqy-microhei, and fontconfig";
        return Err(missing.into());
    }
    let test = ["test", "--locked", "-p", "qopen-cli", "--test", "it"];
    let which = ["--", "--exact", "--ignored", "console_screens::every_page_has_its_pictures"];
    let mut command = command(root, &[&test[..], &which].concat());
    let command = command.env("QOPEN_TEST_CHROMIUM", "required");
    status(command.env("QOPEN_SCREENSHOTS", root.join("docs/console")))
}
