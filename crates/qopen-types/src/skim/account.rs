//! Skims one account.

use alloc::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use super::types::AccountSkim;
use crate::ids;
use crate::wire::{self, Key, Object};

/// An account of a page, from its JSON.
pub(super) fn account(raw: &str) -> AccountSkim<'_> {
    let id = serde_json::from_str::<IdOnly<'_>>(raw)
        .map(|IdOnly(id)| id)
        .map_err(|error| wire::reason(&error));
    AccountSkim { id, raw }
}

/// The id alone of an account, by the same rules as [`crate::Account`] reads it.
struct IdOnly<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for IdOnly<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::whole_object(deserializer)
    }
}

impl<'de> Object<'de> for IdOnly<'de> {
    const NAME: &'static str = <crate::Account as Object<'de>>::NAME;

    fn read<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut id = None;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match key.as_str() {
                // A null before it hides nothing.
                name @ "account_id" if id.is_some() => return Err(wire::twice(name)),
                name @ "account_id" => id = wire::text(&mut map, name)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wire::missing("account_id"))?;
        ids::check(&id).map_err(serde::de::Error::custom)?;
        Ok(Self(id))
    }
}
