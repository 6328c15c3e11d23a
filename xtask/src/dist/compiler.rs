//! The compilers of a target. SQLite and ring are partly C, so Rust alone does not suffice.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::program::{first_line, output, rustc};

/// The licence of musl in Debian's package.
pub(super) const DEBIAN_MUSL: &str = "/usr/share/doc/musl/copyright";

/// A C compiler of a target.
#[derive(Debug)]
pub(super) struct Tools {
    /// `CC`, and `AR` if it comes with the compiler.
    pub(super) variables: Vec<(String, PathBuf)>,
    /// The first line that the compiler says about itself.
    pub(super) version: String,
    /// The licence of musl that comes with the compiler, so that the same compilers pack the same file.
    pub(super) musl: PathBuf,
}

/// Finds the compilers of a target: `CC_TARGET`, else musl's `gcc`, else Zig. `folder` gets the scripts that
/// call Zig.
///
/// # Errors
/// What is missing, and how to install it.
pub(super) fn tools(target: &str, folder: &Path) -> Result<Tools> {
    if !target.ends_with("-linux-musl") {
        return Err(
            "a static binary needs a target of musl, such as x86_64-unknown-linux-musl".into()
        );
    }
    let libraries = rustc(&["--print", "target-libdir", "--target", target]);
    if !libraries.is_some_and(|it| Path::new(&it).is_dir()) {
        let install = format!("rustup target add {target}");
        return Err(format!("Rust's libraries for it are missing; install them: {install}").into());
    }
    let (cc, ar) = (variable("CC", target), variable("AR", target));
    if let Some(given) = std::env::var_os(&cc) {
        let given = PathBuf::from(given);
        let version = first_line(Command::new(&given).arg("--version"));
        let version = version.ok_or_else(|| format!("{cc} names no compiler that can be run"))?;
        return Ok(Tools { variables: vec![(cc, given)], version, musl: DEBIAN_MUSL.into() });
    }
    let arch = target.split('-').next().unwrap_or_default();
    let mut names = vec![format!("{arch}-linux-musl-gcc")];
    if arch == std::env::consts::ARCH {
        names.push("musl-gcc".to_owned());
    }
    for name in names {
        if let Some(version) = first_line(Command::new(&name).arg("--version")) {
            // The crate `cc` finds it by itself.
            return Ok(Tools { variables: Vec::new(), version, musl: DEBIAN_MUSL.into() });
        }
    }
    let zig = [&["zig"][..], &["python3", "-m", "ziglang"]];
    for zig in zig {
        let version = first_line(Command::new(zig[0]).args(&zig[1..]).arg("version"));
        if let Some(version) = version {
            let scripts = [(cc, "cc"), (ar, "ar")];
            let script = |(variable, program)| {
                let path = folder.join(format!("zig-{program}-{arch}"));
                write_script(&path, &zig.join(" "), program, arch)?;
                Ok((variable, path))
            };
            let variables = scripts.into_iter().map(script).collect::<Result<_>>()?;
            let env = output(Command::new(zig[0]).args(&zig[1..]).arg("env"))?;
            let library = library(&env).ok_or("`zig env` names no lib_dir")?;
            let musl = Path::new(library).join("libc/musl/COPYRIGHT");
            return Ok(Tools { variables, version: format!("zig {version}"), musl });
        }
    }
    Err(format!(
        "no C compiler for it was found; install Zig (`pip install ziglang`), or for this machine's own architecture Debian's `musl-tools`; or name one in {cc}"
    )
    .into())
}

/// The name of a variable of the crate `cc`.
fn variable(program: &str, target: &str) -> String {
    format!("{program}_{}", target.replace('-', "_"))
}

/// The folder of Zig's libraries in what `zig env` prints: ZON, and JSON before 0.15.
pub(super) fn library(env: &str) -> Option<&str> {
    env.split_once("lib_dir")?.1.trim_start_matches('"').split('"').nth(1)
}

/// Zig knows targets by other names, so the script drops the one that the crate `cc` passes.
fn write_script(path: &Path, zig: &str, program: &str, arch: &str) -> Result<()> {
    let flags = match program {
        // Without optimization Zig adds checks, whose functions Rust does not link.
        "cc" => format!("-target {arch}-linux-musl -fno-sanitize=undefined"),
        _ => String::new(),
    };
    let text = format!(
        "#!/bin/sh\nfor word in \"$@\"; do\n  shift\n  case $word in\n    --target=*) ;;\n    *) set -- \"$@\" \"$word\" ;;\n  esac\ndone\nexec {zig} {program} {flags} \"$@\"\n"
    );
    std::fs::create_dir_all(path.parent().ok_or("the script has no folder")?)?;
    std::fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
