//! The cost of a received page, from the body's bytes to a page that is ready for the journal.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;
use qopen::callback::{Keyring, TimestampPolicy, VerifiedEnvelope};
use qopen::journal::{PageRecord, Payload};
use qopen::types::CallbackSkim;
use qopen::{Classified, classify};

use crate::Result;
use crate::measure::{Candidate, Spread, compare};
use crate::pages::{AES_KEY, Spelling, page, ring, sealed};
use crate::report::Table;

pub(crate) fn run() -> Result<()> {
    alone()?;
    together()?;
    stages()
}

/// Pages that the receiver verifies together under load.
const TOGETHER: usize = 16;

/// The receiving path of a lone page, as it runs in the receiver and the intake.
fn receive(ring: &Keyring, body: &[u8]) -> Option<(PageRecord, usize)> {
    opened(&ring.verify(body).ok()?)
}

/// The same under load: the accounts of all pages.
fn receive_together(ring: &Keyring, bodies: &[&[u8]]) -> usize {
    let verified = ring.verify_many(bodies);
    let pages = verified.iter().flatten().filter_map(opened);
    pages.map(|it| std::hint::black_box(it).1).sum()
}

/// From a verified envelope to a page that is ready for the journal.
fn opened(verified: &VerifiedEnvelope<'_>) -> Option<(PageRecord, usize)> {
    let opened = verified.open(1_700_000_000, TimestampPolicy::default()).ok()?;
    let event_type = opened.event_type();
    let payload = opened.into_payload();
    match classify(&payload) {
        Classified::Page(page) => {
            std::hint::black_box(event_type);
            let accounts = page.accounts.len();
            Some((PageRecord::new(page.pull, Payload::new(payload)), accounts))
        }
        _ => None,
    }
}

/// The text that the MD5 signature covers: nearly all of the body.
fn signed_text(body: &[u8]) -> Result<String> {
    let envelope: serde_json::Value = serde_json::from_slice(body)?;
    Ok(envelope["encoding_content"].as_str().ok_or("no content")?.to_owned())
}

fn alone() -> Result<()> {
    let ring = ring()?;
    let title = "CPU of a lone received page ÷ MD5 alone, body to journal-ready page, one core";
    let columns = ["accounts", "JSON", "body", "MD5, µs", "page, µs", "page ÷ MD5, min–median–max"];
    let mut table = Table::new("receiving", title, &columns);
    for spelling in [Spelling::Compact, Spelling::Spaced] {
        for accounts in [1, 100, 1000] {
            let body = sealed(&ring, &page(accounts, spelling)?)?;
            let text = signed_text(&body)?;
            let found = receive(&ring, &body).map(|it| it.1);
            if found != Some(accounts) {
                return Err(format!("{found:?} accounts of {accounts} were received").into());
            }
            let mut candidates = [
                Candidate::new("MD5", || fast_md5::digest(text.as_bytes())),
                Candidate::new("page", || receive(&ring, &body)),
            ];
            let [md5, page] = compare(&mut candidates)[..] else { continue };
            table.row([
                accounts.to_string(),
                format!("{spelling:?}").to_lowercase(),
                format!("{:.1} KB", body.len() as f64 / 1e3),
                micros(md5.median),
                micros(page.median),
                ratio(page, md5),
            ]);
        }
    }
    table.finish()
}

