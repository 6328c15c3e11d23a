//! `qopen doctor`: shows every setting with its origin, and checks the setup.

mod online;
mod report;

use std::path::Path;

use qopen::sink::SinkError;
use qopen::types::Upgrade;

use crate::args::DoctorArgs;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::format::{Asked, Layout, Words};
use crate::lang::phrase;
use crate::output::Output;
use crate::output::database::ListDatabase;
use crate::say::answer;
use crate::settings::{self, Settings};
use crate::topics::warnings;
pub(crate) use online::{refused, token};
use report::Report;

pub(crate) async fn run(args: &DoctorArgs, settings: &Settings) -> Result<Exit, Failure> {
    answer!("{:<28} {:<28} from", "setting", "value");
    for spec in settings::ALL {
        let is_problem = settings.problems.iter().any(|it| it.setting() == Some(spec.name));
        let (value, origin) = match settings.get(spec) {
            None if is_problem => ("cannot be used".to_owned(), String::new()),
            None => ("not set".to_owned(), String::new()),
            Some((value, origin)) if spec.secret => (
                format!("<secret, {} characters>", value.expose().chars().count()),
                origin.to_string(),
            ),
            Some((value, origin)) => (without_login(value.expose()), origin.to_string()),
        };
        answer!("{:<28} {value:<28} {origin}", spec.about);
    }
    answer!("");
    let mut report = Report::default();
    let faults = settings.faults(true);
    for fault in settings.problems.iter().chain(&faults) {
        report.fault(fault);
    }
    report.check(
        "requests",
        settings.sender(|it| it).map(|sender| match sender.proxy() {
            None => "base URL and credentials are set".into(),
            Some(proxy) => format!("base URL and credentials are set, through {proxy}"),
        }),
    );
    if settings.sets_forwarding() {
        // Without a URL in the settings the flag brings it. Any URL serves the check.
        let any = settings.get(&settings::FORWARD).is_none().then_some("http://127.0.0.1/");
        let forwarder = settings.forwarder(any);
        report.check(
            "forwarding",
            forwarder.map(|_| "URL, proxy, certificates and time-out are valid".into()),
        );
    }
    report.check(
        "callbacks",
        settings.ring().map(|_| "app key, callback token and AES key are set".into()),
    );
    report.check("callback path", settings.callback_path());
    report.check("listener", listener(settings));
    report.check("connections", connections(settings));
    report.check("control", control(settings));
    let journal = crate::journal::examine(settings).await;
    report.check("journal", journal.line);
    if let Some(format) = &journal.format {
        report.change("journal format", format);
    }
    if journal.is_restored {
        answer!(
            "WARN  journal: it was restored from a backup; the next start, or `qopen migrate`, keeps its unfinished pulls from being complete"
        );
    }
    if settings.get(&settings::TIME_ZONE).is_some() {
        report.check("time zone", settings.time_zone().map(|zone| zone.to_string()));
    }
    if let Some(out) = args.out.clone() {
        // It waits for files and servers.
        let checked = tokio::task::spawn_blocking(move || output(&out)).await;
        let checked = checked
            .unwrap_or_else(|error| Err(Failure::unexpected("the check of the output", &error)));
        let format = checked.as_ref().ok().and_then(|(_, format)| format.clone());
        report.check("output", checked.map(|(fine, _)| fine));
        if let Some(format) = format {
            report.change("output format", &format);
        }
    }
    for (title, result) in crate::serve::examine(settings) {
        report.check(&title, result);
    }
    for (title, format) in schedule_formats(settings).await {
        match format {
            Ok(format) => report.change(&format!("{title} format"), &format),
            Err(error) => answer!("WARN  {title} format: {}", crate::exit::chain("", &error)),
        }
    }
    for (title, result) in crate::serve::examine_webhooks(settings) {
        report.check(&title, result);
    }
    for (topic, note) in &settings.notes {
        answer!("WARN  {} [{}]", note.shown(), topic.name);
    }
    match (&settings.exposure, &settings.file) {
        (_, None) => {}
        // A line above names its mistake.
        (None, Some(_)) if settings.problems.iter().any(|it| it.setting().is_none()) => {}
        (None, Some(file)) => answer!("ok    settings file: {}", file.display()),
        (Some(exposure), Some(_)) => {
            let topic = warnings::SETTINGS_EXPOSED.name;
            answer!("WARN  settings file: {} [{topic}]", exposure.shown());
        }
    }
    if args.online {
        online::run(settings, &mut report).await;
    }
    Ok(report.exit())
}

