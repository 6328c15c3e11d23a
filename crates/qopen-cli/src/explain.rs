//! `qopen explain`: explains an error, or diagnoses a captured callback step by step.

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use qopen::callback::{
    CallbackKeys, Keyring, OpenError, RejectReason, TimestampAge, TimestampPolicy,
};
use qopen::journal::Layer;
use qopen::types::{Account, CallbackSkim, EventType, Item, Json, PageSkim, PayloadText, Readings};
use qopen::{Classified, classify};

use crate::args::ExplainArgs;
use crate::exit::{Exit, Failure, chain};
use crate::lang::{self, phrase};
use crate::report::count;
use crate::say::{self, answer};
use crate::settings::Settings;
use crate::values::text_file::{self, BYTE_ORDER_MARK};
use crate::{terminal, topics};

pub(crate) fn run(
    args: &ExplainArgs,
    settings: impl FnOnce() -> Result<Settings, Failure>,
) -> Result<Exit, Failure> {
    let names: Vec<&str> = args.what.iter().map(|it| it.to_str().unwrap_or_default()).collect();
    let topics: Vec<_> = names.iter().filter_map(|it| topics::named(it)).collect();
    if topics.len() == names.len() {
        let width = terminal::columns(&console::Term::stdout()).min(WIDTH);
        let texts: Vec<_> = topics.iter().map(|it| it.to_text(lang::chosen(), width)).collect();
        say::to_reader(format_args!("{}", texts.join("\n")));
        return Ok(Exit::Complete);
    }
    let near = names.iter().find_map(|it| {
        let is_other = topics::named(it).is_none() && !Path::new(it).exists();
        Some((it, topics::nearest(it).filter(|_| is_other)?.name))
    });
    if let Some((name, near)) = near {
        return Err(Failure::usage(phrase!(
            "neither an error nor a file is called {name}; did you mean {near}?",
            "没有名为 {name} 的错误或文件；是否想输入 {near}？",
            name = name,
            near = near,
        )));
    }
    let [file] = &args.what[..] else {
        return Err(Failure::usage(phrase!(
            "only one callback can be diagnosed at once; docs/ERRORS.md has the names of all errors",
            "一次只能诊断一条回调；docs/ERRORS.zh.md 列出所有错误的名称",
        )));
    };
    let settings = settings()?;
    let body = read(file)?;
    let mut steps = Steps::default();
    let explained = steps.explain(&body, &settings);
    let exit = if steps.failed.is_some() { Exit::Unexpected } else { Exit::Complete };
    steps.into_lines().iter().for_each(|it| answer!("{it}"));
    explained.map(|()| exit)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = match file {
        file if file == Path::new("-") => std::io::stdin().read_to_end(&mut body),
        file => std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut body)),
    };
    read.map_err(|error| Failure::usage_of(file.display().to_string(), &error))?;
    text_file::refuse_utf16(&body)
        .map_err(|what| Failure::usage(format!("{}: {what}", file.display())))?;
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
}

/// Columns of an explanation, at most.
const WIDTH: usize = 100;

/// The steps of opening in their order, each with the text of its success.
const OPENING: [(&str, &str); 6] = [
    ("envelope", "a JSON object with all five fields"),
    ("app key", "the configured one"),
    ("signature", "made with the callback token"),
    ("base64", "well formed"),
    ("length", "a whole number of AES blocks"),
    ("padding", "valid"),
];

/// Returns the step at which an error stopped the opening.
fn step_of(error: &OpenError) -> &'static str {
    match error {
        OpenError::AppKey => "app key",
        OpenError::Signature => "signature",
        OpenError::Base64(_) => "base64",
        OpenError::Length { .. } => "length",
        OpenError::Padding => "padding",
        _ => "envelope",
    }
}

/// The steps of reading a callback, as lines of text.
#[derive(Default)]
pub(crate) struct Steps {
    lines: Vec<String>,
    /// The first step that failed.
    failed: Option<String>,
}

impl Steps {
    /// Explains the body of a request, which may be anything.
    pub(crate) fn of(body: &[u8], ring: &Keyring) -> Self {
        let mut steps = Self::default();
        steps.holds("body", &format!("{} bytes", body.len()));
        if let Err(failure) = steps.envelope(body, || Ok(ring.clone())) {
            steps.fails("envelope", &failure.to_string());
        }
        steps
    }

