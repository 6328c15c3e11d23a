//! Builds the Python package's wheel, and tests it in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::cargo::Metadata;
use crate::program::status;

const CRATE: &str = "crates/qopen-python";

/// What builds and checks the package: a virtual environment in cargo's target folder.
struct Environment {
    /// The package's sources.
    source: PathBuf,
    folder: PathBuf,
    target: PathBuf,
}

/// Builds the wheel and runs its tests. `released` makes the one to be installed elsewhere.
pub(crate) fn run(root: &Path, released: bool) -> Result<()> {
    let target = Metadata::of(root)?.target()?.to_owned();
    let environment = Environment::installed(root, &target)?;
    let wheel = environment.build(&target.join("wheels"), released)?;
    let install =
        ["-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", "--no-index"];
    status(environment.command("python").args(install).arg(&wheel))?;

    println!("== tests");
    // Without a cache: no file is written beside the sources.
    let pytest = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider"];
    status(environment.command("python").args(pytest))?;
    println!("== types");
    status(environment.command("mypy").arg("--cache-dir").arg(target.join("mypy")))?;
    status(environment.command("stubtest").arg("qopen"))?;
    println!("== {} passed", wheel.display());
    Ok(())
}

impl Environment {
    /// Makes the environment, and installs the tools in the versions of `requirements.txt`.
    fn installed(root: &Path, target: &Path) -> Result<Self> {
        let (source, folder) = (root.join(CRATE), target.join("python"));
        let found = Self { source, folder, target: target.to_owned() };
        let wanted = std::fs::read_to_string(found.source.join("requirements.txt"))?;
        let noted = found.folder.join("requirements.txt");
        // Written last: a partial installation lacks it, and is replaced.
        if std::fs::read_to_string(&noted).is_ok_and(|it| it == wanted)
            && status(found.command("python").args(["-c", ""])).is_ok()
        {
            return Ok(found);
        }
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let usable = "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))";
        let output = Command::new(&python).args(["-c", usable]).output();
        if !output.is_ok_and(|it| it.status.success()) {
            return Err(format!(
                "`{}` is no Python of version 3.10 or later with the modules venv and ensurepip: install \
                 it (Debian: `apt install python3-venv`), or name another in the variable PYTHON",
                python.display()
            )
            .into());
        }
        println!("installing the tools of requirements.txt in {}", found.folder.display());
        status(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&found.folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        status(found.command("python").args(install).arg("requirements.txt"))?;
        std::fs::write(&noted, &wanted)?;
        Ok(found)
    }

    /// A program of the environment, in the folder of the sources. The environment's programs come first on its path.
    fn command(&self, program: &str) -> Command {
        let bin = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let mut command = Command::new(bin.join(program));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)));
        command.current_dir(&self.source).env("VIRTUAL_ENV", &self.folder);
        // A relative one would be relative to the sources.
        command.env("CARGO_TARGET_DIR", &self.target);
        // No compiled files beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Ok(path) = path {
            command.env("PATH", path);
        }
        command
    }

    /// Builds the one wheel into an empty folder.
    fn build(&self, wheels: &Path, released: bool) -> Result<PathBuf> {
        if wheels.exists() {
            std::fs::remove_dir_all(wheels)?;
        }
        let mut maturin = self.command("maturin");
        maturin.args(["build", "--quiet", "--locked", "--out"]).arg(wheels);
        match released {
            true => maturin.arg("--release"),
            // For this machine alone.
            false => maturin.args(["--compatibility", "linux"]),
        };
        status(&mut maturin)?;
        let files = std::fs::read_dir(wheels)?.map(|it| Ok(it?.path()));
        let files = files.collect::<Result<Vec<PathBuf>>>()?;
        let [wheel] = files.as_slice() else {
            return Err(format!("maturin made {} wheels, not one", files.len()).into());
        };
        let name = wheel.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains("-cp39-abi3-") {
            return Err(format!("{name} is not for every Python from 3.9 on").into());
        }
        Ok(wheel.clone())
    }
}
