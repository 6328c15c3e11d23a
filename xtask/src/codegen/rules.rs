//! What the generated readers can read: a spec that asks for more is refused.

use std::collections::BTreeSet;

use super::model::{Field, Kind, Model, Type};
use crate::Result;

/// Refuses types and endpoints whose code would not compile, or not do what the spec says.
pub(super) fn check(model: &Model) -> Result<()> {
    for it in &model.types {
        for field in it.fields() {
            check_field(model, it, field)
                .map_err(|error| format!("{}.{}: {error}", it.name, field.name))?;
        }
    }
    let mut events = BTreeSet::new();
    for it in &model.types {
        if let Some(event) = it.event_type.filter(|event| !events.insert(*event)) {
            return Err(format!("{}: another payload has event type {event}", it.name).into());
        }
    }
    for it in &model.endpoints {
        for name in [&it.request, &it.response] {
            if model.find(name)?.fields().is_empty() {
                return Err(format!("{}: {name} is not an object", it.name).into());
            }
        }
    }
    for it in model.types.iter().filter(|it| it.is_response) {
        let has = |name: &str, kind: &Kind, nullable: bool| {
            let mut all = it.fields().iter();
            all.any(|it| it.name == name && it.kind == *kind && it.nullable == nullable)
        };
        let text = Kind::Text;
        if !has("errcode", &Kind::Integer, true)
            || !has("errmsg", &text, false)
            || !has("hint", &text, false)
        {
            return Err(format!(
                "{}: an answer has `errcode`, an integer or null, and the texts `errmsg` and `hint`",
                it.name
            )
            .into());
        }
    }
    Ok(())
}

fn check_field(model: &Model, owner: &Type, field: &Field) -> Result<()> {
    let zero =
        |what: &str| Err(format!("{what} is neither required nor null: absent is zero").into());
    match &field.kind {
        Kind::OpenEnum(_) if field.required || field.nullable => zero("an open enumeration"),
        Kind::Entries(_) if field.required => zero("a list"),
        Kind::List(_) | Kind::Scalars(_) | Kind::ScalarEntries(_)
            if field.required || field.nullable =>
        {
            zero("a list")
        }
        Kind::Scalar(name) if !field.required && !field.nullable => {
            Err(format!("a {name} has no zero: it is required, or may be null").into())
        }
        Kind::Object(name) | Kind::List(name) | Kind::Entries(name) => {
            let target = model.find(name)?;
            let is_plain =
                matches!(field.kind, Kind::Object(_)) && !field.required && !field.nullable;
            if is_plain && target.fields().iter().any(|it| it.required) {
                return Err(format!("{name} has required fields and no zero").into());
            }
            let is_tolerant = owner.tolerant.is_some() || matches!(field.kind, Kind::Entries(_));
            if is_tolerant && target.tolerant.is_none() {
                return Err(format!("{name} needs x-tolerant").into());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
