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

/// A page of so many accounts of about 1 KB.
pub(crate) fn page(accounts: usize, spelling: Spelling) -> Result<String> {
    let schedule = Schedule {
        accounts,
        page_size: accounts.max(1),
        description: DESCRIPTION,
        spaces: spelling == Spelling::Spaced,
        ..Schedule::default()
    };
    let (robot, mark): (RobotId, MarkId) = ("robot".parse()?, "mark".parse()?);
    let mut pages = Dataset::new(&schedule, &robot, false).pages(&mark);
    pages.pop().map(|page| page.payload).ok_or_else(|| "there is no page".into())
}

/// The body that carries it.
pub(crate) fn sealed(ring: &Keyring, payload: &str) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&ring.seal(payload, "nonce", 1_700_000_000))?)
}
