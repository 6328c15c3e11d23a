//! The spec, reduced to what the generator needs.

use oas3::spec::{
    ObjectOrReference, ObjectSchema, Operation, PathItem, Schema, SchemaType, SchemaTypeSet,
};
use serde_json::Value;

use super::certainty;
use super::columns::{self, Named};
use crate::Result;

/// Everything to generate code for, in the spec's order.
pub(crate) struct Model {
    pub(crate) types: Vec<Type>,
    pub(crate) endpoints: Vec<Endpoint>,
}

pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) shape: Shape,
    /// The `event_type` under which it arrives by callback.
    pub(crate) event_type: Option<i64>,
    /// The sentence about the certainty of that event.
    pub(crate) certainty: Option<String>,
    /// Whether an endpoint answers with it.
    pub(crate) is_response: bool,
    /// Whether it is read field by field if reading it as a whole fails.
    pub(crate) tolerant: Option<Tolerant>,
    /// The columns that the spec names, if it is the record that outputs have.
    pub(crate) columns: Option<Vec<Named>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerant {
    /// Its parent keeps what could not be read.
    Part,
    /// It keeps that itself.
    Keeps,
}

pub(crate) enum Shape {
    Struct(Vec<Field>),
    OpenEnum(Vec<Code>),
}

pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) personal: bool,
    pub(crate) aliases: Vec<String>,
    /// Whether it is a time.
    pub(crate) unix_seconds: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Boolean,
    /// A hand-written scalar type.
    Scalar(String),
    Json,
    OpenEnum(String),
    Object(String),
    List(String),
    Entries(String),
    /// A list of texts, or of a hand-written scalar type.
    Scalars(String),
    /// The same, read one by one.
    ScalarEntries(String),
}

pub(crate) struct Code {
    pub(crate) value: i64,
    pub(crate) name: String,
    pub(crate) label_en: String,
    pub(crate) label_zh: String,
}

pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) needs_token: bool,
    /// The sentence about its certainty.
    pub(crate) certainty: String,
}

/// An event by callback.
struct Event {
    event_type: i64,
    payload: String,
    certainty: String,
}

impl Type {
    /// The fields; an enumeration has none.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Struct(fields) => fields,
            Shape::OpenEnum(_) => &[],
        }
    }
}

impl Model {
    pub(crate) fn find(&self, name: &str) -> Result<&Type> {
        let found = self.types.iter().find(|it| it.name == name);
        found.ok_or_else(|| format!("there is no schema {name}").into())
    }

    pub(crate) fn read(yaml: &str) -> Result<Self> {
        let spec = oas3::from_yaml(yaml)
            .map_err(|error| format!("the spec is not OpenAPI 3.1: {error}"))?;
        if !spec.openapi.starts_with("3.1.") {
            return Err(format!("the spec says openapi {:?}; 3.1 is wanted", spec.openapi).into());
        }
        let schemas =
            spec.components.as_ref().map(|it| &it.schemas).ok_or("the spec has no schemas")?;
        let is_enum = |name: &str| {
            schemas.get(name).and_then(inline).is_some_and(|schema| !schema.one_of.is_empty())
        };
        let mut types = Vec::new();
        for (name, schema) in schemas {
            let schema = inline(schema).ok_or_else(|| format!("schema {name} is a reference"))?;
            types.push(Type {
                name: name.clone(),
                doc: doc(name, schema.description.as_deref())?,
                shape: shape(name, schema, &is_enum)?,
                event_type: None,
                certainty: None,
                is_response: false,
                tolerant: tolerant(name, schema)?,
                columns: schema
                    .extensions
                    .get("columns")
                    .map(|it| columns::read(name, it))
                    .transpose()?,
            });
        }
        let mut endpoints = Vec::new();
        let mut events = Vec::new();
        for (path, item) in spec.paths.iter().flatten() {
            let operation =
                item.post.as_ref().ok_or_else(|| format!("{path}: only POST is known"))?;
            let endpoint = endpoint(path, operation)?;
            types
                .iter_mut()
                .filter(|it| it.name == endpoint.response)
                .for_each(|it| it.is_response = true);
            endpoints.push(endpoint);
            events.extend(callbacks(operation)?);
        }
        for (name, item) in &spec.webhooks {
            let post = item.post.as_ref();
            events.push(event(name, post.ok_or_else(|| format!("{name}: only POST is known"))?)?);
        }
        for Event { event_type, payload, certainty } in events {
            let payload_type = types.iter_mut().find(|it| it.name == payload);
            let it = payload_type.ok_or_else(|| format!("no schema {payload}"))?;
            if it.event_type.replace(event_type).is_some() {
                return Err(format!("{payload} is the payload of two events").into());
            }
            it.certainty = Some(certainty);
        }
        Ok(Self { types, endpoints })
    }
}

