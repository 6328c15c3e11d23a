//! What a build was made of: the commit and the compilers.

use std::path::Path;
use std::process::Command;

use super::build::Built;
use crate::Result;
use crate::program::{first_line, rustc};

/// The sources of a build.
pub(super) struct Provenance {
    /// `SOURCE_DATE_EPOCH`, else the commit's time, in seconds since 1970.
    pub(super) time: u64,
    commit: String,
    rustc: String,
}

impl Provenance {
    pub(super) fn of(root: &Path) -> Result<Self> {
        let git =
            |arguments: &[&str]| first_line(Command::new("git").current_dir(root).args(arguments));
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
        let time = epoch.or_else(|| git(&["log", "-1", "--format=%ct"])).ok_or(
            "neither SOURCE_DATE_EPOCH nor a commit gives the time of the files; set the variable",
        )?;
        let time = time.parse().map_err(|_| format!("{time:?} is no time in seconds"))?;
        let commit = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let is_changed = git(&["status", "--porcelain"]).is_some();
        if is_changed {
            eprintln!(
                "xtask: the sources differ from the commit, so no other machine can build the same"
            );
        }
        let changed = if is_changed { " with changes" } else { "" };
        let rustc = rustc(&["--version"]).ok_or("rustc cannot be run")?;
        Ok(Self { time, commit: format!("{commit}{changed}"), rustc })
    }

    /// The text of `BUILD.txt`.
    pub(super) fn text(&self, built: &Built) -> String {
        let Self { commit, rustc, time } = self;
        let target = &built.target;
        let how = match &built.c_compiler {
            Some(compiler) => format!(
                "Rust: {rustc}\nC: {compiler}\nprofile: dist\n\nThe same commit and compilers give the same bytes: cargo xtask dist --target {target}\n"
            ),
            None => "binary: from another build\n".to_owned(),
        };
        format!("commit: {commit}\nSOURCE_DATE_EPOCH: {time}\ntarget: {target}\n{how}")
    }
}
