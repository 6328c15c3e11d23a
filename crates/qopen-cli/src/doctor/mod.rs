//! `qopen doctor`: shows every setting with its origin, and checks the setup.

mod online;
mod report;

use std::path::Path;

use crate::args::DoctorArgs;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::format::{Asked, Layout, Words};
use crate::lang::phrase;
use crate::output::Output;
use crate::say::answer;
use crate::settings::{self, Settings};
use crate::topics::warnings;
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
    report.check("journal", crate::journal::examine(settings).await);
    if settings.get(&settings::TIME_ZONE).is_some() {
        report.check("time zone", settings.time_zone().map(|zone| zone.to_string()));
    }
    if let Some(out) = args.out.clone() {
        // It waits for files and servers.
        let checked = tokio::task::spawn_blocking(move || output(&out)).await;
        report.check(
            "output",
            checked.unwrap_or_else(|error| {
                Err(Failure::unexpected("the check of the output", &error))
            }),
        );
    }
    for (title, result) in crate::serve::examine(settings) {
        report.check(&title, result);
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

/// Checks that lists can be published to a place.
fn output(out: &Path) -> Result<String, Failure> {
    if let Some(url) = database::of(out) {
        database::refuse_password("--out", url)?;
    }
    let layout = Asked::default().settle(Words::NoFormat, out, Layout::default());
    let output = Output::new(out, layout.map_err(Failure::usage)?)?;
    output.check(&[])?;
    Ok(format!("lists can be published to {}", output.place()))
}