/// Returns the value without user, password and query of a URL, which may be secret.
fn without_login(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (&rest[..at], "?…"),
        None => (rest, ""),
    };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://…@{place}{query}"),
        None => format!("{scheme}://{rest}{query}"),
    }
}

fn listener(settings: &Settings) -> Result<String, Failure> {
    let address = settings.listen()?;
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(format!("{address} can be listened on")),
        Err(error) => {
            let what = phrase!("{it} cannot be listened on", "无法监听 {it}", it = address);
            Err(Failure::usage_of(what, &error))
        }
    }
}

fn control(settings: &Settings) -> Result<String, Failure> {
    let ((address, token), hosts) = (settings.control()?, settings.control_hosts()?);
    let with = if token.is_some() { "with a token" } else { "without a token" };
    let hosts = match hosts.len() {
        0 => String::new(),
        1 => ", and 1 more host".to_owned(),
        more => format!(", and {more} more hosts"),
    };
    Ok(format!("{address}, {with}; answers to loopback and that address{hosts}"))
}

fn connections(settings: &Settings) -> Result<String, Failure> {
    let (limits, tls) = (settings.limits()?, settings.tls()?);
    let stale = match settings.refuse_stale()? {
        None => "of any age".to_owned(),
        Some(age) => format!("at most {} s from the clock", age.as_secs()),
    };
    let with = if tls.is_some() { "with TLS" } else { "without TLS" };
    let (all, per_peer) = (limits.connections, limits.per_peer);
    Ok(format!("{all} at once, {per_peer} of one peer, {with}; callbacks {stale}"))
}

/// Looks at the databases of schedules.
async fn schedule_formats(settings: &Settings) -> Vec<(String, Result<Upgrade, SinkError>)> {
    let mut formats = Vec::new();
    for found in &settings.schedule {
        let out = found.entry().ok().and_then(|entry| entry.out.as_deref());
        let Some(Ok(Some(database))) = out.map(ListDatabase::at) else { continue };
        // It waits for files and servers.
        let examined = tokio::task::spawn_blocking(move || database.examine()).await;
        let examined = examined.unwrap_or_else(|error| Err(SinkError::Database(error.into())));
        formats.push((found.title.to_string(), examined));
    }
    formats
}

/// Checks that lists can be published to a place, and what that does to the format of a database. Changes nothing: a
/// database on a server that lacks tables or columns is only looked at.
pub(crate) fn output(out: &Path) -> Result<(String, Option<Upgrade>), Failure> {
    if let Some(url) = database::of(out) {
        database::refuse_password("--out", url)?;
    }
    let layout = Asked::default().settle(Words::NoFormat, out, Layout::default());
    let output = Output::new(out, layout.map_err(Failure::usage)?)?;
    let place = output.place();
    if let Some(database) = output.clone().into_database().filter(ListDatabase::is_on_a_server) {
        let format = database.examine().map_err(|error| database.failure(&error))?;
        if !format.is_nothing() {
            let looked = format!("{place} answers; the first start tries to publish");
            return Ok((looked, Some(format)));
        }
    }
    output.check(&[])?;
    let format = output.into_database().map(|it| it.examine().map_err(|error| it.failure(&error)));
    Ok((format!("lists can be published to {place}"), format.transpose()?))
}
