//! Opens callbacks and folds their pages into lists: lines of JSON from standard input, answers to standard output.

mod lists;

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qopen_callback::{CallbackKeys, Keyring, TimestampPolicy};
use serde::{Deserialize, Serialize};

use lists::Lists;

/// A line of the input.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Input {
    Keys { app_key: String, token: String, encoding_aes_key: String },
    Body { body: String },
    Bytes { body_base64: String },
}

/// The answer to a body.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer<'a> {
    Payload(&'a str),
    PayloadBase64(String),
    Refused(&'static str),
}

/// Opens a callback and folds it, if it is a page. Returns the answer as a line.
fn answer(ring: &Keyring, lists: &mut Lists, body: &[u8]) -> serde_json::Result<String> {
    // Tells only how old a callback is. None is refused for its age.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match ring.open(body, now, TimestampPolicy::default()) {
        Ok(opened) => {
            lists.add(&opened);
            serde_json::to_string(&match str::from_utf8(opened.payload()) {
                Ok(text) => Answer::Payload(text),
                Err(_) => Answer::PayloadBase64(STANDARD.encode(opened.payload())),
            })
        }
        Err(error) => serde_json::to_string(&Answer::Refused(error.reason().as_str())),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut ring, mut lists) = (None, Lists::default());
    for line in io::stdin().lines() {
        let body = match serde_json::from_str(&line?)? {
            Input::Keys { app_key, token, encoding_aes_key } => {
                let keys = CallbackKeys::new(token, &encoding_aes_key.into())?;
                ring = Some(Keyring::new(app_key, keys));
                continue;
            }
            Input::Body { body } => body.into_bytes(),
            Input::Bytes { body_base64 } => STANDARD.decode(body_base64)?,
        };
        let ring = ring.as_ref().ok_or("a body came before any keys; begin with a line of keys")?;
        writeln!(output, "{}", answer(ring, &mut lists, &body)?)?;
    }
    for list in lists.finish() {
        writeln!(output, "{}", serde_json::to_string(&list)?)?;
    }
    output.flush()?;
    Ok(())
}
