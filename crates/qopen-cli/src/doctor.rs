//! `qopen doctor`: every setting, where it came from, and whether it will do.

use crate::exit::{Exit, Failure};
use crate::say::answer;
use crate::settings::{self, Settings};

pub(crate) async fn run(settings: &Settings) -> Result<Exit, Failure> {
    answer!("{:<28} {:<28} from", "setting", "value");
    for spec in settings::ALL {
        let (value, origin) = match settings.get(spec) {
            None => ("not set".to_owned(), String::new()),
            Some((value, origin)) if spec.secret => (
                format!("<secret, {} characters>", value.expose().chars().count()),
                origin.to_string(),
            ),
            Some((value, origin)) => (value.expose().to_owned(), origin.to_string()),
        };
        answer!("{:<28} {value:<28} {origin}", spec.about);
    }
    answer!("");
    let mut healthy = true;
    let mut check = |what: &str, result: Result<String, Failure>| match result {
        Ok(fine) => answer!("ok    {what}: {fine}"),
        Err(failure) => {
            healthy = false;
            answer!("FAIL  {what}: {failure}");
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
    check("connections", connections(settings));
    check("journal", crate::journal::examine(settings).await);
    if settings.get(&settings::TIME_ZONE).is_some() {
        check("time zone", settings.time_zone().map(|zone| zone.to_string()));
    }
    for (title, result) in crate::serve::examine(settings) {
        check(&title, result);
    }
    match (&settings.exposure, &settings.file) {
        (_, None) => {}
        (None, Some(file)) => answer!("ok    settings file: {}", file.display()),
        (Some(exposure), Some(_)) => answer!("WARN  settings file: {exposure}"),
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
