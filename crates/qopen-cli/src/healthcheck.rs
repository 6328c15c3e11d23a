//! `qopen healthcheck`: asks a running service on this machine whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use crate::args::HealthcheckArgs;
use crate::beside;
use crate::exit::{Exit, Failure, chained};
use crate::lang::{Phrase, phrase};
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
    let address = check(args, settings).await.map_err(|mut failure| {
        failure.exit = Exit::Unexpected;
        failure
    })?;
    let ready = phrase!(
        "ready: the service on {address} answers",
        "就绪：{address} 上的服务有应答",
        address = address,
    );
    answer!("{}", ready.shown());
    Ok(Exit::Complete)
}

/// Returns the address of a service that is ready.
async fn check(
    args: &HealthcheckArgs,
    settings: Result<Settings, Failure>,
) -> Result<SocketAddr, Failure> {
    let address = address(&settings?)?;
    ask(address, args.timeout).await?;
    Ok(address)
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
        not_ready(&phrase!(
            "no service has noted its port beside the journal; give {env} a port",
            "没有服务在持久化存储旁记下其端口；请在 {env} 中给出端口",
            env = CONTROL.env,
        ))
    })
}

async fn ask(address: SocketAddr, limit: Duration) -> Result<(), Failure> {
    let client = loopback::client(|it| it)?;
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
    let why = match tokio::time::timeout(limit, asked).await {
        Ok(Ok((status, _))) if status.is_success() => return Ok(()),
        Ok(Ok((status, body))) => {
            let answered = phrase!(
                "{url} answered {status}",
                "{url} 应答 {status}",
                url = url,
                status = status
            );
            match loopback::reason(&body) {
                Some(reason) => Phrase::about(answered, reason.map(one_line)),
                None => answered,
            }
        }
        Ok(Err(error)) if error.is_connect() => {
            let nothing =
                phrase!("no service listens on {it}", "{it} 上没有服务在监听", it = address);
            phrase!(
                "{why}; is its {env} the same?",
                "{why}；服务的 {env} 是否与此相同？",
                why = chained(nothing, &error.without_url()),
                env = CONTROL.env,
            )
        }
        Ok(Err(error)) => {
            chained(phrase!("{url} failed", "{url} 失败", url = url), &error.without_url())
        }
        Err(_) => phrase!(
            "{url} did not answer within {ms} ms",
            "{url} 在 {ms} 毫秒内没有应答",
            url = url,
            ms = limit.as_millis(),
        ),
    };
    Err(not_ready(&why))
}

fn not_ready(why: &Phrase) -> Failure {
    let message = phrase!("not ready: {why}", "未就绪：{why}", why = why.map(flat));
    Failure::new(Exit::Unexpected, message)
}