fn together() -> Result<()> {
    let ring = ring()?;
    let title = format!(
        "CPU of a page under load ÷ MD5 alone: {TOGETHER} pages verified together, body to \
         journal-ready page, one core"
    );
    let columns = [
        "accounts",
        "JSON",
        "body",
        "MD5, µs",
        "envelope and signature, µs",
        "page, µs",
        "page ÷ MD5, min–median–max",
    ];
    let mut table = Table::new("together", title, &columns);
    for spelling in [Spelling::Compact, Spelling::Spaced] {
        for accounts in [1, 100, 1000] {
            let page = page(accounts, spelling)?;
            // Each has memory of its own, as the receiver's have.
            let bodies: Vec<_> =
                (0..TOGETHER).map(|_| sealed(&ring, &page)).collect::<Result<_>>()?;
            let texts: Vec<_> =
                bodies.iter().map(|body| signed_text(body)).collect::<Result<_>>()?;
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            let found = receive_together(&ring, &bodies);
            if found != accounts * TOGETHER {
                return Err(format!("{found} accounts were received").into());
            }
            let mut candidates = [
                Candidate::new("MD5", || {
                    texts.iter().fold(0, |sum, it| sum ^ fast_md5::digest(it.as_bytes())[0])
                }),
                Candidate::new("verified", || ring.verify_many(&bodies).len()),
                Candidate::new("page", || receive_together(&ring, &bodies)),
            ];
            let spreads = compare(&mut candidates);
            let each = spreads.iter().map(|it| it.each(TOGETHER)).collect::<Vec<_>>();
            let [md5, verified, page] = each[..] else { continue };
            table.row([
                accounts.to_string(),
                format!("{spelling:?}").to_lowercase(),
                format!("{:.1} KB", bodies[0].len() as f64 / 1e3),
                micros(md5.median),
                micros(verified.median),
                micros(page.median),
                ratio(page, md5),
            ]);
        }
    }
    table.finish()
}

fn stages() -> Result<()> {
    let ring = ring()?;
    let payload = page(100, Spelling::Compact)?;
    let body = sealed(&ring, &payload)?;
    let text = signed_text(&body)?;
    let encrypted = STANDARD.decode(&text)?;
    let key = AES_KEY.as_bytes();
    let mut buffer = vec![0; encrypted.len()];
    let accounts: Vec<&str> = match CallbackSkim::read(&payload)?.page {
        Some(page) => page.accounts.iter().map(|account| account.raw).collect(),
        None => return Err("no page".into()),
    };
    let mut candidates = [
        Candidate::new("MD5 of the signed text", || fast_md5::digest(text.as_bytes())),
        Candidate::new("the same by md-5", || md5::Md5::digest(text.as_bytes())),
        Candidate::new("envelope: JSON, and MD5", || ring.verify(&body).is_ok()),
        Candidate::new("base64", || base64_simd::STANDARD.decode_to_vec(&text)),
        Candidate::new("the same by base64", || STANDARD.decode(&text)),
        Candidate::new("AES-256-CBC", || {
            buffer.copy_from_slice(&encrypted);
            let mode = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, &key[..16]).ok()?;
            mode.decrypt_padded::<Pkcs7>(&mut buffer).ok().map(<[u8]>::len)
        }),
        Candidate::new("UTF-8", || std::str::from_utf8(payload.as_bytes()).is_ok()),
        Candidate::new("skim of ids", || CallbackSkim::read(&payload).is_ok()),
        Candidate::new("skim, fingerprints and digests", || classify(payload.as_bytes())),
        Candidate::new("digest of the page", || xxhash_rust::xxh3::xxh3_128(payload.as_bytes())),
        Candidate::new("digests of the accounts", || {
            accounts.iter().fold(0, |sum, it| sum ^ xxhash_rust::xxh3::xxh3_128(it.as_bytes()))
        }),
        Candidate::new("JSON read as serde_json::Value", || {
            serde_json::from_str::<serde_json::Value>(&payload).is_ok()
        }),
    ];
    let names: Vec<&str> = candidates.iter().map(|it| it.name).collect();
    let spreads = compare(&mut candidates);
    let title = format!("Stages of a page of 100 accounts, {} bytes of JSON", payload.len());
    let mut table = Table::new("stages", title, &["stage", "µs, min–median–max", "÷ MD5"]);
    for (name, spread) in names.into_iter().zip(&spreads) {
        let Spread { min, median, max } = *spread;
        let spread = format!("{}–{}–{}", micros(min), micros(median), micros(max));
        table.row([name.to_owned(), spread, format!("{:.2}", median / spreads[0].median)]);
    }
    table.finish()
}

fn micros(nanos: f64) -> String {
    match nanos / 1e3 {
        few if few < 10.0 => format!("{few:.2}"),
        some if some < 100.0 => format!("{some:.1}"),
        many => format!("{many:.0}"),
    }
}

/// The ratio of the medians, and of the measured extremes.
fn ratio(of: Spread, to: Spread) -> String {
    let [min, median, max] = [of.min / to.median, of.median / to.median, of.max / to.median];
    format!("{min:.2}–{median:.2}–{max:.2}")
}
