//! `qopen simulate`: a simulated platform on a port.

use qopen::ForwardTo;
use qopen::callback::{CallbackKeys, Keyring};
use qopen::types::Secret;
use qopen_simulator::{Schedule, Simulator, SimulatorConfig};

use crate::args::SimulateArgs;
use crate::exit::{Exit, Failure};
use crate::lang::{Phrase, Text, phrase};
use crate::say::say;
use crate::settings::{self, Settings};
use crate::values::{home, text_file, trim};
use crate::wiring;

/// Defaults of the simulator for unset settings. They are public and protect nothing.
const APP_KEY: &str = "simulated-app-key";
const APP_SECRET: &str = "simulated-app-secret";
const CALLBACK_TOKEN: &str = "simulated-callback-token";
const ENCODING_AES_KEY: &str = "simulated-aes-key-of-32-bytes-00";

pub(crate) async fn run(args: SimulateArgs, settings: Settings) -> Result<Exit, Failure> {
    let mut stopping = wiring::stops_with(Text::new(
        "stopping (again to stop at once)",
        "正在停止（再次中断则立即停止）",
    ));
    let schedule = match (&args.schedule, args.seed) {
        (Some(text), _) => schedule(text)?,
        (None, Some(seed)) => Schedule::survivable(seed),
        (None, None) => Schedule::default(),
    };
    let callback_url = match args.callback_url {
        Some(url) => {
            let url = trim(&url).to_owned();
            // The check of a URL that callbacks are forwarded to.
            ForwardTo::new(&url).map_err(|error| Failure::usage_of("--callback-url", &error))?;
            url
        }
        None => format!("http://{}{}", settings.listen()?, settings.callback_path()?),
    };
    let (ring, app_secret) = credentials(&settings)?;
    let config = SimulatorConfig {
        listen: args.on,
        callback_url: callback_url.clone(),
        app_secret,
        ring,
        schedule,
    };
    let replay = serde_json::to_string(&config.schedule).unwrap_or_default();
    let simulator =
        Simulator::start(config).await.map_err(|error| Failure::usage_of("", &error))?;
    say!("qopen: simulating the platform on {}, callbacks to {callback_url}", simulator.base_url());
    say!("qopen: the schedule, to play it again: --schedule '{replay}'");
    print_defaults(&settings, &simulator);
    // It ends without a word only with the process.
    let _ = stopping.wait_for(|it| *it).await;
    let counts = simulator.counts();
    let mut summary = format!(
        "{} requests, {} callbacks taken of {} sent, {} given up",
        counts.requests, counts.acknowledged, counts.attempts, counts.given_up
    );
    for (count, what) in [
        (counts.robot_lists, "requests for robots"),
        (counts.robot_states, "requests for states"),
        (counts.by_ids, "requests by id"),
    ] {
        if count > 0 {
            summary.push_str(&format!(", {count} {what}"));
        }
    }
    say!("qopen: {summary}");
    Ok(Exit::Complete)
}

fn named(schedule: &str) -> Phrase {
    phrase!("the schedule {it}", "计划 {it}", it = schedule)
}

fn schedule(text: &str) -> Result<Schedule, Failure> {
    let json = match text.trim_start().starts_with('{') {
        true => text.to_owned(),
        false => {
            let path = home::path(text.into());
            let path = path.map_err(|what| Failure::usage(Phrase::about(named(text), what)))?;
            let bytes =
                std::fs::read(path).map_err(|error| Failure::usage_of(named(text), &error))?;
            let json = text_file::decode(bytes.into());
            let json = json.map_err(|what| Failure::usage(Phrase::about(named(text), what)))?;
            json.to_string()
        }
    };
    serde_json::from_str(&json).map_err(|error| {
        Failure::usage_of(phrase!("the schedule cannot be read", "计划无法读取"), &error)
    })
}

fn credentials(settings: &Settings) -> Result<(Keyring, Secret), Failure> {
    settings.aes_key(&settings::ENCODING_AES_KEY)?;
    let or = |spec, default: &str| settings.text(spec).unwrap_or(default).to_owned();
    let aes_key = Secret::new(or(&settings::ENCODING_AES_KEY, ENCODING_AES_KEY));
    let keys = CallbackKeys::new(or(&settings::CALLBACK_TOKEN, CALLBACK_TOKEN), &aes_key).map_err(
        |error| {
            Failure::usage_of(
                phrase!("the callback EncodingAESKey", "回调的 EncodingAESKey"),
                &error,
            )
        },
    )?;
    let ring = Keyring::new(or(&settings::APP_KEY, APP_KEY), keys);
    Ok((ring, Secret::new(or(&settings::APP_SECRET, APP_SECRET))))
}

/// Prints the settings that point `qopen pull` here, except those that the user has set.
fn print_defaults(settings: &Settings, simulator: &Simulator) {
    say!("qopen: for the other side:");
    say!("  export QOPEN_BASE_URL={}", simulator.base_url());
    let defaults = [
        (&settings::APP_KEY, APP_KEY),
        (&settings::APP_SECRET, APP_SECRET),
        (&settings::CALLBACK_TOKEN, CALLBACK_TOKEN),
        (&settings::ENCODING_AES_KEY, ENCODING_AES_KEY),
    ];
    for (spec, default) in defaults {
        if settings.get(spec).is_none() {
            say!("  export {}={default}", spec.env);
        }
    }
}
