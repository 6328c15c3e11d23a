//! `qopen explain`: one captured callback, step by step.

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use qopen::callback::{Freshness, OpenError, RejectReason, Staleness};
use qopen::types::{Account, CallbackSkim, Entry, EventType, Json, PageSkim};
use qopen::{Understood, understand};

use crate::args::ExplainArgs;
use crate::exit::{Exit, Failure, chain};
use crate::settings::Settings;

pub(crate) fn run(args: &ExplainArgs, settings: &Settings) -> Result<Exit, Failure> {
    let body = read(&args.file)?;
    let mut steps = Steps { failed: false };
    steps.explain(&body, settings)?;
    Ok(if steps.failed { Exit::Unexpected } else { Exit::Complete })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = match file {
        file if file == Path::new("-") => std::io::stdin().read_to_end(&mut body),
        file => std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut body)),
    };
    read.map_err(|error| Failure::usage_of(&file.display().to_string(), &error))?;
    Ok(body)
}

/// The steps of opening, in the order in which they are taken, and what is said when they hold.
const OPENING: [(&str, &str); 7] = [
    ("envelope", "a JSON object with all five fields"),
    ("app key", "the configured one"),
    ("signature", "made with the callback token"),
    ("base64", "well formed"),
    ("length", "a whole number of AES blocks"),
    ("padding", "valid, so the EncodingAESKey is the right one"),
    ("UTF-8", "well formed"),
];

/// The step at which an error stopped the opening.
fn step_of(error: &OpenError) -> &'static str {
    match error {
        OpenError::AppKey => "app key",
        OpenError::Signature => "signature",
        OpenError::Base64(_) => "base64",
        OpenError::Length { .. } => "length",
        OpenError::Padding => "padding",
        OpenError::NotUtf8(_) => "UTF-8",
        _ => "envelope",
    }
}

struct Steps {
    failed: bool,
}

impl Steps {
    fn holds(&self, step: &str, what: &str) {
        println!("ok    {step}: {what}");
    }

    fn fails(&mut self, step: &str, what: &str) {
        self.failed = true;
        println!("FAIL  {step}: {what}");
    }

    fn explain(&mut self, body: &[u8], settings: &Settings) -> Result<(), Failure> {
        self.holds("body", &format!("{} bytes", body.len()));
        let text = std::str::from_utf8(body).unwrap_or_default();
        if EventType::of_payload(text) != EventType::Absent {
            self.holds("envelope", "none: the callback is already opened");
            self.payload(text);
            return Ok(());
        }
        // What can be said without keys is said first.
        if let Err(error) = qopen::callback::Keyring::new("", no_keys()?).verify(body)
            && error.reason() == RejectReason::Malformed
        {
            self.fails("envelope", &chain("", &error));
            return Ok(());
        }
        let ring = settings.ring()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match ring.open(body, now, Freshness::default()) {
            Ok(opened) => {
                for (step, held) in OPENING {
                    self.holds(step, held);
                }
                self.timestamp(opened.staleness());
                self.payload(opened.payload());
            }
            Err(error) => self.opening_failed(&error),
        }
        Ok(())
    }

    fn opening_failed(&mut self, error: &OpenError) {
        for (step, held) in OPENING {
            if step == step_of(error) {
                self.fails(step, &chain("", error));
                if let Some(advice) = advice(error) {
                    println!("      {advice}");
                }
                return;
            }
            self.holds(step, held);
        }
    }

    fn timestamp(&self, staleness: Staleness) {
        match staleness {
            Staleness::Fresh => self.holds("timestamp", "within five minutes of this clock"),
            Staleness::Stale { away } => {
                self.holds(
                    "timestamp",
                    &format!("{} s from this clock; reported, not refused", away.as_secs()),
                );
            }
            _ => self.holds("timestamp", "not a number of seconds; reported, not refused"),
        }
    }

    fn payload(&mut self, payload: &str) {
        if let Err(error) = Json::parse(payload) {
            self.fails("JSON", &chain("", &error));
            return;
        }
        self.holds("JSON", "well formed");
        match understand(payload) {
            Understood::NotJson(error) => self.fails("JSON", &chain("", &error)),
            Understood::Other(EventType::Absent) => {
                self.fails("event", "no event_type: not a callback's payload")
            }
            Understood::Other(event_type) => {
                self.holds(
                    "event",
                    &format!("{event_type}: not a customer list; handed on, never an error"),
                );
            }
            Understood::Unreadable { reason, .. } => {
                self.fails("shape", &format!("{reason}; the page would go to quarantine"));
            }
            Understood::Error { code, message, mark_id, .. } => {
                self.holds("event", "42016: the platform reports an error");
                let mark =
                    mark_id.map_or("without a mark".to_owned(), |mark| format!("for mark {mark}"));
                self.holds("report", &format!("code {code}, message {message:?}, {mark}"));
            }
            Understood::Page { pull, .. } => {
                self.holds("event", "42016: a page of a customer list");
                self.holds("shape", "a page, with robot, mark and list");
                self.holds("pull", &pull.to_string());
                self.page(payload);
            }
            _ => self.fails("payload", "of a kind that this command does not know"),
        }
    }

    fn page(&mut self, payload: &str) {
        let Ok(CallbackSkim { page: Some(PageSkim { has_more, accounts, .. }), .. }) =
            CallbackSkim::read(payload)
        else {
            return;
        };
        let more = if has_more { "more pages follow" } else { "this is marked as the last page" };
        self.holds("page", &format!("{} customers; {more}", accounts.len()));
        let mut readable = 0;
        for (number, account) in accounts.iter().enumerate() {
            // A part of JSON that was read before is JSON.
            let Ok(json) = Json::parse(account.raw) else { continue };
            match Entry::<Account>::read(json) {
                Entry::Read(_) => readable += 1,
                Entry::Unread(unread) => self.fails(
                    &format!("customer {}", number + 1),
                    &format!("{}; it would be quarantined", unread.reason),
                ),
            }
        }
        self.holds("customers", &format!("{readable} of {} can be read", accounts.len()));
    }
}

/// Keys that open nothing, for looking at an envelope's form alone.
fn no_keys() -> Result<qopen::callback::CallbackKeys, Failure> {
    qopen::callback::CallbackKeys::new("", &"0".repeat(16).into())
        .map_err(|error| Failure::unexpected("keys of zeros", &error))
}

fn advice(error: &OpenError) -> Option<&'static str> {
    match error {
        OpenError::AppKey => {
            Some("is QOPEN_APP_KEY the key of the app whose console has this callback URL?")
        }
        OpenError::Signature => Some(
            "is QOPEN_CALLBACK_TOKEN the console's callback token, and is the body byte for byte as it came?",
        ),
        _ => None,
    }
}