fn inline(schema: &Schema) -> Option<&ObjectSchema> {
    match schema {
        Schema::Object(object) => match &**object {
            ObjectOrReference::Object(schema) => Some(schema),
            ObjectOrReference::Ref { .. } => None,
        },
        Schema::Boolean(_) => None,
    }
}

fn reference(schema: &Schema) -> Option<(&str, Option<&str>)> {
    match schema {
        Schema::Object(object) => match &**object {
            ObjectOrReference::Ref { ref_path, description, .. } => {
                Some((ref_path.strip_prefix("#/components/schemas/")?, description.as_deref()))
            }
            ObjectOrReference::Object(_) => None,
        },
        Schema::Boolean(_) => None,
    }
}

fn doc(name: &str, text: Option<&str>) -> Result<String> {
    let text = text.ok_or_else(|| format!("{name} has no description"))?;
    Ok(text.trim().to_owned())
}

fn shape(name: &str, schema: &ObjectSchema, is_enum: &dyn Fn(&str) -> bool) -> Result<Shape> {
    if !schema.one_of.is_empty() {
        return schema
            .one_of
            .iter()
            .map(|it| code(name, it))
            .collect::<Result<_>>()
            .map(Shape::OpenEnum);
    }
    let fields = schema.properties.iter().map(|(field, property)| {
        let required = schema.required.contains(field);
        self::field(field, property, required, is_enum)
            .map_err(|error| format!("{name}.{field}: {error}").into())
    });
    fields.collect::<Result<_>>().map(Shape::Struct)
}

fn tolerant(name: &str, schema: &ObjectSchema) -> Result<Option<Tolerant>> {
    match schema.extensions.get("tolerant") {
        None => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(Tolerant::Part)),
        Some(Value::String(keeps)) if keeps == "keeps" => Ok(Some(Tolerant::Keeps)),
        Some(other) => Err(format!("{name}: x-tolerant is true or `keeps`, not {other}").into()),
    }
}

fn code(name: &str, schema: &Schema) -> Result<Code> {
    let schema = inline(schema).ok_or_else(|| format!("{name}: a code is written in place"))?;
    let value = schema.const_value.as_ref().and_then(Value::as_i64);
    let value = value.ok_or_else(|| format!("{name}: a code has an integer `const`"))?;
    let text = |what: &str, it: Option<&str>| {
        it.map(str::to_owned).ok_or_else(|| format!("{name}: code {value} has no {what}"))
    };
    Ok(Code {
        value,
        name: text("title", schema.title.as_deref())?,
        label_en: text("description", schema.description.as_deref())?,
        label_zh: text("x-label-zh", schema.extensions.get("label-zh").and_then(Value::as_str))?,
    })
}

fn field(
    name: &str,
    schema: &Schema,
    required: bool,
    is_enum: &dyn Fn(&str) -> bool,
) -> Result<Field> {
    let named = |target: &str| {
        if is_enum(target) {
            Kind::OpenEnum(target.to_owned())
        } else {
            Kind::Object(target.to_owned())
        }
    };
    if let Some((target, description)) = reference(schema) {
        let (kind, doc) = (named(target), doc(name, description)?);
        return Ok(Field {
            name: name.into(),
            doc,
            kind,
            required,
            nullable: false,
            personal: false,
            aliases: vec![],
            unix_seconds: false,
        });
    }
    let schema = inline(schema).ok_or("a property is a schema, not true or false")?;
    let nullable_reference = schema.one_of.iter().find_map(reference);
    let (kind, nullable) = match nullable_reference {
        Some((target, _)) => (named(target), true),
        None => inline_kind(schema)?,
    };
    let aliases = schema.extensions.get("aliases").and_then(Value::as_array);
    Ok(Field {
        name: name.into(),
        doc: doc(name, schema.description.as_deref())?,
        kind,
        required,
        nullable,
        personal: schema.extensions.get("personal") == Some(&Value::Bool(true)),
        aliases: aliases
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        unix_seconds: schema.extensions.get("unix-seconds") == Some(&Value::Bool(true)),
    })
}