    /// Returns the first step that failed.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    pub(crate) fn holds(&mut self, step: &str, what: &str) {
        self.lines.push(format!("ok    {step}: {what}"));
    }

    fn fails(&mut self, step: &str, what: &str) {
        self.failed.get_or_insert_with(|| step.to_owned());
        self.lines.push(format!("FAIL  {step}: {what}"));
    }

    /// Adds a line about the last step.
    fn adds(&mut self, what: &str) {
        self.lines.push(format!("      {what}"));
    }

    fn explain(&mut self, body: &[u8], settings: &Settings) -> Result<(), Failure> {
        self.holds("body", &format!("{} bytes", body.len()));
        if !crate::assemble::is_envelope(body) && self.is_payload(body) {
            self.holds("envelope", "none: the callback is already opened");
            self.payload(body);
            return Ok(());
        }
        self.envelope(body, || settings.ring())
    }

    fn envelope(
        &mut self,
        body: &[u8],
        ring: impl FnOnce() -> Result<Keyring, Failure>,
    ) -> Result<(), Failure> {
        // Checks without keys come first.
        if let Err(error) = Keyring::new("", no_keys()?).verify(body)
            && error.reason() == RejectReason::Malformed
        {
            self.fails("envelope", &chain("", &error));
            if let Some(form) = form(body) {
                self.adds(form);
            }
            return Ok(());
        }
        let ring = ring()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match ring.open(body, now, TimestampPolicy::default()) {
            Ok(opened) => {
                for (step, held) in OPENING {
                    match (step, opened.matched_key()) {
                        ("signature", 1..) => self.holds(step, "made with the next callback token"),
                        _ => self.holds(step, held),
                    }
                }
                self.timestamp(opened.timestamp_age());
                self.readings(opened.readings());
                self.payload(opened.payload());
            }
            Err(error) => self.opening_failed(&error),
        }
        Ok(())
    }

    /// Explains why a callback was not opened.
    pub(crate) fn opening_failed(&mut self, error: &OpenError) {
        for (step, held) in OPENING {
            // Wrong padding puts the length in doubt, too.
            let held = if step == "length" && matches!(error, OpenError::Padding) {
                "a whole number of AES blocks, whatever they hold"
            } else {
                held
            };
            if step == step_of(error) {
                self.fails(step, &chain("", error));
                if let Some(advice) = advice(error) {
                    self.adds(advice);
                }
                return;
            }
            self.holds(step, held);
        }
    }

    fn timestamp(&mut self, timestamp_age: TimestampAge) {
        match timestamp_age {
            TimestampAge::Fresh => self.holds("timestamp", "within five minutes of this clock"),
            TimestampAge::Stale { away } => {
                self.holds(
                    "timestamp",
                    &format!("{} s from this clock; reported, not refused", away.as_secs()),
                );
            }
            _ => self.holds("timestamp", "not a number of seconds; reported, not refused"),
        }
    }

    fn readings(&mut self, readings: Readings) {
        for reading in readings.iter() {
            self.holds("reading", &format!("{reading}: a tolerated spelling"));
        }
    }

    /// Whether a body without an envelope is a payload: it has an event type or the fields of a page.
    fn is_payload(&self, body: &[u8]) -> bool {
        let text = PayloadText::of(body);
        EventType::of_payload(text.as_str()) != EventType::Absent
            || matches!(classify(body), Classified::Page(_) | Classified::Report { .. })
    }

    fn payload(&mut self, payload: &[u8]) {
        let text = PayloadText::of(payload);
        let strict = std::str::from_utf8(payload).is_ok_and(|text| Json::parse(text).is_ok());
        let classified = classify(payload);
        match &classified {
            Classified::Unreadable(it) => {
                let step = match it.layer {
                    Layer::Text => "UTF-8",
                    Layer::Json => "JSON",
                    _ => {
                        self.holds("JSON", "well formed");
                        "shape"
                    }
                };
                self.fails(step, &format!("{}; it would go to quarantine", it.reason));
                if step != "shape" {
                    if let Some(form) = form(payload) {
                        self.adds(form);
                    }
                    self.adds(
                        "if the EncodingAESKey were another one, the content would look like this too",
                    );
                }
                return;
            }
            _ if strict => self.holds("JSON", "well formed"),
            _ => self.holds("JSON", "not strict JSON; read tolerantly"),
        }
        match classified {
            Classified::Other(event_type) => {
                let meaning = meaning(&event_type).map(|it| format!(" ({it})")).unwrap_or_default();
                self.holds(
                    "event",
                    &format!(
                        "{event_type}{meaning}: not a customer list; handed on, never an error"
                    ),
                );
            }
            Classified::Report { code, message, mark_id, .. } => {
                self.holds("event", "42016: the platform reports an error");
                let mark =
                    mark_id.map_or("without a mark".to_owned(), |mark| format!("for mark {mark}"));
                self.holds("report", &format!("code {code}, message {message:?}, {mark}"));
            }
            Classified::Page(page) => {
                match page.declared {
                    true => self.holds("event", "42016: a page of a customer list"),
                    false => self.holds("event", "absent; a page if its pull is known"),
                }
                self.holds("shape", "a page, with robot, mark and list");
                self.holds("pull", &page.pull.to_string());
                self.readings(page.readings);
                text.skim(|_, skim, _| {
                    if let Ok(CallbackSkim { page: Some(page), .. }) = skim {
                        self.page(&page);
                    }
                });
            }
            _ => self.fails("payload", "of a kind that this command does not know"),
        }
    }

    fn page(&mut self, page: &PageSkim<'_>) {
        let PageSkim { has_more, accounts, .. } = page;
        let more = match has_more {
            Some(true) => "more pages follow",
            Some(false) => "this is marked as the last page",
            None => "has_more is absent; the page counts as the last after a longer quiet",
        };
        let customers = count(accounts.len() as u64, "customer", "customers");
        self.holds("page", &format!("{customers}; {more}"));
        let mut readable = 0;
        for (number, account) in accounts.iter().enumerate() {
            let customer = format!("customer {}", number + 1);
            // A part of valid JSON is valid JSON.
            let Ok(json) = Json::parse(account.raw) else { continue };
            match Item::<Account>::read_with(json) {
                (Item::Valid(account), readings) => {
                    readable += 1;
                    for reading in readings.iter() {
                        self.holds(&customer, &format!("tolerated spelling: {reading}"));
                    }
                    for (field, _) in account.unread.iter() {
                        self.fails(
                            &customer,
                            &format!("{field} cannot be read; it would be kept under _unread"),
                        );
                    }
                }
                (Item::Invalid(unread), _) => {
                    self.fails(&customer, &format!("{}; it would be quarantined", unread.reason))
                }
            }
        }
        self.holds("customers", &format!("{readable} of {} can be read", accounts.len()));
    }
}

