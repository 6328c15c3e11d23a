//! `qopen doctor`: every setting, where it came from, and whether it will do.

use std::path::Path;

use crate::exit::{Exit, Failure};
use crate::settings::{self, Settings};

pub(crate) fn run(settings: &Settings) -> Result<Exit, Failure> {
    println!("{:<24} {:<28} from", "setting", "value");
    for spec in settings::ALL {
        let (value, origin) = match settings.get(spec) {
            None => ("not set".to_owned(), String::new()),
            Some((value, origin)) if spec.secret => (
                format!("<secret, {} characters>", value.expose().chars().count()),
                origin.to_string(),
            ),
            Some((value, origin)) => (value.expose().to_owned(), origin.to_string()),
        };
        println!("{:<24} {value:<28} {origin}", spec.about);
    }
    println!();
    let mut healthy = true;
    let mut check = |what: &str, result: Result<String, Failure>| match result {
        Ok(fine) => println!("ok    {what}: {fine}"),
        Err(failure) => {
            healthy = false;
            println!("FAIL  {what}: {failure}");
        }
    };
    check(
        "requests",
        settings.sender(|it| it).map(|_| "base URL and credentials are there".into()),
    );
    check(
        "callbacks",
        settings.ring().map(|_| "app key, callback token and AES key are there".into()),
    );
    check("callback path", settings.callback_path());
    check("listener", listener(settings));
    check("journal", crate::journal::examine(settings));
    if let Some(file) = &settings.file {
        check_file(file);
    }
    Ok(if healthy { Exit::Complete } else { Exit::Usage })
}

fn listener(settings: &Settings) -> Result<String, Failure> {
    let address = settings.listen()?;
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(format!("{address} can be listened on")),
        Err(error) => Err(Failure::usage_of(&format!("{address} cannot be listened on"), &error)),
    }
}

/// A settings file may hold secrets, so others should not be able to read it.
#[cfg(unix)]
fn check_file(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(found) = std::fs::metadata(file) else {
        return;
    };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        println!("ok    settings file: {} is yours alone", file.display());
    } else {
        let file = file.display();
        println!(
            "WARN  settings file: {file} has mode {mode:04o}; others may read its secrets: chmod 600 {file}"
        );
    }
}

#[cfg(not(unix))]
fn check_file(_: &Path) {}
