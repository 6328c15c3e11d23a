//! Skims the common form, in one pass over the bytes.
//!
//! It reads JSON strictly and accepts only the plainest form: an object with plain field names,
//! identifiers as plain strings, flags as `true` and `false`. For any other input, right or wrong,
//! [`read`] returns `None`, and the general reader reads it. Its results equal the general
//! reader's; the tests beside it compare the two.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::account::account;
use super::types::{AccountSkim, CallbackSkim, PageSkim};
use crate::reader::Reader;
use crate::{EventType, ids};

/// Lists and objects within each other that are followed; deeper ones are left to the general reader.
const DEPTH: u32 = 64;

/// A payload in its usual spelling.
pub(super) fn read(payload: &str) -> Option<CallbackSkim<'_>> {
    let mut reader = Reader::new(payload);
    let (mut event_type, mut err_code, mut err_msg) = (None, None, None);
    let (mut robot_id, mut data) = (None, None);
    reader.space();
    reader.object(|reader, name| {
        match name {
            "event_type" => once(&mut event_type, reader.integer()?)?,
            "err_code" => once(&mut err_code, reader.integer()?)?,
            "err_msg" => once(&mut err_msg, Cow::Borrowed(reader.plain_string()?))?,
            "robot_id" => once(&mut robot_id, reader.plain_string()?.parse().ok()?)?,
            "data" => once(&mut data, page(reader)?)?,
            // Another spelling, which must be weighed against this one.
            "errcode" | "errmsg" => return None,
            _ => reader.skip(DEPTH)?,
        }
        Some(())
    })?;
    reader.space();
    let err_code = err_code.unwrap_or(0);
    // A report may have any other members: the general reader reads it.
    let usual = reader.is_at_end() && err_code == 0;
    usual.then_some(CallbackSkim {
        event_type: event_type.map_or(EventType::Absent, EventType::Code),
        err_code,
        err_msg: err_msg.unwrap_or_default(),
        robot_id,
        page: data,
    })
}

/// Sets a value that may occur once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn page<'a>(reader: &mut Reader<'a>) -> Option<PageSkim<'a>> {
    let (mut has_more, mut mark_id, mut accounts) = (None, None, None);
    let mut unknown = false;
    reader.object(|reader, name| {
        match name {
            "has_more" => once(&mut has_more, reader.flag()?)?,
            "mark_id" => once(&mut mark_id, reader.plain_string()?.parse().ok()?)?,
            "account_list" => {
                let mut list = Vec::new();
                reader.list(|reader| {
                    list.push(one_account(reader)?);
                    Some(())
                })?;
                once(&mut accounts, list)?;
            }
            _ => {
                unknown = true;
                reader.skip(DEPTH)?;
            }
        }
        Some(())
    })?;
    // The general reader decides on a missing list, and on an empty one beside unknown members.
    let accounts = accounts.filter(|list: &Vec<_>| !unknown || !list.is_empty())?;
    Some(PageSkim { has_more: Some(has_more?), mark_id, accounts })
}

/// An account, or any other JSON value in its place.
fn one_account<'a>(reader: &mut Reader<'a>) -> Option<AccountSkim<'a>> {
    let start = reader.at();
    let mut id = None;
    let mut usual = true;
    if reader.peek()? == b'{' {
        reader.members(|reader, name, plain| {
            if plain && name != "account_id" {
                return reader.skip(DEPTH);
            }
            usual &= plain;
            if reader.peek()? == b'"' {
                let (text, plain) = reader.string()?;
                usual &= plain && id.is_none();
                id = Some(text);
                return Some(());
            }
            usual = false;
            reader.skip(DEPTH)
        })?;
    } else {
        usual = false;
        reader.skip(DEPTH)?;
    }
    let raw = reader.since(start)?;
    match id {
        Some(id) if usual && ids::check(id).is_ok() => {
            Some(AccountSkim { id: Ok(Cow::Borrowed(id)), raw })
        }
        _ => Some(account(raw)),
    }
}