/// Returns the meaning of an event that is known (protocol section 6).
fn meaning(event: &EventType) -> Option<&'static str> {
    let EventType::Code(code) = event else { return None };
    Some(match code {
        20001 => "a new customer",
        20002 => "a new group",
        20003 => "an id of a customer became known",
        40012..=40014 => "a change of a group",
        40023 => "a private message",
        41002 => "a scan-code robot was logged out",
        _ => return None,
    })
}

/// Guesses the kind of unreadable content.
fn form(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii();
    let zeros = bytes.iter().take(64).filter(|byte| **byte == 0).count();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    match text {
        [0x1f, 0x8b, ..] => Some("it looks compressed (gzip): have the proxy pass it on as it is"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("it looks like UTF-16"),
        _ if zeros > 8 => Some("it looks like UTF-16"),
        [0xef, 0xbb, 0xbf, ..] => Some("it begins with a byte order mark"),
        _ if text.len() >= 16 && text.iter().all(base64) => {
            Some("it looks like base64: is it the content without its envelope, or encoded twice?")
        }
        _ if text.contains(&b'=') && text.contains(&b'&') && !text.starts_with(b"{") => {
            Some("it looks like a form: the platform sends JSON")
        }
        [b'<', ..] => Some("it looks like XML: is it of another platform?"),
        _ => None,
    }
}

/// Keys that open nothing, for checks of an envelope's form.
fn no_keys() -> Result<CallbackKeys, Failure> {
    CallbackKeys::new("", &"0".repeat(16).into())
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
        OpenError::Base64(_) | OpenError::Padding | OpenError::Length { .. } => Some(
            "is QOPEN_ENCODING_AES_KEY the console's? `qopen quarantine retry` reads what was kept with the right key",
        ),
        _ => None,
    }
}
