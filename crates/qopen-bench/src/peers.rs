//! The same work by receivers in other languages, as they are usually written, in the same run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::http::{Server, bodies, can_pin, measure};
use crate::report::Table;

/// Accounts on a page, and pages a round: the slowest takes some seconds.
const SIZES: [(usize, usize); 3] = [(1, 10_000), (100, 1_000), (1000, 100)];

pub(crate) fn run() -> Result<()> {
    if !can_pin() {
        eprintln!("SKIP the peers: they are compared on one core each, and nothing can be pinned");
        return Ok(());
    }
    let mut servers = vec![Server::in_memory()?];
    match go() {
        Ok(program) => servers.push(Server::of("Go, net/http", program, Vec::new())),
        Err(why) => eprintln!("SKIP the Go peer: {why}"),
    }
    let python = std::env::var("BENCH_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = source("peer.py").display().to_string();
    for (name, module) in [("Python, FastAPI, json", "json"), ("Python, FastAPI, orjson", "orjson")]
    {
        match has_modules(&python, module) {
            true => {
                let arguments = vec![script.clone(), module.to_owned()];
                servers.push(Server::of(name, PathBuf::from(&python), arguments));
            }
            false => eprintln!(
                "SKIP {name}: {python} lacks fastapi, uvicorn, cryptography or {module}; BENCH_PYTHON names another"
            ),
        }
    }
    let title =
        "Pages a second over loopback HTTP/1.1 on one core, beside other languages' usual way";
    let columns = [
        "accounts",
        "server",
        "pages/s, min–median–max",
        "MB/s",
        "p50, ms",
        "p99, ms",
        "qopen ÷ it",
    ];
    let mut table = Table::new("peers", title, &columns);
    for (accounts, pages) in SIZES {
        let bodies = bodies(accounts, pages)?;
        let measured = measure(&servers, &bodies, true)?;
        let ours = measured.first().map_or(f64::NAN, |it| it.rate.median);
        for (server, it) in servers.iter().zip(&measured) {
            let mut cells = vec![accounts.to_string(), server.name.clone()];
            cells.extend(it.cells(&bodies));
            cells.push(format!("{:.1}", ours / it.rate.median));
            table.row(cells);
        }
    }
    table.finish()
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn go() -> Result<PathBuf> {
    let program = std::path::absolute("target/bench")?.join("peer-go");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&program).arg(source("main.go"));
    let status = build.status().map_err(|error| format!("go: {error}"))?;
    if status.success() { Ok(program) } else { Err("it does not build".into()) }
}

fn has_modules(python: &str, module: &str) -> bool {
    let import = format!("import fastapi, uvicorn, cryptography, {module}");
    let mut command = Command::new(python);
    command.args(["-c", &import]).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}
