//! The skim of the usual spelling, in one pass over the bytes.
//!
//! It reads JSON strictly and understands only what needs no second thought: an object with plain
//! field names, identifiers as plain strings, flags as `true` and `false`. Anything else, right or
//! wrong, is left to the general reader: [`read`] gives `None`. What it does give is what the general
//! reader gives; the tests beside it hold the two against each other.

use std::borrow::Cow;

use super::{AccountSkim, CallbackSkim, PageSkim, account};
use crate::ids;
use crate::reader::Reader;

/// Lists and objects within each other that are followed; deeper ones are left to the general reader.
const DEPTH: u32 = 64;

/// A payload in its usual spelling.
pub(super) fn read(payload: &str) -> Option<CallbackSkim<'_>> {
    let mut reader = Reader::new(payload);
    let mut out = CallbackSkim { err_code: 0, err_msg: "".into(), robot_id: None, page: None };
    reader.space();
    reader.object(|reader, name| {
        match name {
            "err_code" | "errcode" => out.err_code = reader.integer()?,
            "err_msg" | "errmsg" => out.err_msg = Cow::Borrowed(reader.plain_string()?),
            "robot_id" => out.robot_id = Some(reader.plain_string()?.parse().ok()?),
            "data" => out.page = Some(page(reader)?),
            _ => reader.skip(DEPTH)?,
        }
        Some(())
    })?;
    reader.space();
    reader.is_at_end().then_some(out)
}

fn page<'a>(reader: &mut Reader<'a>) -> Option<PageSkim<'a>> {
    let mut out = PageSkim::default();
    reader.object(|reader, name| {
        match name {
            "has_more" => out.has_more = reader.flag()?,
            "mark_id" => out.mark_id = Some(reader.plain_string()?.parse().ok()?),
            "account_list" => {
                out.accounts.clear();
                reader.list(|reader| {
                    out.accounts.push(one_account(reader)?);
                    Some(())
                })?;
            }
            _ => reader.skip(DEPTH)?,
        }
        Some(())
    })?;
    Some(out)
}

/// An account, or whatever else stands in its place: that is JSON at least.
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
                usual &= plain;
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