fn inline_kind(schema: &ObjectSchema) -> Result<(Kind, bool)> {
    let (single, nullable) = match &schema.schema_type {
        None => (None, false),
        Some(SchemaTypeSet::Single(single)) => (Some(*single), false),
        Some(SchemaTypeSet::Multiple(several)) => {
            let mut others = several.iter().copied().filter(|it| *it != SchemaType::Null);
            match (others.next(), others.next()) {
                (Some(single), None) => (Some(single), several.len() > 1),
                _ => return Err("a property has one type, or one type and null".into()),
            }
        }
    };
    let kind = match (schema.extensions.get("rust-type").and_then(Value::as_str), single) {
        (Some("Json"), _) => return Ok((Kind::Json, true)),
        (Some(name), _) => Kind::Scalar(name.to_owned()),
        (None, Some(SchemaType::String)) => Kind::Text,
        (None, Some(SchemaType::Integer)) => Kind::Integer,
        (None, Some(SchemaType::Boolean)) => Kind::Boolean,
        (None, Some(SchemaType::Array)) => {
            let items = schema.items.as_deref().ok_or("a list has `items`")?;
            let entries = schema.extensions.get("entries") == Some(&Value::Bool(true));
            match (reference(items), entries) {
                (Some((name, _)), true) => Kind::Entries(name.to_owned()),
                (Some((name, _)), false) => Kind::List(name.to_owned()),
                (None, true) => Kind::ScalarEntries(scalar_items(items)?),
                (None, false) => Kind::Scalars(scalar_items(items)?),
            }
        }
        (None, other) => return Err(format!("no Rust type is known for {other:?}").into()),
    };
    Ok((kind, nullable))
}

/// The Rust type of the items of a list that are no objects.
fn scalar_items(items: &Schema) -> Result<String> {
    let items = inline(items).ok_or("a list's items are a schema")?;
    match inline_kind(items)? {
        (Kind::Text, false) => Ok("String".to_owned()),
        (Kind::Scalar(name), false) => Ok(name),
        _ => Err("a list's items are a $ref or a `string`".into()),
    }
}

fn endpoint(path: &str, operation: &Operation) -> Result<Endpoint> {
    let name =
        operation.operation_id.clone().ok_or_else(|| format!("{path} has no operationId"))?;
    let body = match &operation.request_body {
        Some(ObjectOrReference::Object(body)) => body.content.get("application/json"),
        _ => None,
    };
    let response = match operation.responses.as_ref().and_then(|all| all.get("200")) {
        Some(ObjectOrReference::Object(response)) => response.content.get("application/json"),
        _ => None,
    };
    let schema_of = |media: Option<&oas3::spec::MediaType>, what: &str| {
        let schema = media.and_then(|it| it.schema.as_ref()).and_then(reference);
        schema.map(|it| it.0.to_owned()).ok_or_else(|| format!("{name}: its {what} is a JSON $ref"))
    };
    Ok(Endpoint {
        doc: doc(&name, operation.summary.as_deref())?,
        path: path.to_owned(),
        request: schema_of(body, "request")?,
        response: schema_of(response, "response")?,
        // The header with the token is the only one that is known.
        needs_token: !operation.parameters.is_empty(),
        certainty: certainty::read(&name, operation.extensions.get("certainty"))?,
        name,
    })
}

/// The events of an operation's callbacks.
fn callbacks(operation: &Operation) -> Result<Vec<Event>> {
    let mut out = Vec::new();
    for (name, callback) in &operation.callbacks {
        let ObjectOrReference::Object(callback) = callback else {
            return Err(format!("callback {name} is written in place").into());
        };
        for post in callback.paths.values().filter_map(|item: &PathItem| item.post.as_ref()) {
            out.push(event(name, post)?);
        }
    }
    Ok(out)
}

fn event(name: &str, post: &Operation) -> Result<Event> {
    let event_type = post.extensions.get("event-type").and_then(Value::as_i64);
    let payload = post.extensions.get("payload").and_then(Value::as_str);
    let (Some(event_type), Some(payload)) = (event_type, payload) else {
        return Err(format!("callback {name} needs x-event-type and x-payload").into());
    };
    let certainty = certainty::read(name, post.extensions.get("certainty"))?;
    Ok(Event { event_type, payload: payload.to_owned(), certainty })
}
