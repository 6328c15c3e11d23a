//! Reads a payload as far as the receiving path needs: its pull, whether it is the last page, its
//! customers, and the text of each.

mod account;
mod quick;
#[cfg(test)]
mod tests;
mod types;

use alloc::borrow::Cow;
use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;

use serde::de::{Error, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use crate::reading::{self, Reading};
use crate::wire::{self, Key, Object};
use crate::{EventType, RobotId};
use account::account;
pub use types::{AccountSkim, CallbackSkim, PageSkim, SkimError};

impl<'a> CallbackSkim<'a> {
    /// Skims a payload of event 42016.
    ///
    /// # Errors
    /// [`SkimError::NotJson`] for text that is not JSON, [`SkimError::Shape`] for JSON that does
    /// not fit, such as an `account_list` that is not a list.
    pub fn read(payload: &'a str) -> Result<Self, SkimError> {
        let error = match quick::read(payload).map_or_else(|| general(payload), Ok) {
            Ok(skim) => return Ok(skim),
            Err(error) => error,
        };
        // The parser stops at the first thing that does not fit, before it has seen whether the
        // rest is JSON at all.
        if let Err(error) = serde_json::from_str::<IgnoredAny>(payload) {
            return Err(SkimError::NotJson(error.into()));
        }
        let data: Option<crate::Json> = wire::first_field(payload, "data");
        Err(SkimError::Shape {
            reason: wire::reason(&error),
            robot_id: wire::first_field(payload, "robot_id"),
            mark_id: data.and_then(|data| wire::first_field(data.as_str(), "mark_id")),
        })
    }
}

/// Any spelling.
fn general(payload: &str) -> Result<CallbackSkim<'_>, serde_json::Error> {
    serde_json::from_str::<Whole<'_>>(payload).map(|Whole(skim)| skim)
}

struct Whole<'a>(CallbackSkim<'a>);

impl<'de> serde::Deserialize<'de> for Whole<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::whole_object(deserializer).map(Whole)
    }
}

impl<'de> Object<'de> for CallbackSkim<'de> {
    const NAME: &'static str = "a callback payload";

    fn read<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut once = Once::of(&["event_type", "err_code", "errcode", "robot_id", "data"]);
        let (mut code, mut other_code) = (None, None);
        let (mut message, mut robot, mut data) = (None, None, None);
        let mut event_type = EventType::Absent;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let name = key.as_str();
            once.check(name)?;
            match name {
                "err_code" => code = wire::optional::<i64, A>(&mut map, "err_code")?,
                "errcode" => other_code = wire::optional::<i64, A>(&mut map, "errcode")?,
                "err_msg" | "errmsg" => message = Some(map.next_value::<&RawValue>()?),
                "robot_id" => robot = Some(map.next_value::<&RawValue>()?),
                "data" => data = Some(map.next_value::<&RawValue>()?),
                "event_type" => {
                    let read = wire::optional(&mut map, "event_type")?;
                    event_type = read.unwrap_or(EventType::Absent);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        // A report is its code, in whichever spelling; what decorates it may be anything.
        let err_code = [code, other_code].into_iter().flatten().find(|it| *it != 0).unwrap_or(0);
        let data = data.map(RawValue::get).filter(|it| *it != "null");
        let err_msg = message.map_or(Cow::Borrowed(""), message_of);
        if err_code != 0 {
            let names = |name| data.and_then(|data| wire::first_field(data, name));
            let page = names("mark_id")
                .map(|mark| PageSkim { mark_id: Some(mark), ..PageSkim::default() });
            let robot = robot.and_then(|it| wire::scalar_of(it.get(), "robot_id").ok().flatten());
            let robot_id = robot.or_else(|| names_robot(data));
            return Ok(Self { event_type, err_code, err_msg, robot_id, page });
        }
        let robot_id = match robot {
            Some(robot) => wire::scalar_of(robot.get(), "robot_id").map_err(again)?,
            None => None,
        };
        let page = match data {
            Some(data) => wire::object_of(data, "data").map_err(again)?,
            None => None,
        };
        Ok(Self { event_type, err_code, err_msg, robot_id, page })
    }
}

fn names_robot(data: Option<&str>) -> Option<RobotId> {
    data.and_then(|data| wire::first_field(data, "robot_id"))
}

/// Passes on a reader's error as the outer reader's.
fn again<E: Error>(error: serde_json::Error) -> E {
    E::custom(wire::reason(&error))
}

/// The platform's message: the text, or another value's JSON.
fn message_of(json: &RawValue) -> Cow<'_, str> {
    let json = json.get();
    match serde_json::from_str::<Cow<'_, str>>(json) {
        Ok(Cow::Borrowed(text)) => Cow::Borrowed(text),
        Ok(Cow::Owned(text)) => Cow::Owned(text),
        Err(_) if json == "null" => Cow::Borrowed(""),
        Err(_) => Cow::Borrowed(json),
    }
}

/// Members of an object that may occur once: a second one would hide the first.
struct Once {
    names: &'static [&'static str],
    seen: u8,
}

impl Once {
    const fn of(names: &'static [&'static str]) -> Self {
        Self { names, seen: 0 }
    }

    fn check<E: Error>(&mut self, name: &str) -> Result<(), E> {
        let Some(at) = self.names.iter().position(|it| *it == name) else { return Ok(()) };
        if self.seen & (1 << at) != 0 {
            return Err(wire::twice(name));
        }
        self.seen |= 1 << at;
        Ok(())
    }
}

impl<'de> Object<'de> for PageSkim<'de> {
    const NAME: &'static str = "a page object";

    fn read<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut out = Self::default();
        let mut once = Once::of(&["has_more", "mark_id", "account_list"]);
        // Whether there is a list, and whether something unknown may hold what a list would.
        let (mut list, mut absent, mut unknown) = (None, true, None);
        let mut accounts_elsewhere = false;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let name = key.as_str();
            once.check(name)?;
            match name {
                "has_more" => out.has_more = wire::optional(&mut map, "has_more")?,
                "mark_id" => out.mark_id = wire::optional(&mut map, "mark_id")?,
                "account_list" => {
                    list = wire::raw_list(&mut map, "account_list")?;
                    absent = false;
                }
                _ => {
                    let value = map.next_value::<&RawValue>()?.get();
                    if value.len() > 2 && value.starts_with(['{', '[']) {
                        unknown = Some(name.to_owned());
                        accounts_elsewhere |= value.contains("\"account_id\"");
                    }
                }
            }
        }
        match (&list, out.has_more) {
            // Absence is not emptiness: no encoder leaves out both.
            (None, None) => return Err(wire::missing("has_more and account_list")),
            (None, Some(_)) if absent && unknown.is_some() => {
                let name = unknown.unwrap_or_default();
                return Err(A::Error::custom(format_args!(
                    "account_list: missing, and `{name}` is not known"
                )));
            }
            (list, _) if accounts_elsewhere && list.as_ref().is_none_or(Vec::is_empty) => {
                let name = unknown.unwrap_or_default();
                return Err(A::Error::custom(format_args!(
                    "account_list: empty, and `{name}` has accounts and is not known"
                )));
            }
            (Some(_), None) => reading::note(Reading::ImpliedEnd),
            _ => {}
        }
        let list = list.unwrap_or_default();
        out.accounts = list.into_iter().map(|raw| account(raw.get())).collect();
        Ok(out)
    }
}
