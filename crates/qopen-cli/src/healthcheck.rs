//! `qopen healthcheck`: asks a running service on this machine whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::args::HealthcheckArgs;
use crate::beside;
use crate::exit::{Exit, Failure, chain};
use crate::loopback;
use crate::say::{answer, flat, one_line};
use crate::settings::{CONTROL, Settings};

/// Maximum size of an answer that is read, in bytes.
const LARGEST: usize = 4096;

/// Asks `/readyz` of the control listener, which needs neither token nor TLS.
///
/// # Errors
/// Every failure has the exit code 1, as container runtimes want it.
pub(crate) async fn run(
    args: &HealthcheckArgs,
    settings: Result<Settings, Failure>,
) -> Result<Exit, Failure> {
    let unhealthy = |why: &str| Failure::new(Exit::Unexpected, flat(why));
    let address = settings.and_then(|it| address(&it));
    let address = address.map_err(|failure| unhealthy(&failure.to_string()))?;
    ask(address, args.timeout).await.map_err(|why| unhealthy(&why))?;
    answer!("ready: the service on {address} answers");
    Ok(Exit::Complete)
}

/// Returns the address of the service's control listener.
fn address(settings: &Settings) -> Result<SocketAddr, Failure> {
    let address = beside::on_this_machine(settings.control_address()?);
    if address.port() != 0 {
        return Ok(address);
    }
    // The service chose a port. Its note beside the journal has it.
    let location = settings.journal()?;
    location.as_folder().and_then(beside::read).ok_or_else(|| {
        let env = CONTROL.env;
        Failure::usage(format!(
            "not ready: no service has noted its port beside the journal; give {env} a port"
        ))
    })
}

async fn ask(address: SocketAddr, limit: Duration) -> Result<(), String> {
    let client = loopback::client().map_err(|failure| failure.to_string())?.build();
    let client = client.map_err(|error| chain("the HTTP client", &error))?;
    let url = format!("http://{address}/readyz");
    let asked = async {
        let mut answer = client.get(&url).send().await?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            body.extend_from_slice(&piece[..piece.len().min(LARGEST - body.len())]);
            if body.len() == LARGEST {
                break;
            }
        }
        Ok::<_, reqwest::Error>((answer.status(), body))
    };
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok((status, _))) if status.is_success() => Ok(()),
        Ok(Ok((status, body))) => Err(format!("not ready: {url} answered {status}{}", why(&body))),
        Ok(Err(error)) if error.is_connect() => {
            let what = format!("not ready: no service listens on {address}");
            Err(format!("{}; is its {} the same?", chain(&what, &error.without_url()), CONTROL.env))
        }
        Ok(Err(error)) => Err(chain(&format!("not ready: {url} failed"), &error.without_url())),
        Err(_) => Err(format!("not ready: {url} did not answer within {} ms", limit.as_millis())),
    }
}

/// Returns the reason in an error of the API.
fn why(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(body);
    refusal.map_or_else(|_| String::new(), |it| format!(": {}", one_line(&it.error)))
}
