//! Pages as the platform sends them.

use qopen::callback::{CallbackKeys, Keyring};
use qopen::types::{MarkId, RobotId};
use qopen_simulator::{Dataset, Schedule};

use crate::Result;

/// The callback keys of every bench.
pub(crate) const TOKEN: &str = "bench-callback-token";
pub(crate) const AES_KEY: &str = "bench-aes-key-of-32-bytes-000000";
pub(crate) const APP_KEY: &str = "bench-app";

/// Bytes of description in a profile that make an account about 1 KB of JSON.
pub(crate) const DESCRIPTION: usize = 330;

pub(crate) fn ring() -> Result<Keyring> {
    Ok(Keyring::new(APP_KEY, CallbackKeys::new(TOKEN, &AES_KEY.into())?))
}

/// How a sender writes its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Compact,
    /// White space between tokens, escapes in texts.
    Spaced,
}

/// A page of this many accounts of about 1 KB.
pub(crate) fn page(accounts: usize, spelling: Spelling) -> Result<String> {
    page_of(accounts, spelling, &"robot".parse()?, &"mark".parse()?)
}

fn page_of(accounts: usize, spelling: Spelling, robot: &RobotId, mark: &MarkId) -> Result<String> {
    let schedule = Schedule {
        accounts,
        page_size: accounts.max(1),
        description: DESCRIPTION,
        spaces: spelling == Spelling::Spaced,
        ..Schedule::default()
    };
    let mut pages = Dataset::new(&schedule, robot, false).pages(mark);
    pages.pop().map(|page| page.payload).ok_or_else(|| "there is no page".into())
}

/// The sealed envelope of a payload.
pub(crate) fn sealed(ring: &Keyring, payload: &str) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&ring.seal(payload, "nonce", 1_700_000_000))?)
}

/// Digits of an account's id that name its page.
const DIGITS: usize = 8;

/// Pages of any number: the same accounts under other ids.
pub(crate) struct Template {
    page: Vec<u8>,
    /// Offsets of the page number's digits in each account's id.
    digits: Vec<usize>,
    has_more: usize,
}

impl Template {
    pub(crate) fn new(accounts: usize, robot: &RobotId, mark: &MarkId) -> Result<Self> {
        let page = page_of(accounts, Spelling::Compact, robot, mark)?;
        let before = "\"account_id\":\"acc";
        let digits = page.match_indices(before).map(|(at, _)| at + before.len()).collect();
        let before = "\"has_more\":";
        let has_more = page.find(before).ok_or("no has_more")? + before.len();
        Ok(Self { digits, has_more, page: page.into_bytes() })
    }

    /// The payload of a page.
    pub(crate) fn text(&self, number: usize, last: bool) -> Result<String> {
        let mut page = self.page.clone();
        let digits = format!("{number:0DIGITS$}");
        for at in &self.digits {
            page[*at..at + DIGITS].copy_from_slice(digits.as_bytes());
        }
        if !last {
            page.splice(self.has_more..self.has_more + "false".len(), *b"true");
        }
        Ok(String::from_utf8(page)?)
    }

    /// The sealed envelope of a page.
    pub(crate) fn page(&self, number: usize, last: bool, ring: &Keyring) -> Result<Vec<u8>> {
        sealed(ring, &self.text(number, last)?)
    }
}
